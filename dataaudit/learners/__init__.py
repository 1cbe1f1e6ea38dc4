"""What trains: torch and scikit-learn models, recipes and networks by name."""
