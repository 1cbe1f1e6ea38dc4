"""Further training runs on all examples, each with a seed of its own: what they show joins what the first one shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dataaudit.common.probabilities import Averaged, ClassProbabilities, blocks
from dataaudit.common.types import IntArray
from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.several import joined
from dataaudit.errors import SettingError
from dataaudit.pipeline.cross_validation import fold_seed
from dataaudit.pipeline.evaluations import Evaluations, Show, own_generator, show_all, spent

if TYPE_CHECKING:
    from dataaudit.dynamics.summary import Dynamics
    from dataaudit.learners.base import Learner
    from dataaudit.neighbours.labels import NeighbourLabels
    from dataaudit.pipeline.spaces import SpaceCollector


@dataclass(frozen=True)
class Shown:
    """What training runs show.

    Attributes
    ----------
    dynamics, evaluations
        Means over training passes, and over evaluation passes.
    around
        Labels of the nearest neighbours in a hidden layer.
    passes
        What all but the first of them cost: 1 a training pass over the examples, a third an evaluation.
    """

    dynamics: Dynamics | None
    evaluations: Dynamics | None
    around: NeighbourLabels | None
    passes: float = 0.0

    def same_as(self, other_run: Shown) -> bool:
        """Whether training showed what another run's showed, to the bit."""
        one, other = self.dynamics, other_run.dynamics
        return one is not None and other is not None and np.array_equal(one.mean_margin, other.mean_margin, True)

    def with_(self, others: Sequence[Shown], labels: IntArray) -> Shown:
        """This run and the others taken together; votes of single neighbours stay those of this one."""
        runs = [self, *others]
        dynamics = [run.dynamics for run in runs if run.dynamics is not None]
        evaluations = [run.evaluations for run in runs if run.evaluations is not None]
        around = self.around
        shares = [run.around.shares for run in runs if run.around is not None]
        if around is not None and len(shares) == len(runs):
            around = replace(around, shares=averaged(shares, labels))
        return Shown(
            joined(dynamics, labels) if dynamics else None,
            joined(evaluations, labels) if evaluations else None,
            around,
            sum(run.passes for run in runs),
        )


def averaged(shares: Sequence[ClassProbabilities], labels: IntArray) -> ClassProbabilities:
    """Mean of several shares of the same n examples, whose labels are int64 [n]."""
    classes = shares[0].total
    mean, found = Averaged(tuple(shares), (1.0,) * len(shares)), ClassProbabilities.empty(len(labels), classes)
    for rows in blocks(len(labels), classes):
        found.put(rows, mean.dense(rows), labels[rows])
    return found


def check_repeats(repeats: int, learner: Learner | None, trains: bool) -> None:
    """Raise unless so many runs can be made.

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
        If it is no whole number of at least 1, or more than 1 and nothing trains by epochs or stages.
    """
    if isinstance(repeats, bool) or not isinstance(repeats, (int, np.integer)) or repeats < 1:
        raise SettingError(f"repeats={repeats!r}", "a whole number of at least 1", "pass repeats=3")
    staged = learner is not None and learner.epochs > 0
    if repeats > 1 and not (staged and trains):
        what = "a call that records no training run" if staged else "a model that has no epochs"
        what = "nothing that is trained here" if learner is None else what
        raise SettingError(
            f"repeats={repeats} for {what}",
            "a torch module, a boosting model with staged predictions or a model with partial_fit, yet to be trained",
            "leave repeats=1",
        )


def further(
    learner: Learner,
    labels: IntArray,
    classes: int,
    seed: int,
    repeats: int,
    evaluates: bool,
    progress: bool,
    crowds: Callable[[int], SpaceCollector],
) -> Iterator[Shown]:
    """Training runs 2 to `repeats`; no per-epoch matrices are kept of them.

    Parameters
    ----------
    learner
        What trains; every run starts from the weights that it starts from, or from a factory's fresh ones.
    labels
        Given labels, int64 [n].
    classes
        Number of classes C.
    seed
        Of the audit; each run's own is drawn from it.
    repeats
        Runs, the first one counted.
    evaluates
        Whether everything is evaluated after the last epochs, as after those of the first run.
    progress
        Whether to draw progress bars.
    crowds
        Makes, for the seed of a run, what looks for neighbours in its hidden layer, if any are wanted.
    """
    rows = np.arange(len(labels), dtype=np.int64)
    for number in range(1, repeats):
        own = fold_seed(seed, number)
        recorder, near = Recorder(len(labels), classes, history_bytes=0), crowds(own)
        evaluating = None
        if evaluates:
            evaluating = Evaluations(labels, classes, learner.epochs, learner.evaluations, learner.views)
        fitted = learner.fit(rows, own, recorder, progress, None if evaluating is None else evaluating.watch)
        shows: list[Show] = [] if evaluating is None else [evaluating.show]
        evaluations, looks = None, int(bool(near.of_model))
        with own_generator(own):
            if not near.take(fitted, None, shows) and shows:
                show_all(fitted, labels, shows, progress)
            if evaluating is not None:
                evaluations = evaluating.finish(fitted)
                looks = evaluating.passes
        yield Shown(recorder.dynamics(), evaluations, near.around, spent(learner.epochs, looks))
