"""How far it reaches: millions of rows, on disk."""
