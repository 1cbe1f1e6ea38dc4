"""A bed of cases with known label errors: what each shows is kept, so that estimators need no training."""
