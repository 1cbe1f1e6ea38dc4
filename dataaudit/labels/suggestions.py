"""Which class the model believes in, example by example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.evidence import Evidence
from dataaudit.types import FloatArray, IntArray


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
    """Class with the largest mean probability over epochs; without epochs, the held-out or final prediction.

    The order is that of trust: a mean over epochs has seen the example before the model learned it by heart,
    a held-out model never did, and a final prediction may have memorised the label.
    """
    if evidence.dynamics is not None:
        return Suggestions(evidence.dynamics.suggested, evidence.dynamics.mean_margin)
    for predictions in (evidence.heldout, evidence.predictions):
        if predictions is not None:
            return Suggestions(predictions.predicted, predictions.margin)
    n = len(evidence.labels)
    return Suggestions(np.full(n, -1, np.int64), np.full(n, np.nan))
