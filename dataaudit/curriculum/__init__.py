"""Scores drive training."""
