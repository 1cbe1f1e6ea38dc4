"""Texts and images as vectors, by a model that was trained before."""
