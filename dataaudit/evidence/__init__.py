"""What scorers may look at: values only."""
