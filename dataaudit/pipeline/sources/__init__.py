"""Sources of evidence, a file a kind; each checks itself, collects, and says how its part came about."""
