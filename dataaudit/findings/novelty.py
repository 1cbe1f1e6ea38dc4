"""Novelty of rows that an audit has not seen, by what lies around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.density import bandwidth
from dataaudit.findings.cross import VALUES, surroundings
from dataaudit.findings.outliers import local_ratio, mean_distance


@dataclass(frozen=True)
class Novelty:
    """Position of m new rows among n audited ones."""

    distance: FloatArray
    """Mean distance to the k nearest, float64 [m]."""
    nearest: IntArray
    """Nearest audited row, int64 [m]."""
    nearest_distance: FloatArray
    """Distance to it, float64 [m]."""
    ratio: FloatArray
    """`distance` in units of what is usual for these neighbours, float64 [m]."""
    votes: FloatArray
    """Shares of the k neighbours by class, float64 [m, C]."""
    kernels: FloatArray
    """Mean kernel values by class, sum over its rows / n, float64 [m, C]."""

    @property
    def density(self) -> FloatArray:
        """Mean kernel value over all audited rows, [m]."""
        return np.asarray(self.kernels.sum(1), np.float64)

    @property
    def parzen(self) -> FloatArray:
        """Shares of the classes in the kernel values, [m, C]; of the neighbours where every kernel value is 0."""
        total = self.kernels.sum(1, keepdims=True)
        return np.where(total > 0, self.kernels / np.where(total > 0, total, 1.0), self.votes)


def novelty(
    queries: AnyArray,
    audited: AnyArray,
    labels: IntArray,
    classes: int,
    k: int,
    width: float | str,
    seed: int,
    progress: bool,
) -> Novelty:
    """Novelty of the rows `queries` [m, d] among the `audited` ones [n, d], in one unit, by the `k` nearest.

    `width` is the bandwidth; where all audited rows are equal, so that the paper's rule has none, the smallest number.
    """
    n = len(audited)
    depth = min(k, n)
    h = bandwidth.find(audited, width, seed).value if _differ(audited) else float(np.finfo(np.float32).tiny)
    near = surroundings(queries, audited, labels, classes, depth, h, progress)
    assert near.kernels is not None
    # Only what is a neighbour of a new row is measured itself; its nearest audited row is the row itself.
    needed, back = np.unique(near.indices, return_inverse=True)
    own = surroundings(audited[needed], audited, labels, classes, min(k + 1, n), None, progress)
    usual = mean_distance(_others(own.indices, own.distances, needed), k)
    distance = mean_distance(near.distances, k)
    votes = np.zeros((len(queries), classes))
    for column in labels[near.indices].T:
        votes[np.arange(len(queries)), column] += 1 / depth
    return Novelty(
        distance,
        near.indices[:, 0],
        near.distances[:, 0],
        local_ratio(distance, back.reshape(near.indices.shape), usual),
        votes,
        near.kernels / n,
    )


def _others(indices: IntArray, distances: FloatArray, rows: IntArray) -> FloatArray:
    """Distances without the row itself, [m, depth - 1]; of many equal rows it may not be among the nearest."""
    itself = indices == rows[:, None]
    itself[~itself.any(1), 0] = True
    kept: FloatArray = distances[~itself].reshape(len(rows), -1)
    return kept


def _differ(audited: AnyArray) -> bool:
    """Test whether any row differs from the first."""
    step, first = max(1, VALUES // max(1, audited.shape[1])), audited[:1]
    return any(bool((audited[start : start + step] != first).any()) for start in range(0, len(audited), step))
