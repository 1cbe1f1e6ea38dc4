"""Training of a classifier epoch by epoch, and what it says of every row after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dataaudit.common.interrupts import deferred_interrupt
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import IntArray
from dataaudit.learners.base import Recording
from dataaudit.learners.boosting import Boosting
from dataaudit.learners.class_outputs import as_logits, outputs
from dataaudit.learners.recipes import Recipe
from dataaudit.learners.skorch import fit_net

ROWS = 4096
"""Rows that are predicted at a time."""

See = Callable[[int], None]
"""Called after an epoch with its number, from 1."""


@dataclass(frozen=True)
class Training:
    """One fit of a classifier.

    Attributes
    ----------
    classifier
        What is trained.
    inputs, targets
        Rows as it takes them, and their labels 0..k-1.
    indices
        Their positions in the data set.
    recorder
        Record of the epochs, if there is one.
    known, classes
        Classes behind the labels [k], and the number of all.
    """

    classifier: Any
    inputs: Any
    targets: IntArray
    indices: IntArray
    recorder: Recording | None
    known: IntArray
    classes: int

    def by_batches(self, recipe: Recipe, seed: int, progress: bool, see: See) -> None:
        """Train by ``partial_fit`` on shuffled batches, for the recipe's epochs; the labels are all classes'."""
        order, every = np.random.default_rng(seed), np.arange(self.classes)
        take, size = self._rows, recipe.batch_size
        with self._undone(), progress_bar("training", recipe.epochs, progress) as advance:
            for epoch in range(1, recipe.epochs + 1):
                shuffled = order.permutation(len(self.targets))
                for start in range(0, len(shuffled), size):
                    batch = shuffled[start : start + size]
                    self.classifier.partial_fit(take[batch], self.targets[batch], classes=every)
                self._record()
                see(epoch)
                advance(1)

    def by_epochs(self, epochs: int, progress: bool, see: See) -> None:
        """Train a net by its own ``fit``, which says when an epoch is over; it may stop before the last."""
        with self._undone(), deferred_interrupt() as check, progress_bar("training", epochs, progress) as advance:

            def after(epoch: int) -> None:
                with torch.random.fork_rng():
                    self._record()
                see(epoch)
                advance(1)
                check()

            fit_net(self.classifier, self.inputs, self.targets, after)
            # A net ends its training by an interruption, which it keeps to itself.
            check()

    def read_rounds(self, boosting: Boosting, epochs: int, progress: bool) -> None:
        """Record what a fitted model says after each round of boosting."""
        if self.recorder is None:
            return
        with progress_bar("reading rounds", epochs, progress) as advance:
            for values in boosting.stages(self.classifier, self.inputs):
                rows = self.known, self.classes, self.indices
                logits = as_logits(self.classifier, values, boosting.method, *rows)
                self.recorder.update(self.indices, logits, self.known[self.targets])
                self.recorder.end_epoch()
                advance(1)

    @property
    def _rows(self) -> Any:
        return self.inputs.iloc if hasattr(self.inputs, "iloc") else self.inputs

    def _record(self) -> None:
        if self.recorder is None:
            return
        for start in range(0, len(self.indices), ROWS):
            part = slice(start, start + ROWS)
            logits = outputs(self.classifier, self._rows[part], self.known, self.classes, self.indices[part])
            self.recorder.update(self.indices[part], logits, self.known[self.targets[part]])
        self.recorder.end_epoch()

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """Forget the epoch in which training is interrupted."""
        try:
            yield
        except KeyboardInterrupt:
            if self.recorder is not None:
                self.recorder.discard_epoch()
            raise
