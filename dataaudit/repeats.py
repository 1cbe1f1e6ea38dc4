"""Further training runs on all examples, each with a seed of its own: what they show joins what the first one shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.several import joined
from dataaudit.errors import SettingError
from dataaudit.evaluations import Evaluations, own_generator, show_all
from dataaudit.folds import fold_seed
from dataaudit.types import IntArray

if TYPE_CHECKING:
    from dataaudit.dynamics.summary import Dynamics
    from dataaudit.learners.base import Learner


@dataclass(frozen=True)
class Shown:
    """What training runs show: means over training passes, over evaluation passes, and the evaluation passes made."""

    dynamics: Dynamics | None
    evaluations: Dynamics | None
    looks: int = 0

    def with_(self, others: list[Shown], labels: IntArray) -> Shown:
        """This run and the others taken together."""
        runs = [self, *others]
        dynamics = [run.dynamics for run in runs if run.dynamics is not None]
        evaluations = [run.evaluations for run in runs if run.evaluations is not None]
        return Shown(
            joined(dynamics, labels) if dynamics else None,
            joined(evaluations, labels) if evaluations else None,
            sum(run.looks for run in runs),
        )


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
        what = "nothing that is trained here" if learner is None or staged else "a model that has no epochs"
        raise SettingError(
            f"repeats={repeats} for {what}",
            "a torch module, a boosting model with staged predictions or a model with partial_fit, yet to be trained",
            "leave repeats=1",
        )


def further(
    learner: Learner, labels: IntArray, classes: int, seed: int, repeats: int, evaluates: bool, progress: bool
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
    """
    rows = np.arange(len(labels), dtype=np.int64)
    for number in range(1, repeats):
        own = fold_seed(seed, number)
        recorder = Recorder(len(labels), classes, history_bytes=0)
        evaluating = None
        if evaluates:
            evaluating = Evaluations(labels, classes, learner.epochs, learner.evaluations, learner.views)
        fitted = learner.fit(rows, own, recorder, progress, None if evaluating is None else evaluating.watch)
        evaluations = None
        if evaluating is not None:
            with own_generator(own):
                show_all(fitted, labels, [evaluating.show], progress)
                evaluations = evaluating.finish(fitted)
        yield Shown(recorder.dynamics(), evaluations, 0 if evaluating is None else evaluating.passes)
