"""Consistency scores by holdout (the paper's equation 2), and the smoother mean probability beside them.

Each is an estimate from holdout runs, with its standard error, interval, number of holdouts and reliability.
"""

from __future__ import annotations

import numpy as np

from dataaudit.evidence.base import Need
from dataaudit.holdout.summary import HoldoutScores
from dataaudit.scores.base import PartScore, Scores, Uncertainty


def _accuracy(runs: HoldoutScores) -> Scores:
    """Share of holdouts in which the label was predicted, NaN where there was none; ties by the probability."""
    uncertainty = Uncertainty(runs.stderr, runs.lower, runs.upper, runs.holdouts, runs.reliability)
    return Scores(runs.values, runs.probability, uncertainty)


def _probability(runs: HoldoutScores) -> Scores:
    """Mean probability of the label, NaN where an example was never held out."""
    error = runs.probability_stderr
    lower, upper = (np.clip(runs.probability + z * error, 0, 1) for z in (-1.96, 1.96))
    uncertainty = Uncertainty(error, lower, upper, runs.holdouts, runs.probability_reliability)
    return Scores(runs.probability, uncertainty=uncertainty)


c_score = PartScore(
    "c_score",
    "accuracy on the example when it is held out of training (consistency score at one subset ratio)",
    Need.SUBSET_RUNS,
    _accuracy,
)
c_score_integral = PartScore(
    "c_score_integral",
    "consistency score averaged over subset ratios of 10 to 90 %",
    Need.SUBSET_RUNS_INTEGRAL,
    _accuracy,
)
holdout_probability = PartScore(
    "holdout_probability",
    "probability of the label when the example is held out of training (same runs as c_score)",
    Need.SUBSET_RUNS,
    _probability,
)
