"""Ground truth: models trained on random subsets, and their predictions of the examples they did not see."""
