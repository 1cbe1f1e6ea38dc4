"""All pairs of rows on a Ray cluster: blocks of pairs, workers that compute them, a folder that keeps them."""
