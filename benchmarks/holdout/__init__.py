"""Ground truth by holdout: what it costs, how reliable it is, and what stands in for it."""
