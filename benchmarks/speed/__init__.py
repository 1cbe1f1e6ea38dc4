"""What an audit costs beside the training loop that it takes the place of."""
