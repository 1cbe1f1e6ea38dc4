"""Sums of the control variates over all rows at once, from moments up to the second degree.

With u_j = exp(-|x_j|^2 / h^2) and p_ij = x_i . x_j, the first terms of K = exp(-|x_i|^2 / h^2) u_j exp(2 p_ij / h^2)::

    sum over j of u_j          = s0                    s0 = sum of u_j
    sum over j of u_j p_ij     = x_i . s1              s1 = sum of u_j x_j
    sum over j of u_j p_ij^2   = x_i' s2 x_i           s2 = sum of u_j x_j x_j'

so that three moments, of d^2 numbers, give the exact sums for every row i (Taylor's terms of e^t as a control variate).
The second degree may be limited to the directions that hold nearly all of the variance of p_ij^2.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.arrays import Floats, Singles

HELD = 0.99
"""Share of the variance of squared inner products that the directions of the second degree hold."""

FEW = 0.25
"""Largest number of directions, in parts of d, that pay a product of their own; beyond, all are taken."""

LARGEST_SHIFT = 60.0
"""Exponent of 2 that the weight of a central row may reach."""


@dataclass(frozen=True)
class Basis:
    """Directions of the second degree, orthonormal, float32 [d, r]; None where all d are taken.

    `norm` and `low_norm` are root mean squares of a sampled row's length, in full and in the directions: the unit of
    inner products. `scale` is log2(e) / h^2 in the unit of the rows, and `shift` the least |x|^2 of the sampled rows
    times that: weights u are 1 there.
    """

    directions: Singles | None
    norm: float
    low_norm: float
    rank: int
    scale: float
    shift: float

    @property
    def helps(self) -> bool:
        """True if weights stay within float32; where they do not, Taylor's terms tell nothing of the kernel either."""
        return self.shift < LARGEST_SHIFT

    def weights(self, squares: Floats) -> Floats:
        """u of rows with these squared norms, up to a common factor, float64."""
        return np.asarray(np.exp2(self.shift - squares * self.scale))

    def low(self, x: Singles) -> Singles:
        """Rows [b, r] in the directions."""
        return x if self.directions is None else np.asarray(x @ self.directions)

    def factors(self, x: Singles, low: Singles) -> tuple[Floats, Floats]:
        """Factors of each row's inner products that make them of order 1, float64 [b] each."""
        return _inverse(x, self.norm), _inverse(low, self.low_norm)


def _inverse(x: Singles, unit: float) -> Floats:
    long = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64)) * unit
    return np.asarray(np.divide(1.0, long, out=np.zeros(len(x)), where=long > 0))


def basis_of(x: Singles, scale: float, most: int) -> Basis:
    """Directions for rows that are like `x`, drawn at random and centred, float32 [m, d].

    At most `most`; all d are taken where more than a quarter is needed and d is no more than that.
    """
    d = x.shape[1]
    lengths = np.einsum("ij,ij->i", x, x, dtype=np.float64)
    norm, shift = float(np.sqrt(lengths.mean())), float(lengths.min()) * scale
    # Those of the smaller of the two products: the same, but for their order.
    values, vectors = np.linalg.eigh(np.asarray(x.T @ x if d <= len(x) else x @ x.T, np.float64))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    squares = np.cumsum(values**2)
    needed = int(np.searchsorted(squares, HELD * squares[-1])) + 1 if squares[-1] > 0 else 1
    if d <= most and needed > FEW * d:
        return Basis(None, norm, norm, d, scale, shift)
    rank = max(1, min(needed, most, len(values)))
    chosen = vectors[:, :rank]
    if d > len(x):
        chosen, _ = np.linalg.qr(np.asarray(x, np.float64).T @ chosen)
    directions = np.ascontiguousarray(chosen, np.float32)
    low = x @ directions
    low_norm = float(np.sqrt(np.mean(np.einsum("ij,ij->i", low, low, dtype=np.float64))))
    return Basis(directions, norm, low_norm, rank, scale, shift)


@dataclass
class Moments:
    """Moments s0, s1 [d] and s2 [r, r] of some rows, in float64, added to block by block."""

    d: int
    r: int
    count: int = 0
    zeroth: float = 0.0
    first: Floats = field(init=False)
    second: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.first = np.zeros(self.d)
        self.second = np.zeros((self.r, self.r))

    def add(self, x: Singles, low: Singles, weights: Floats) -> None:
        """Count rows [b, d], in the directions [b, r], of weights u [b]."""
        self.count += len(x)
        self.zeroth += float(weights.sum())
        self.first += weights @ x
        root = low * np.sqrt(weights)[:, None].astype(np.float32)
        self.second += root.T @ root

    def plus(self, other: Moments, sign: int = 1) -> None:
        """Count what `other` counted as well."""
        self.count += sign * other.count
        self.zeroth += sign * other.zeroth
        self.first += sign * other.first
        self.second += sign * other.second

    def minus(self, other: Moments) -> None:
        """Count what `other` counted no more."""
        self.plus(other, -1)

    def sums(self, x: Singles, low: Singles, by: Floats, low_by: Floats) -> Floats:
        """Exact sums of z1, z2 and z3 over the rows counted, for each row of `x`; float64 [b, 3]."""
        sums = np.empty((len(x), 3))
        sums[:, 0] = self.zeroth
        sums[:, 1] = (x @ self.first) * by
        sums[:, 2] = np.einsum("ij,ij->i", low @ self.second.astype(np.float32), low, dtype=np.float64) * low_by**2
        return sums


def direct_sums(
    x: Singles, low: Singles, by: Floats, low_by: Floats, weights: Floats, alike: NDArray[np.bool_]
) -> Floats:
    """`Moments.sums` over the rows j of `x` itself where alike[i, j], from all inner products: for few rows."""
    sums = np.empty((len(x), 3))
    counted = alike * weights
    sums[:, 0] = counted.sum(1)
    sums[:, 1] = np.einsum("ij,ij->i", counted, x @ x.T) * by
    sums[:, 2] = np.einsum("ij,ij->i", counted, (low @ low.T).astype(np.float64) ** 2) * low_by**2
    return sums
