"""Who lies nearest: the search, and what a nearest-neighbour learner makes of it in closed form."""
