"""Differences with their 95 % intervals, on which verdicts about the paper's claims rest.

Correlations are compared on the same examples, which are resampled with the ranks that they have among all; means of
groups by their standard errors. An interval says how sure a difference is for these runs, not how much other runs of
the same training would differ.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.stats import norm, rankdata

from benchmarks.common import Array
from benchmarks.paper import evidence
from benchmarks.paper.result import NotMade

Interval = tuple[float, float, float]
"""Value, and the limits of its 95 % interval."""

LEAST = 20
"""Fewest examples of a group whose mean is compared."""


def correlation_gap(truth: Array, one: Array, other: Array) -> Interval:
    """Spearman of `one` with C-scores less that of `other`."""
    known = np.isfinite(truth) & np.isfinite(one) & np.isfinite(other)
    ranks = np.array([rankdata(values[known]) for values in (truth, one, other)])
    if known.sum() < LEAST or (np.ptp(ranks, axis=1) == 0).any():
        raise NotMade("the scores are the same for every example, or nearly all are unknown")

    def gap(rows: Array) -> float:
        table = np.corrcoef(ranks[:, rows])
        return float(table[0, 1] - table[0, 2])

    return evidence.bootstrap(gap, int(known.sum()))


def mean_gap(one: Array, other: Array | None = None, of: int = 1) -> Interval:
    """Mean of `one` less that of `other`, which holds other examples; of `one` alone for None.

    The interval is one of so many that hold together with 95 % (Bonferroni).
    """
    parts = [one] if other is None else [one, other]
    if min(map(len, parts)) < LEAST:
        raise NotMade(f"a group has fewer than {LEAST} examples")
    value = float(one.mean() - (0.0 if other is None else other.mean()))
    half = float(norm.ppf(1 - 0.025 / of) * np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)))
    return value, value - half, value + half


def least_step(table: Array, groups: Array) -> tuple[int, int, int, Interval]:
    """Row of `table` [rows, n] and neighbouring groups between which its mean may fall, or rises least surely."""
    pairs = []
    for row, values in enumerate(table):
        known = np.isfinite(values)
        filled = [group for group in np.unique(groups[groups >= 0]) if (known & (groups == group)).sum() >= LEAST]
        pairs += [(row, int(low), int(high)) for low, high in pairwise(filled)]
    if len(pairs) < 2 * len(table):
        raise NotMade(f"fewer than three groups have {LEAST} examples")

    def members(row: int, group: int) -> Array:
        return np.asarray(table[row, np.isfinite(table[row]) & (groups == group)])

    steps = [(row, low, high, mean_gap(members(row, high), members(row, low), len(pairs))) for row, low, high in pairs]
    falls = [step for step in steps if step[3][2] < 0]
    return min(falls or steps, key=lambda step: step[3][1])
