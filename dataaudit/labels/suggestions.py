"""Which class the model believes in, example by example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.evidence.base import Evidence
from dataaudit.labels.combine import likeliest


@dataclass(frozen=True)
class Suggestions:
    """Suggested classes.

    Attributes
    ----------
    classes
        int64 [n], -1 where nothing is known.
    margin
        Logit of the given label minus the largest other logit, float64 [n], negative where the model
        disagrees with the label; NaN where nothing is known.
    """

    classes: IntArray
    margin: FloatArray


def suggest(evidence: Evidence) -> Suggestions:
    """Likeliest class by all beliefs together; without any, the final prediction, which may have memorised the label.

    The margin is that of logits where a model was trained: their mean over epochs, or of a model that did not see the
    example.
    """
    predictions = evidence.heldout or evidence.predictions
    margin = predictions.margin if predictions is not None else np.full(len(evidence.labels), np.nan)
    if evidence.dynamics is not None:
        margin = evidence.dynamics.mean_margin
    if evidence.beliefs is not None:
        return Suggestions(np.where(evidence.beliefs.known, likeliest(evidence.beliefs.shares), -1), margin)
    if predictions is not None:
        return Suggestions(predictions.predicted, margin)
    n = len(evidence.labels)
    return Suggestions(np.full(n, -1, np.int64), np.full(n, np.nan))
