"""The frozen result, what is asked of it, and its folder on disk."""
