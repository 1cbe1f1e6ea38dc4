"""The frozen result, questions to it, and its folder on disk."""
