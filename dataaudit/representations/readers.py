"""What is read off one batch of a forward pass: hidden rows, factors of gradients, or sketches of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dataaudit.errors import ModelError
from dataaudit.representations.base import Factors, Represented
from dataaudit.representations.modules import (
    Captured,
    check_named,
    check_one_row_an_example,
    last_linear,
    linear_layers,
    watching,
)
from dataaudit.representations.sketch import Sketch
from dataaudit.types import AnyArray


@dataclass(frozen=True)
class Batch:
    """One batch of a forward pass in evaluation mode.

    Attributes
    ----------
    rows
        Where its examples belong.
    inputs, labels, logits
        [b, ...], int64 [b], float32 [b, C].
    delta
        Gradient of softmax cross-entropy at the logits, float32 [b, C].
    captured
        Inputs and outputs of the layers that readers watch.
    """

    rows: slice
    inputs: Tensor
    labels: Tensor
    logits: Tensor
    delta: Tensor
    captured: Captured


class Reader(ABC):
    """Collects one representation batch by batch."""

    watched: list[str]
    """Layers whose inputs and outputs it reads."""
    differentiates = False
    """Whether it differentiates by the outputs of watched layers."""
    described: dict[str, Any]
    """What an audit records of it."""

    @abstractmethod
    def read(self, batch: Batch) -> None:
        """Take what belongs to the batch's examples."""

    @abstractmethod
    def represented(self) -> Represented:
        """Everything read."""


class HiddenReader(Reader):
    """Input of a layer, flattened."""

    def __init__(self, module: nn.Module, inputs: Tensor, n: int, layer: str | None) -> None:
        if layer is None:
            layer = last_linear(module, inputs)
        else:
            check_named(module, layer, inputs)
        self._layer, self._n = layer, n
        self.watched = [layer]
        self.described = {"layer": layer}
        self._kept: AnyArray | None = None

    def read(self, batch: Batch) -> None:
        """Rows of the layer's input."""
        self._kept = _store(self._kept, self._n, batch.rows, batch.captured.inputs[self._layer][0].flatten(1))

    def represented(self) -> AnyArray:
        """float32 [n, d]."""
        assert self._kept is not None
        self.described["features"] = self._kept.shape[1]
        return self._kept


class LastLayerReader(Reader):
    """Factors of the last linear layer's gradient."""

    def __init__(self, module: nn.Module, inputs: Tensor, n: int) -> None:
        self._layer, self._n = last_linear(module, inputs), n
        part = module.get_submodule(self._layer)
        with watching(module, [self._layer]) as captured, torch.no_grad():
            logits = module(inputs)
        if not torch.equal(captured.outputs[self._layer][0], logits):
            raise ModelError(
                f"a {type(module).__name__} that changes what its last linear layer {self._layer!r} gives out",
                "logits that are a linear layer's output, for the gradient in factors",
                "ask for 'gradient_sketch'",
            )
        self._bias = getattr(part, "bias", None) is not None
        self.watched = [self._layer]
        self.described = {"layers": [self._layer]}
        self._delta: AnyArray | None = None
        self._inputs: AnyArray | None = None

    def read(self, batch: Batch) -> None:
        """Probabilities minus the label, and the layer's input."""
        self._delta = _store(self._delta, self._n, batch.rows, batch.delta)
        self._inputs = _store(self._inputs, self._n, batch.rows, batch.captured.inputs[self._layer][0])

    def represented(self) -> list[Factors]:
        """One layer's factors."""
        assert self._delta is not None
        assert self._inputs is not None
        return [Factors(self._delta, self._inputs, self._bias)]


class LinearReader(Reader):
    """Factors of the gradients of every linear layer that trains, by one backward pass."""

    differentiates = True

    def __init__(self, module: nn.Module, inputs: Tensor, n: int) -> None:
        with watching(module, linear_layers(module)) as captured, torch.no_grad():
            module(inputs)
        parts = {name: module.get_submodule(name) for name in captured.order}
        self.watched = [name for name, part in parts.items() if next(part.parameters()).requires_grad]
        if not self.watched:
            raise ModelError(
                f"a {type(module).__name__} without a linear layer that trains",
                "at least one",
                "ask for 'gradient_sketch'",
            )
        for name in self.watched:
            check_one_row_an_example(name, captured, len(inputs))
        self._biases = [getattr(parts[name], "bias", None) is not None for name in self.watched]
        self._n = n
        rest = sum(p.numel() for p in module.parameters() if p.requires_grad)
        covered = sum(p.numel() for name in self.watched for p in parts[name].parameters() if p.requires_grad)
        self.described = {"layers": self.watched, "share_of_parameters": covered / rest}
        self._deltas: list[AnyArray | None] = [None] * len(self.watched)
        self._inputs: list[AnyArray | None] = [None] * len(self.watched)

    def read(self, batch: Batch) -> None:
        """Gradients at every layer's output, and its input."""
        outputs = [batch.captured.outputs[name][0] for name in self.watched]
        # Examples do not meet in evaluation mode: the gradient of the sum is each one's own.
        deltas = torch.autograd.grad(batch.logits, outputs, batch.delta, retain_graph=True)
        for place, (name, delta) in enumerate(zip(self.watched, deltas, strict=True)):
            self._deltas[place] = _store(self._deltas[place], self._n, batch.rows, delta)
            self._inputs[place] = _store(self._inputs[place], self._n, batch.rows, batch.captured.inputs[name][0])

    def represented(self) -> list[Factors]:
        """Factors, one a layer."""
        kept = zip(self._deltas, self._inputs, self._biases, strict=True)
        return [Factors(d, i, bias) for d, i, bias in kept if d is not None and i is not None]


class SketchReader(Reader):
    """Sketched gradients of all parameters, example by example under vmap."""

    def __init__(self, module: nn.Module, inputs: Tensor, n: int, loss: Callable[..., Any] | None, seed: int) -> None:
        self._sketch = Sketch(module, loss, seed)
        self._n = n
        self.watched = []
        self.described = self._sketch.described
        self._kept: AnyArray | None = None
        # Models that vmap cannot run are refused before training.
        one = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
        with torch.no_grad():
            shape = module(inputs).shape
        self._sketch.rows(inputs, one, torch.zeros(shape, device=inputs.device))

    def read(self, batch: Batch) -> None:
        """Sketches of the batch."""
        self._kept = _store(self._kept, self._n, batch.rows, self._sketch.rows(batch.inputs, batch.labels, batch.delta))

    def represented(self) -> AnyArray:
        """float32 [n, k]."""
        assert self._kept is not None
        return self._kept


def _store(kept: AnyArray | None, n: int, rows: slice, values: Tensor) -> AnyArray:
    found = values.detach().float().cpu().numpy()
    if kept is None:
        kept = np.empty((n, found.shape[1]), np.float32)
    kept[rows] = found
    return kept


def softmax_delta(logits: Tensor, labels: Tensor) -> Tensor:
    """Gradient of cross-entropy at the logits, float32 [b, C]: probabilities minus the one-hot label.

    The label's entry is minus the sum of the others, which keeps its digits where its probability is nearly 1.
    """
    probabilities = logits.detach().double().softmax(1)
    probabilities.scatter_(1, labels[:, None], 0.0)
    probabilities.scatter_(1, labels[:, None], -probabilities.sum(1, keepdim=True))
    return probabilities.float()
