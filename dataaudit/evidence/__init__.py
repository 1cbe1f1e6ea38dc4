"""Evidence that scorers read: values only."""
