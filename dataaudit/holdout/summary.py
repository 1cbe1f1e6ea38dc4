"""Estimates from holdout runs for every example, as plain NumPy."""

from __future__ import annotations

from dataclasses import dataclass

from dataaudit.common.types import FloatArray, IntArray


@dataclass(frozen=True)
class HoldoutScores:
    """Estimates from holdout runs.

    Attributes
    ----------
    values
        Share of the holdouts in which the example was classified correctly, float64 [n], NaN where there were none.
    stderr
        Binomial standard error; where the share is 0 or 1, half the width of the Wilson interval of one standard
        error (z = 1), 1 / (2 (k + 1)) for k holdouts; [n].
    lower, upper
        95 % Wilson interval, [n] each.
    holdouts
        Number of runs that held the example out, int64 [n].
    probability, probability_stderr
        Mean probability of the label over the same runs, and its standard error (NaN for fewer than two), [n].
    reliability, probability_reliability
        Split-half reliability, Spearman-Brown corrected; NaN where there are too few runs.
    """

    values: FloatArray
    stderr: FloatArray
    lower: FloatArray
    upper: FloatArray
    holdouts: IntArray
    probability: FloatArray
    probability_stderr: FloatArray
    reliability: float
    probability_reliability: float
