"""Scores from training dynamics (the paper's section 4.3 and the data-map, AUM and EL2N scores)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray
from dataaudit.dynamics.summary import Dynamics
from dataaudit.evidence.base import Need
from dataaudit.scores.base import PartScore, Scores


def dynamics_score(
    name: str,
    summary: str,
    read: Callable[[Dynamics], AnyArray],
    ties: Callable[[Dynamics], FloatArray] | None = None,
    of: Need = Need.DYNAMICS,
) -> PartScore:
    """Score that is one function of the training dynamics, or of evaluations; NaN where an example was never seen."""

    def scores(dynamics: Dynamics) -> Scores:
        values = np.where(dynamics.seen > 0, read(dynamics), np.nan).astype(np.float64)
        return Scores(values, None if ties is None else ties(dynamics))

    return PartScore(name, summary, of, scores)


learning_speed = dynamics_score(
    "learning_speed",
    "number of epochs classified correctly (cumulative binary training loss); ties by mean margin",
    lambda dynamics: dynamics.correct,
    lambda dynamics: dynamics.mean_margin,
)
mean_margin = dynamics_score(
    "mean_margin",
    "mean over epochs of the label's logit minus the largest other (area under the margin, AUM)",
    lambda dynamics: dynamics.mean_margin,
)
augmented_el2n = dynamics_score(
    "augmented_el2n",
    "minus the mean EL2N of evaluations after the last epochs, of examples as they are and mirrored",
    lambda evaluations: -evaluations.mean_el2n,
    of=Need.EVALUATIONS,
)
mean_confidence = dynamics_score(
    "mean_confidence",
    "mean over epochs of the label's probability (data maps)",
    lambda dynamics: dynamics.mean_confidence,
)
variability = dynamics_score(
    "variability",
    "minus the standard deviation over epochs of the label's probability (data maps): low where training wavers",
    # Swayamdipta et al. 2020: a wrong label that is never learned hardly varies either; mean_confidence tells the two.
    lambda dynamics: -dynamics.variability,
)
first_learned = dynamics_score(
    "first_learned",
    "minus the first epoch of a correct classification (of several runs, their sum); ties by mean margin",
    lambda dynamics: -dynamics.first_correct,
    lambda dynamics: dynamics.mean_margin,
)
forgetting = dynamics_score(
    "forgetting",
    "minus the number of times it was forgotten, never learned counting epochs + 1; ties by mean margin",
    # A label that was never learned is never forgotten either, and is the least regular of all.
    lambda dynamics: -np.where(dynamics.correct > 0, dynamics.forgetting, dynamics.epochs + 1),
    lambda dynamics: dynamics.mean_margin,
)
el2n = dynamics_score(
    "el2n",
    "minus the mean over epochs of the norm of (probabilities - one-hot label)",
    lambda dynamics: -dynamics.mean_el2n,
)
cumulative_loss = dynamics_score(
    "cumulative_loss",
    "minus the sum over epochs of the cross-entropy",
    lambda dynamics: -dynamics.cumulative_loss,
)
