"""Against the published C-scores."""
