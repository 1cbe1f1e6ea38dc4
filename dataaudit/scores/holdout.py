"""Consistency scores by holdout (the paper's equation 2), and the smoother mean probability beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dataaudit.evidence.base import Evidence, Need
from dataaudit.holdout.summary import HoldoutScores
from dataaudit.scores.base import Scores, Uncertainty


@dataclass(frozen=True)
class HoldoutScore:
    """An estimate from holdout runs, with its standard error, interval, number of holdouts and reliability.

    Parameters
    ----------
    name, summary
        As in `dataaudit.scores.base.Scorer`.
    need
        Runs of one subset ratio, or of several.
    field
        "values": share of holdouts in which the label was predicted; ties are ordered by the probability.
        "probability": mean probability of the label.
    """

    name: str
    summary: str
    need: Need
    field: Literal["values", "probability"] = "values"

    @property
    def needs(self) -> frozenset[Need]:
        """The runs named by `need`."""
        return frozenset({self.need})

    def score(self, evidence: Evidence) -> Scores:
        """Values [n], NaN where an example was never held out."""
        runs: HoldoutScores = getattr(evidence, self.need.value)
        if self.field == "values":
            uncertainty = Uncertainty(runs.stderr, runs.lower, runs.upper, runs.holdouts, runs.reliability)
            return Scores(runs.values, runs.probability, uncertainty)
        error = runs.probability_stderr
        lower, upper = (np.clip(runs.probability + z * error, 0, 1) for z in (-1.96, 1.96))
        uncertainty = Uncertainty(error, lower, upper, runs.holdouts, runs.probability_reliability)
        return Scores(runs.probability, uncertainty=uncertainty)


c_score = HoldoutScore(
    "c_score",
    "accuracy on the example when it is held out of training (consistency score at one subset ratio)",
    Need.SUBSET_RUNS,
)
c_score_integral = HoldoutScore(
    "c_score_integral",
    "consistency score averaged over subset ratios of 10 to 90 %",
    Need.SUBSET_RUNS_INTEGRAL,
)
holdout_probability = HoldoutScore(
    "holdout_probability",
    "probability of the label when the example is held out of training (same runs as c_score)",
    Need.SUBSET_RUNS,
    "probability",
)
