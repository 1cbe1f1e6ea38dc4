"""Texts as vectors, by a sentence model."""
