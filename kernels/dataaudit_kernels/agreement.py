"""Agreement of a ranking by estimated sums with the one by exact sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dataaudit_kernels.arrays import Floats

SCORES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "density": lambda other, same: other + same,
    "class_density": lambda other, same: same,
    "relative_density": lambda other, same: same - other,
    # Of a sum that is not a number the share is none either.
    "parzen": lambda other, same: np.divide(same, other + same, out=np.zeros_like(same), where=other + same != 0),
}
"""The four densities, up to a constant factor, from the sums over other labels and over the same label."""

FEW = 4.0
"""Effective members below which a sum rests on few of them; it is below 4 wherever one member makes half of a sum."""

RELEVANT = 0.05
"""Share of rows whose sums may rest on few members while the ranking's agreement is estimated from halves."""


def ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs, float64 [n]."""
    _, position, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[position])


def spearman(first: Floats, second: Floats) -> float:
    """Rank correlation; 1 where neither varies, NaN where one does not.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0]))
    1.0
    """
    a, b = ranks(first), ranks(second)
    a, b = a - a.mean(), b - b.mean()
    squares = float(a @ a) * float(b @ b)
    if squares == 0:
        return 1.0 if not a.any() and not b.any() else float("nan")
    return float(min(1.0, a @ b / np.sqrt(squares)))


def estimated_agreement(other: Floats, same: Floats, other_halves: Floats, same_halves: Floats) -> dict[str, float]:
    """Spearman correlation of each density score with the exact one, estimated from halves of the sample.

    The difference of estimates from two halves of a sample varies, over rows as well as from sample to sample, as twice
    the error of the estimate from the whole does: errors of alike rows, which share the sample, move together in both.
    The ranking is compared with what it becomes when such a half difference is added once more. Rows of which nothing
    is known may stand anywhere: they agree with a correlation of 0, and the others' counts by their share. Half
    differences [b, repeats] come times the root of the unseen share of the population, 0 for exact sums, NaN for
    unknown ones.
    """
    agreements = {}
    for name, score in SCORES.items():
        ours = score(other, same)
        agree = []
        for apart, own in zip(other_halves.T, same_halves.T, strict=True):
            moved = score(np.maximum(other + apart, 0.0), np.maximum(same + own, 0.0))
            known = ~np.isnan(moved)
            agree.append(float(known.mean()) * spearman(ours[known], moved[known]) if known.any() else 0.0)
        agreements[name] = float(np.mean(agree))
    return agreements


def without_unknown(halves: Floats, stderr: Floats, effective: Floats) -> Floats:
    """Half differences [b, repeats] with NaN for rows whose errors they do not show.

    These are rows of infinite standard error, and those whose sums rest on fewer than `FEW` effective members, once
    they are more than a share `RELEVANT` of all: whatever the halves hold, a member that was not drawn may be as large.
    """
    few = effective < FEW
    unknown = np.isinf(stderr)
    if len(few) and few.mean() > RELEVANT:
        unknown |= few
    return np.where(unknown[:, None], np.nan, halves)
