"""Samples that hold their share of every label, and the factor of their standard errors.

A sample in which every label has its share leaves the differences between labels out of its error: what is left is how
sums vary within them (proportional allocation, Cochran 1977, Sampling Techniques, section 5.6). The residuals from
which `sampled_estimate` takes its errors do not know of labels, and are too small besides where a few members hold much
of the fit. Both are looked at on some rows of each class, one by one: there the variance of the residuals

    sum over strata s of m_s / n * sum over s of (e_j - mean of e over s)^2 / (m_s - 1)        e_j = r_j / (1 - l_j)

is compared with the sum of r_j^2 over n - 4. e_j, with the leverage l_j of a member, is its residual from the fit to
the others (the jackknife; HC3 of MacKinnon and White 1985). Strata are labels, small ones together with the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.arrays import Floats, Integers, Singles
from dataaudit_kernels.sampled_estimate import FEWEST, Sample

LOOKED_AT = 32
"""Rows of a class on which its errors are looked at."""

TOGETHER = 8
"""Of them, rows that are compared with the sample at a time: 256 bytes a member."""

STRATUM = 4
"""Fewest members of a stratum."""

ROUNDING = 1e-24
"""Variance of residuals, in sums of squares, that is of rounding alone."""

LEVERAGE = 0.99
"""Most that a member's leverage counts for."""


def spread_order(labels: Integers, rng: np.random.Generator) -> Integers:
    """Rows in a random order, of which every beginning holds about its share of each label.

    How many of a label a beginning holds differs from its share by less than one; where that is a fraction, chance
    decides.

    >>> order = spread_order(np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.random.default_rng(0))
    >>> sorted((order[:4] // 4).tolist())
    [0, 0, 1, 1]
    """
    drawn = rng.permutation(len(labels))
    drawn = drawn[np.argsort(labels[drawn], kind="stable")]
    _, start, own, counts = np.unique(labels[drawn], return_index=True, return_inverse=True, return_counts=True)
    share = (np.arange(len(labels)) - start[own] + rng.random(len(start))[own]) / counts[own]
    return np.asarray(drawn[np.argsort(share, kind="stable")])


def inflation(x: Singles, sample: Sample, left_out: NDArray[np.bool_], controls: bool) -> float:
    """Factor of the squares of standard errors: the mean over rows `x`, each of which leaves members out, bool [b, m].

    It is 1 where no row has enough members, or residuals that differ from 0. `controls`: control variates were fitted.
    """
    ratios = []
    for row, out in enumerate(left_out):
        if row % TOGETHER == 0:
            terms = sample.terms(x[row : row + TOGETHER])
        kept = np.flatnonzero(~out)
        if len(kept) < FEWEST:
            continue
        mine = terms[row % TOGETHER, kept]
        values, columns = mine[:, 0], mine[:, 1 : 4 if controls else 1]
        residuals, leverage = _fitted(values, columns)
        pooled = residuals @ residuals / (len(kept) - 1 - columns.shape[1])
        if pooled > ROUNDING * (values @ values):
            alone = residuals / (1 - np.minimum(leverage, LEVERAGE))
            ratios.append(_within_strata(alone, sample.labels[kept]) / pooled)
    return float(np.mean(ratios)) if ratios else 1.0


def _fitted(values: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """Residuals of least squares with an intercept, and leverages, [n] each."""
    wide = np.column_stack([np.ones(len(values)), columns])
    wide[:, 1:] -= wide[:, 1:].mean(0)
    size = np.sqrt((wide**2).sum(0))
    left, singular, _ = np.linalg.svd(wide[:, size > 0] / size[size > 0], full_matrices=False)
    left = left[:, singular > 1e-8 * singular[0]]
    return np.asarray(values - left @ (left.T @ values)), np.einsum("ij,ij->i", left, left)


def _within_strata(values: Floats, labels: Integers) -> float:
    """Mean over members of the variance within their strata."""
    names, counts = np.unique(labels, return_counts=True)
    strata, number, filled = np.zeros(len(names), np.int64), 0, 0
    for index, count in enumerate(counts.tolist()):
        if filled >= STRATUM:
            number, filled = number + 1, 0
        strata[index], filled = number, filled + count
    if filled < STRATUM and number:
        strata[strata == number] = number - 1
    own = strata[np.searchsorted(names, labels)]
    sizes = np.bincount(own).astype(np.float64)
    means = np.bincount(own, values) / sizes
    squares = np.bincount(own, (values - means[own]) ** 2)
    return float((sizes * squares / np.maximum(sizes - 1, 1)).sum() / len(values))
