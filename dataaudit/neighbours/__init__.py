"""Nearest neighbours: searches, and scores of nearest-neighbour learners in closed form."""
