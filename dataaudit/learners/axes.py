"""Principal axes of the features, in which the matrix of ridge regression on all rows is n times the identity.

Ridge regression penalises |w|^2 in the features' own coordinates. With x' = T (x - mean) and a penalty for each axis
it is the same regression, and subsets of a good part of the rows have matrices near t times the identity: however
correlated the features, float32 products then lose nothing that matters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray

BLOCK_VALUES = 2**21
"""Values that are held in float64 at a time."""


class Axes(NamedTuple):
    """Rows in the coordinates of their principal axes."""

    rows: AnyArray
    """float32 [n, r] with r = min(n, d)."""
    penalty: FloatArray
    """Penalty of the squared weight of each axis, float64 [r], above 0."""


def principal_axes(features: AnyArray, alpha: float) -> Axes:
    """Centre and rotate `features`, float32 [n, d]; divide each axis by the root of (its squared sum + alpha) / n."""
    n, d = features.shape
    mean = features.mean(axis=0, dtype=np.float64)
    if d > n:
        return _by_rows(features, mean, alpha)
    step = max(1, BLOCK_VALUES // d)
    gram = np.zeros((d, d))
    for start in range(0, n, step):
        block = features[start : start + step] - mean
        gram += block.T @ block
    squares, vectors = np.linalg.eigh(gram)
    factors = _factors(squares, n, alpha)
    rotation = vectors * np.sqrt(factors)
    rows = np.empty((n, d), np.float32)
    for start in range(0, n, step):
        rows[start : start + step] = (features[start : start + step] - mean) @ rotation
    return Axes(rows, alpha * factors)


def _factors(squares: FloatArray, n: int, alpha: float) -> FloatArray:
    """Squared factor of each axis; sums of squares below rounding count as rounding, whatever they are."""
    least = squares[-1] * len(squares) * np.finfo(np.float64).eps
    factors: FloatArray = n / (np.maximum(squares, least) + alpha)
    return factors


def _by_rows(features: AnyArray, mean: FloatArray, alpha: float) -> Axes:
    """Principal axes from products of rows, where there are fewer of them than features."""
    n, d = features.shape
    step = max(1, BLOCK_VALUES // n)
    products = np.zeros((n, n))
    for start in range(0, d, step):
        block = features[:, start : start + step] - mean[start : start + step]
        products += block @ block.T
    squares, vectors = np.linalg.eigh(products)
    factors = _factors(squares, n, alpha)
    rows = (vectors * np.sqrt(np.maximum(squares, 0.0) * factors)).astype(np.float32)
    return Axes(rows, alpha * factors)
