"""Surroundings of rows that are not in the data set: nearest rows of it, and kernel sums over all of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.progress import progress_bar
from dataaudit.common.types import AnyArray, FloatArray, IntArray

VALUES = 2**22
"""Float64 values that any of a few blocks holds: 32 MiB each."""

ROUNDING = 1e-13
"""Share of the larger squared norm below which a squared distance is rounding of 0."""


@dataclass(frozen=True)
class Surroundings:
    """Surroundings of m queries among n rows of C classes.

    Attributes
    ----------
    indices
        Row of the r-th nearest, int64 [m, depth]; of those found at one distance the first row comes first.
    distances
        Euclidean distances to them, float64 [m, depth], ascending.
    kernels
        Sums of exp(-||x - x'||^2 / h^2) over the rows of each class, float64 [m, C]; None where no h was given.
    """

    indices: IntArray
    distances: FloatArray
    kernels: FloatArray | None


def surroundings(
    queries: AnyArray,
    rows: AnyArray,
    labels: IntArray,
    classes: int,
    depth: int,
    h: float | None,
    progress: bool,
    *,
    values: int = VALUES,
) -> Surroundings:
    """Nearest rows and kernel sums of each query, over every pair, in float64.

    Memory: the answer, and about five blocks of `values` values; a memory-mapped array is read block by block.
    Queries are [m, d], rows [n, d] with `labels` [n]; `depth` is at most n; without a bandwidth `h` there are
    no sums.
    """
    m, (n, d) = len(queries), rows.shape
    indices = np.empty((m, depth), np.int64)
    distances = np.empty((m, depth))
    kernels = None if h is None else np.zeros((m, classes))
    mean = _mean(rows, values)
    step = max(1, min(m, values // max(1, d), int(values**0.5)))
    wide = max(1, min(n, values // max(1, d), values // step))
    with progress_bar("pairs with the audited data set", m, progress) as advance:
        for start in range(0, m, step):
            part = slice(start, start + step)
            query = queries[part].astype(np.float64) - mean
            nearest = np.full((len(query), 0), np.inf)
            positions = np.empty((len(query), 0), np.int64)
            for first in range(0, n, wide):
                block = rows[first : first + wide].astype(np.float64) - mean
                squares = _squares(query, block)
                nearest, positions = _merged(nearest, positions, squares, first, depth)
                if h is not None and kernels is not None:
                    belongs = labels[first : first + wide, None] == np.arange(classes)
                    kernels[part] += np.exp(-squares / h**2) @ belongs.astype(np.float64)
            indices[part], distances[part] = positions, np.sqrt(nearest)
            advance(len(query))
    return Surroundings(indices, distances, kernels)


def _mean(rows: AnyArray, values: int) -> FloatArray:
    """Mean row, float64 [d], by blocks of so many values."""
    step = max(1, values // max(1, rows.shape[1]))
    total = np.zeros(rows.shape[1])
    for first in range(0, len(rows), step):
        total += rows[first : first + step].sum(0, dtype=np.float64)
    return total / len(rows)


def _squares(queries: FloatArray, rows: FloatArray) -> FloatArray:
    """Squared distances, float64 [m, n]; equal rows are at 0."""
    own, other = (queries**2).sum(1), (rows**2).sum(1)
    squares: FloatArray = queries @ rows.T
    squares *= -2.0
    squares += own[:, None]
    squares += other
    squares[squares <= ROUNDING * np.maximum(own[:, None], other)] = 0.0
    return squares


def _merged(
    nearest: FloatArray, positions: IntArray, squares: FloatArray, first: int, depth: int
) -> tuple[FloatArray, IntArray]:
    """The `depth` smallest of those so far and of a new block, ascending, lower rows first among equals."""
    few = min(depth, squares.shape[1])
    near = np.argpartition(squares, few - 1, axis=1)[:, :few]
    squares = np.concatenate([nearest, np.take_along_axis(squares, near, 1)], 1)
    positions = np.concatenate([positions, near + first], 1)
    order = np.lexsort((positions, squares), axis=1)[:, :depth]
    return np.take_along_axis(squares, order, 1), np.take_along_axis(positions, order, 1)
