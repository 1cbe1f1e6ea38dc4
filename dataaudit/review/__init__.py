"""Review: decisions of people about labels, what to look at next, and how many errors are left."""
