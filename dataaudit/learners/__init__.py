"""Learners: torch and scikit-learn models, linear probes, nearest neighbours, recipes and networks by name."""
