"""Scores to pages."""
