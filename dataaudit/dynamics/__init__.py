"""Training dynamics of every example."""
