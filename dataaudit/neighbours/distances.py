"""Float64 distances from each row to candidates, sorted, ties equal bit for bit: compiled, in blocks of rows."""

from __future__ import annotations

import numpy as np

from dataaudit_kernels.compiled import compiled

TIED = 1e-12
"""Relative difference of squared distances below which they are rounding of one value."""


@compiled()
def _order(group, ranks):
    """Sort the rows of a group by rank."""
    if len(group) > 1:
        order = np.argsort(ranks[group], kind="mergesort")
        # A slice would compile the words of an error about shapes.
        chosen = group.copy()
        for r in range(len(group)):
            group[r] = chosen[order[r]]


@compiled()
def sorted_distances(rows, first, candidates, distances, ranks):
    """Sort candidates [b, depth] by distance, then by rank, and fill distances float64 [b, depth].

    They are rows near the rows `first`, `first` + 1, ...; the row itself and -1 come last, at infinity. Differences are
    taken in float64 from the rows as they are, so that equal rows are at distance 0. `ranks` [n] are a random order of
    all rows, so that whoever cuts a group of equal distances keeps a random part of it.
    """
    features = rows.shape[1]
    count, depth = candidates.shape
    squares = np.empty(depth)
    row = np.empty(features)
    for i in range(count):
        for f in range(features):
            row[f] = rows[first + i, f]
        for r in range(depth):
            j = candidates[i, r]
            if j < 0 or j == first + i:
                squares[r] = np.inf
                continue
            total = 0.0
            for f in range(features):
                apart = row[f] - np.float64(rows[j, f])
                total += apart * apart
            squares[r] = total
        order = np.argsort(squares, kind="mergesort")
        chosen = candidates[i].copy()
        start = 0
        for r in range(depth):
            candidates[i, r], distances[i, r] = chosen[order[r]], squares[order[r]]
            tied = distances[i, r] <= distances[i, start] * (1 + TIED)
            if tied:
                distances[i, r] = distances[i, start]
            else:
                _order(candidates[i, start:r], ranks)
                start = r
        _order(candidates[i, start:], ranks)
        for r in range(depth):
            distances[i, r] = np.sqrt(distances[i, r])
