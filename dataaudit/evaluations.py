"""Evaluation passes after the last epochs of a run: what the network says of examples as they are, and mirrored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.summary import Dynamics
from dataaudit.learners.base import Fitted
from dataaudit.progress import progress_bar
from dataaudit.types import IntArray

ROWS = 4096

Show = Callable[[IntArray, Any, IntArray], None]
"""Takes rows [b], their logits [b, C] and labels [b]."""


class Viewed(Protocol):
    """A trained model that can be asked about examples as a view shows them."""

    def logits(self, indices: IntArray, view: Any = None) -> Any:
        """Logits float [b, C]."""


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
    """One evaluation pass over all rows, block by block, for everybody who wants to see it."""
    rows = np.arange(len(labels), dtype=np.int64)
    with progress_bar(text, len(rows), progress) as advance:
        for start in range(0, len(rows), ROWS):
            block = rows[start : start + ROWS]
            logits = fitted.logits(block) if view is None else fitted.logits(block, view)
            for show in shows:
                show(block, logits, labels[block])
            advance(len(block))


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
    """

    def __init__(self, labels: IntArray, classes: int, epochs: int, evaluations: int, views: Iterable[Any]) -> None:
        self._labels, self._epochs, self._first = labels, epochs, epochs - evaluations + 1
        self._views = tuple(views)
        self._recorder = Recorder(len(labels), classes, history_bytes=0)
        self.passes = 0

    def watch(self, epoch: int, fitted: Fitted) -> None:
        """Look at the model after an epoch; after the last one `finish` does."""
        if self._first <= epoch < self._epochs:
            self._evaluate(fitted, self._views)

    def show(self, rows: IntArray, logits: Any, labels: IntArray) -> None:
        """Take a block of the last evaluation of the examples as they are, which others make too."""
        self._recorder.update(rows, logits, labels)

    def finish(self, fitted: Fitted) -> Dynamics | None:
        """Close the last evaluation of the examples as they are, make the others, and give what all passes show."""
        self._close()
        self._evaluate(fitted, tuple(view for view in self._views if view is not None))
        return self._recorder.dynamics()

    def _evaluate(self, fitted: Fitted, views: Sequence[Any]) -> None:
        for view in views:
            show_all(fitted, self._labels, [self._recorder.update], view=view)
            self._close()

    def _close(self) -> None:
        self._recorder.end_epoch()
        self.passes += 1
