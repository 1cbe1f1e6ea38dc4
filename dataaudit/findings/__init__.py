"""Where examples lie: far from all others, between classes, twice in the data set, or in the midst of their class."""
