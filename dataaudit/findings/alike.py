"""Nearest examples of given classes, for a few examples, at a cost that is bounded."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray

BLOCK = 2**22
"""Values of rows that are held at a time."""
COST = 3 * 10**10
"""Multiplications, at most, for all examples."""
READING, COMPARING = 20, 256
"""Multiplications that reading a value, and comparing a distance, are worth."""


def affordable(sizes: IntArray, classes: IntArray, width: int, cost: int = COST) -> int:
    """Number of queries, from the first, whose search costs no more than that.

    Parameters
    ----------
    sizes
        Rows of each class, int64 [C].
    classes
        Classes among which each query looks, int64 [m, s], -1 for none.
    width
        Values of a row.
    """
    size = np.where(classes >= 0, sizes[classes], 0).astype(np.float64)
    is_new = np.zeros(classes.size, bool)
    is_new[np.unique(classes.ravel(), return_index=True)[1]] = True
    each = width + COMPARING + READING * width * is_new.reshape(classes.shape)
    spent = np.cumsum((size * each).sum(1))
    return int(np.searchsorted(spent, cost, "right"))


def nearest_of_classes(rows: Any, labels: IntArray, queries: IntArray, classes: IntArray, k: int) -> IntArray:
    """Positions of the `k` examples of each wanted class that lie nearest to each query, int64 [m, s, k].

    Nearest first, by Euclidean distance; the query itself is left out, and -1 stands where there are no more.

    Parameters
    ----------
    rows
        Rows [n, d] that are read at slices or positions, an array or pieces.
    labels
        Class of each row, int64 [n].
    queries
        Positions of queries, int64 [m].
    classes
        Classes among which each looks, int64 [m, s], -1 for none.
    """
    found = np.full((*classes.shape, k), -1, np.int64)
    if not len(queries):
        return found
    of = np.asarray(rows[queries], np.float32)
    centre = of.mean(0)
    of = of - centre
    for label in np.unique(classes[classes >= 0]).tolist():
        who, side = np.nonzero(classes == label)
        found[who, side] = _nearest(rows, np.flatnonzero(labels == label), of[who], queries[who], centre, k)
    return found


def _nearest(rows: Any, members: IntArray, of: FloatArray, own: IntArray, centre: AnyArray, k: int) -> IntArray:
    """The `k` of `members` that lie nearest to queries `of` [q, d], which are the rows `own` [q]: int64 [q, k]."""
    best, distance = np.full((len(of), k), -1, np.int64), np.full((len(of), k), np.inf, np.float32)
    step = max(1, BLOCK // max(of.shape[1], len(of)))
    for start in range(0, len(members), step):
        part = members[start : start + step]
        block = np.asarray(rows[part], np.float32) - centre
        # The query's own norm moves all its distances alike.
        with np.errstate(invalid="ignore", over="ignore"):
            squared = np.einsum("id,id->i", block, block) - 2.0 * (of @ block.T)
        squared[(part == own[:, None]) | ~np.isfinite(squared)] = np.inf
        few = np.argpartition(squared, min(k, len(part)) - 1, axis=1)[:, :k]
        both = np.concatenate([distance, np.take_along_axis(squared, few, 1)], 1)
        known = np.concatenate([best, part[few]], 1)
        order = np.argsort(both, axis=1, kind="stable")[:, :k]
        best, distance = np.take_along_axis(known, order, 1), np.take_along_axis(both, order, 1)
    return np.where(np.isfinite(distance), best, -1)
