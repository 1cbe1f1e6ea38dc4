"""Nearest rows: candidates by float32 products, their order by float64 distances."""

from __future__ import annotations

import numpy as np

from dataaudit_kernels.compiled import compiled


@compiled()
def nearest(products, squares, features, queries, train, k, nearest_rows):
    """Write the rows nearest each query to `nearest_rows`, int64 [q, c], by distance, then by position in `train`.

    The first k count. Candidates c come from `products` of centred rows, float32 [q, t], and `squares`, the squared
    norms of the training rows [t]; their distances from `features`, float32 [n, d], in float64. `queries` [q] and
    `train` [t] are positions in these.
    """
    candidates = nearest_rows.shape[1]
    near, position = np.empty(candidates), np.empty(candidates, np.int64)
    for q in range(len(queries)):
        near[:] = np.inf
        position[:] = -1
        for t in range(len(train)):
            value = squares[t] - 2.0 * products[q, t]
            if value < near[candidates - 1] or position[candidates - 1] < 0:
                _insert(near, position, value, t)
        # Candidates in the order of their positions, so that equal distances keep it.
        chosen = np.sort(position)
        near[:] = np.inf
        position[:] = -1
        for t in chosen:
            distance = 0.0
            for j in range(features.shape[1]):
                difference = np.float64(features[queries[q], j]) - np.float64(features[train[t], j])
                distance += difference * difference
            _insert(near, position, distance, t)
        for i in range(k):
            nearest_rows[q, i] = train[position[i]]


@compiled()
def _insert(near, position, value, t):
    i = len(near) - 1
    while i > 0 and (position[i - 1] < 0 or value < near[i - 1]):
        near[i], position[i] = near[i - 1], position[i - 1]
        i -= 1
    near[i], position[i] = value, t
