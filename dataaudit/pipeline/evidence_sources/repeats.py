"""Several training runs on all examples taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dataaudit.common.probabilities import Averaged, ClassProbabilities, blocks
from dataaudit.common.types import IntArray
from dataaudit.dynamics.several import joined
from dataaudit.dynamics.summary import Dynamics
from dataaudit.errors import SettingError
from dataaudit.learners.base import Learner
from dataaudit.neighbours.labels import NeighbourLabels, VoteProbabilities


@dataclass(frozen=True)
class Shown:
    """Evidence that training runs show.

    Attributes
    ----------
    dynamics, evaluations
        Means over training passes, and over evaluation passes.
    neighbour_labels
        Labels of the nearest neighbours in a hidden layer.
    passes
        What they cost: 1 a training pass over the examples, a third an evaluation.
    looks
        Number of evaluations.
    """

    dynamics: Dynamics | None
    evaluations: Dynamics | None
    neighbour_labels: NeighbourLabels | None
    passes: float = 0.0
    looks: int = 0

    def same_as(self, other_run: Shown) -> bool:
        """True if training showed what another run's showed, to the bit."""
        pairs = (self.dynamics, other_run.dynamics), (self.evaluations, other_run.evaluations)
        both = [(one.mean_margin, other.mean_margin) for one, other in pairs if one is not None and other is not None]
        return bool(both) and all(np.array_equal(one, other, True) for one, other in both)

    def with_(self, others: Sequence[Shown], labels: IntArray) -> Shown:
        """This run and the others taken together; votes of single neighbours stay those of this one."""
        runs = [self, *others]
        dynamics = [run.dynamics for run in runs if run.dynamics is not None]
        evaluations = [run.evaluations for run in runs if run.evaluations is not None]
        near = self.neighbour_labels
        parts = [run.neighbour_labels.probabilities for run in runs if run.neighbour_labels is not None]
        if near is not None and len(parts) == len(runs):
            near = replace(near, probabilities=averaged(parts, labels))
        return Shown(
            joined(dynamics, labels) if dynamics else None,
            joined(evaluations, labels) if evaluations else None,
            near,
            sum(run.passes for run in runs),
        )


def averaged(parts: Sequence[ClassProbabilities | VoteProbabilities], labels: IntArray) -> ClassProbabilities:
    """Mean of several probabilities of the same n examples, whose labels are int64 [n]."""
    classes = parts[0].total
    mean, together = Averaged(tuple(parts), (1.0,) * len(parts)), ClassProbabilities.empty(len(labels), classes)
    for rows in blocks(len(labels), classes):
        together.put(rows, mean.dense(rows), labels[rows])
    return together


def check_repeats(repeats: int, learner: Learner | None, trains: bool) -> None:
    """Raise unless so many runs can be had.

    Parameters
    ----------
    repeats
        As in `dataaudit.score`.
    learner
        What trains.
    trains
        Whether the call records a training run of it.

    Raises
    ------
    SettingError
        If it is more than 1 and nothing trains by epochs or stages.
    """
    staged = learner is not None and learner.epochs > 0
    if repeats > 1 and not (staged and trains):
        what = "a call that records no training run" if staged else "a model that has no epochs"
        what = "nothing that is trained here" if learner is None else what
        raise SettingError(
            f"repeats={repeats} for {what}",
            "a torch module, a boosting model with staged predictions or a model with partial_fit, yet to be trained",
            "leave repeats=1",
        )
