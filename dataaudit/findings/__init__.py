"""Findings about examples: outliers, ambiguous ones, duplicates, prototypes, and the novelty of new rows."""
