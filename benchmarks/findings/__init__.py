"""Where examples lie: what is far from everything, and what is there twice."""
