"""Scores of examples that were held out."""
