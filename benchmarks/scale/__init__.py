"""Densities of data sets that all pairs cannot be taken of."""
