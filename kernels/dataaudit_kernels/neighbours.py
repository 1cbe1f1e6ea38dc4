"""Nearest rows: candidates by float32 products, their order by float64 distances."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True)
def nearest(products, squares, features, queries, train, k, found):
    """Find the nearest of the training rows for each query.

    Parameters
    ----------
    products
        Inner products of centred rows, float32 [q, t].
    squares
        Squared norms of the centred training rows, float32 [t].
    features
        float32 [n, d], for the distances of the candidates, summed in float64.
    queries, train
        Rows, int64 [q] and [t].
    k
        Number of neighbours, at most the number of candidates c that are kept, at most t.
    found
        int64 [q, c], written: rows in the order of their distance, then of their place in `train`; the first k count.
    """
    candidates = found.shape[1]
    near, place = np.empty(candidates), np.empty(candidates, np.int64)
    for q in range(len(queries)):
        near[:] = np.inf
        place[:] = -1
        for t in range(len(train)):
            value = squares[t] - 2.0 * products[q, t]
            if value < near[candidates - 1] or place[candidates - 1] < 0:
                _insert(near, place, value, t)
        # Candidates in the order of their place, so that equal distances keep it.
        chosen = np.sort(place)
        near[:] = np.inf
        place[:] = -1
        for t in chosen:
            distance = 0.0
            for j in range(features.shape[1]):
                difference = np.float64(features[queries[q], j]) - np.float64(features[train[t], j])
                distance += difference * difference
            _insert(near, place, distance, t)
        for i in range(k):
            found[q, i] = train[place[i]]


@numba.njit(nogil=True)
def _insert(near, place, value, t):
    i = len(near) - 1
    while i > 0 and (place[i - 1] < 0 or value < near[i - 1]):
        near[i], place[i] = near[i - 1], place[i - 1]
        i -= 1
    near[i], place[i] = value, t
