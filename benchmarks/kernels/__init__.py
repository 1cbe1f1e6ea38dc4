"""Kernel sums: correctness, speed against peers, growth, ahead-of-time compilation, GPU."""
