"""Scores from one prediction an example: of the trained model, or of one that did not see the example."""

from __future__ import annotations

import numpy as np

from dataaudit.dynamics.summary import Predictions
from dataaudit.evidence.base import Need
from dataaudit.scores.base import PartScore, Scores


def _of_label(predictions: Predictions) -> Scores:
    """Probability of the label; those equal after rounding are ordered by the margin of the logits."""
    return Scores(np.asarray(predictions.confidence, np.float64), predictions.margin)


confidence = PartScore("confidence", "probability of the label at the end of training", Need.PREDICTIONS, _of_label)
max_confidence = PartScore(
    "max_confidence",
    "largest class probability at the end of training, whatever the label",
    Need.PREDICTIONS,
    lambda predictions: Scores(np.asarray(predictions.max_confidence, np.float64)),
)
heldout_confidence = PartScore(
    "heldout_confidence",
    "probability of the label under a model that did not train on the example (3 folds; ridge: leave-one-out)",
    Need.CROSS_VALIDATION,
    _of_label,
)
