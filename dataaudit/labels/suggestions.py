"""Suggested classes, example by example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.evidence.base import Evidence
from dataaudit.labels.combine import likeliest


@dataclass(frozen=True)
class Suggestions:
    """Suggested classes, int64 [n], -1 where nothing is known, and margins of the given labels, float64 [n].

    A margin is the logit of the given label minus the largest other one; NaN where nothing is known.
    """

    classes: IntArray
    margin: FloatArray


def suggest(evidence: Evidence) -> Suggestions:
    """Likeliest class by all sources together; without any, the final prediction, which may have memorised the label.

    The margin is that of logits where a model was trained: their mean over epochs, or of a model that did not see the
    example.
    """
    n, combined = len(evidence.labels), evidence.combined
    classes, margin = np.full(n, -1, np.int64), np.full(n, np.nan)
    predictions = evidence.heldout or evidence.predictions
    if predictions is not None:
        classes, margin = predictions.predicted, predictions.margin
    if combined is not None:
        classes = np.where(combined.known, likeliest(combined.probabilities), -1)
    if evidence.dynamics is not None and (combined is not None or predictions is not None):
        margin = evidence.dynamics.mean_margin
    return Suggestions(classes, margin)
