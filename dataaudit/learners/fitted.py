"""Torch modules as their training left them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from dataaudit.common.types import IntArray
from dataaudit.data.examples import Examples
from dataaudit.learners.base import Fitted
from dataaudit.learners.recipes import View


class Runs(Protocol):
    """What reads rows and runs modules on them, as `dataaudit.learners.torch.TorchLearner`."""

    @property
    def rows(self) -> int:
        """Examples that run through a module at a time."""

    @property
    def rounds(self) -> bool:
        """Whether modules run in another precision than their own."""

    def running(self) -> AbstractContextManager[object]:
        """Precision in which modules run."""

    def inputs(self, indices: IntArray) -> Tensor:
        """Inputs of the rows `indices` on the device."""

    def run(self, module: nn.Module, inputs: Tensor) -> Tensor:
        """Logits float32 [b, C] of inputs."""

    def on(self, examples: Examples) -> Self:
        """The same, for the rows of another data set."""


class TorchFitted(Fitted):
    """A trained torch module in evaluation mode.

    It runs in the precision that the learner trained it in; one that is `as_passed`, in its own.
    """

    def __init__(self, module: nn.Module, learner: Runs, as_passed: bool = False) -> None:
        self.module = module
        self._learner, self._as_passed = learner, as_passed

    @property
    def rows(self) -> int:
        """Examples that run through the model at a time."""
        return self._learner.rows

    def inputs(self, indices: IntArray) -> Tensor:
        """Inputs of the rows `indices` on the model's device."""
        return self._learner.inputs(indices)

    @property
    def rounds(self) -> bool:
        """Whether the model runs in another precision than its own."""
        return self._learner.rounds and not self._as_passed

    def running(self) -> AbstractContextManager[object]:
        """Precision in which the model runs."""
        return self._learner.running() if self.rounds else nullcontext()

    def on(self, examples: Examples) -> TorchFitted:
        """The same model, for the rows of another data set with inputs of the same shape."""
        return TorchFitted(self.module, self._learner.on(examples), self._as_passed)

    @torch.inference_mode()
    def logits(self, indices: IntArray, view: View | None = None) -> Tensor:
        """Logits float32 [b, C] of the rows `indices`, seen as they are or as `view` shows them; on its device."""
        batches = np.array_split(indices, -(-len(indices) // self.rows))
        with self.running():
            return torch.cat([self._logits(batch, view) for batch in batches])

    def _logits(self, batch: IntArray, view: View | None) -> Tensor:
        logits = self._seen(batch, view)
        if len(batch) == 1 and (logits.ndim != 2 or len(logits) != 1):
            # A module that squeezes loses the axis of a single row, and not that of two.
            twice = self._seen(np.repeat(batch, 2), view)
            return twice[:1] if len(twice) == 2 else logits
        return logits

    def _seen(self, batch: IntArray, view: View | None) -> Tensor:
        inputs = self.inputs(batch)
        return self._learner.run(self.module, inputs if view is None else view(inputs))
