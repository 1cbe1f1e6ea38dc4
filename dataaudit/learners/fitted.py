"""Torch modules as their training left them."""

from __future__ import annotations

from contextlib import AbstractContextManager
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

    def forward(self, module: nn.Module, indices: IntArray, view: View | None = None) -> Tensor:
        """Logits float32 [b, C] of the rows `indices`."""

    def on(self, examples: Examples) -> Self:
        """The same, for the rows of another data set."""


class TorchFitted(Fitted):
    """A trained torch module in evaluation mode."""

    def __init__(self, module: nn.Module, learner: Runs) -> None:
        self.module = module
        self._learner = learner

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
        return self._learner.rounds

    def running(self) -> AbstractContextManager[object]:
        """Precision in which the model runs."""
        return self._learner.running()

    def on(self, examples: Examples) -> TorchFitted:
        """The same model, for the rows of another data set with inputs of the same shape."""
        return TorchFitted(self.module, self._learner.on(examples))

    @torch.inference_mode()
    def logits(self, indices: IntArray, view: View | None = None) -> Tensor:
        """Logits float32 [b, C] of the rows `indices`, seen as they are or as `view` shows them; on its device."""
        batches = np.array_split(indices, -(-len(indices) // self.rows))
        return torch.cat([self._learner.forward(self.module, batch, view) for batch in batches])
