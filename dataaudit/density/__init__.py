"""How crowded it is around each example: kernel sums over all pairs, by engine and bandwidth."""
