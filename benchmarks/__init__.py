"""Benchmarks: every published figure was printed by one of these."""
