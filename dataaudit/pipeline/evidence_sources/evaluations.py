"""Evaluation passes after the last epochs of a run, of examples as they are and mirrored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from dataaudit.common.interrupts import unbroken
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import IntArray
from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.summary import Dynamics
from dataaudit.learners.base import Fitted
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION

ROWS = 4096

LOOK = 1 / 3
"""Passes over the examples that an evaluation costs: a training pass goes back through the network as well."""

Show = Callable[[IntArray, Any, IntArray], None]
"""Takes rows [b], their logits [b, C] and labels [b]."""


@contextmanager
def own_generator(seed: int) -> Iterator[None]:
    """Seed what a model draws at random while it is evaluated, and leave the caller's generator as it is."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def show_all(
    fitted: Any,
    labels: IntArray,
    shows: Sequence[Show],
    progress: bool = False,
    view: Any = None,
    text: str = "predicting",
) -> None:
    """One evaluation pass over all rows, block by block, shown to all of `shows`."""
    rows = np.arange(len(labels), dtype=np.int64)
    with progress_bar(text, len(rows), progress) as advance:
        for start in range(0, len(rows), ROWS):
            block = rows[start : start + ROWS]
            logits = fitted.logits(block) if view is None else fitted.logits(block, view)
            for show in shows:
                show(block, logits, labels[block])
            advance(len(block))


def spent(epochs: int, looks: int) -> float:
    """Passes over the examples that training and complete evaluations of all of them cost."""
    return epochs + looks * LOOK


class Evaluations:
    """Records evaluation passes after the last epochs of a run; each view of each epoch counts as one pass.

    Parameters
    ----------
    labels
        Given labels, int64 [n].
    classes
        Number of classes C.
    epochs
        Epochs of the run.
    evaluations
        After how many of them, the last ones, everything is evaluated.
    views
        How examples look, see `dataaudit.Recipe.views`.
    task
        What a label is.
    """

    def __init__(
        self,
        labels: IntArray,
        classes: int,
        epochs: int,
        evaluations: int,
        views: Iterable[Any],
        task: Task = CLASSIFICATION,
    ) -> None:
        self._labels, self._last, self._first = labels, epochs, epochs - evaluations + 1
        self._views = tuple(views)
        self._recorder = Recorder(len(labels), classes, task=task, history_bytes=0)
        self._shown = 0
        self.epochs = 0
        """Epochs of the run that were complete when it was last looked at."""

    @property
    def passes(self) -> int:
        """Complete evaluations so far."""
        return self._recorder.epochs

    def watch(self, epoch: int, fitted: Fitted) -> None:
        """Look at the model after an epoch; after the last one `finish` does."""
        self.epochs = epoch
        if self._first <= epoch < self._last:
            self._evaluate(fitted, self._views)

    def show(self, rows: IntArray, logits: Any, labels: IntArray) -> None:
        """Take a block of an evaluation, which is complete once all rows were shown."""
        with unbroken():
            self._recorder.update(rows, logits, labels)
            self._shown += len(rows)
            if self._shown == len(self._labels):
                self._recorder.end_epoch()
                self._shown = 0

    def finish(self, fitted: Fitted) -> None:
        """Make the last evaluations but that of examples as they are."""
        self._evaluate(fitted, tuple(view for view in self._views if view is not None))

    def complete(self) -> Dynamics | None:
        """Means over the complete passes; None without any. An open one is forgotten."""
        self._recorder.discard_epoch()
        self._shown = 0
        return self._recorder.dynamics()

    def _evaluate(self, fitted: Fitted, views: Sequence[Any]) -> None:
        for view in views:
            show_all(fitted, self._labels, [self.show], view=view)
