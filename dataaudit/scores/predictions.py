"""Scores from one prediction an example: of the trained model, or of one that did not see the example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dataaudit.evidence.base import Evidence, Need
from dataaudit.scores.base import Scores


@dataclass(frozen=True)
class PredictionScore:
    """A probability read off a prediction.

    Parameters
    ----------
    name, summary
        As in `dataaudit.scores.base.Scorer`.
    need
        Which predictions.
    field
        Which probability.
    """

    name: str
    summary: str
    need: Need
    field: Literal["confidence", "max_confidence"]

    @property
    def needs(self) -> frozenset[Need]:
        """The predictions named by `need`."""
        return frozenset({self.need})

    def score(self, evidence: Evidence) -> Scores:
        """Probabilities [n]; those equal after rounding are ordered by the margin of the logits."""
        predictions = getattr(evidence, self.need.value)
        values = np.asarray(getattr(predictions, self.field), np.float64)
        return Scores(values, predictions.margin if self.field == "confidence" else None)


confidence = PredictionScore(
    "confidence",
    "probability of the label at the end of training",
    Need.PREDICTIONS,
    "confidence",
)
max_confidence = PredictionScore(
    "max_confidence",
    "largest class probability at the end of training, whatever the label",
    Need.PREDICTIONS,
    "max_confidence",
)
heldout_confidence = PredictionScore(
    "heldout_confidence",
    "probability of the label under a model that did not train on the example (3 folds; ridge: leave-one-out)",
    Need.CROSS_VALIDATION,
    "confidence",
)
