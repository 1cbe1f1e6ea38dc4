"""Kernel densities of examples: bandwidth, engines, sums over all pairs."""
