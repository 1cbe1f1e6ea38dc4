"""Reviews by people: how many looks find the errors, and tell how many are left."""
