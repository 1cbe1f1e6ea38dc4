"""Readers of one batch of a forward pass: hidden rows, factors of gradients, or sketches of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn

from dataaudit.common.types import AnyArray
from dataaudit.errors import ModelError
from dataaudit.representations.base import Features, GradientFactors
from dataaudit.representations.keep import Keep, Kept
from dataaudit.representations.modules import (
    SKETCH,
    Captured,
    check_examples_do_not_meet,
    check_named,
    check_one_row_an_example,
    check_trains,
    last_linear,
    linear_layers,
    watching,
)
from dataaudit.representations.sketch import Sketch
from dataaudit.representations.spaces import Space


@dataclass(frozen=True)
class Batch:
    """Inputs [b, ...], labels int64 [b], logits float32 [b, C] of one batch of `rows` in evaluation mode.

    `delta` is the gradient of softmax cross-entropy at the logits, float32 [b, C]; `captured` holds inputs and outputs
    of the layers that readers watch.
    """

    rows: slice
    inputs: Tensor
    labels: Tensor
    logits: Tensor
    delta: Tensor
    captured: Captured


class Reader(ABC):
    """Collects one representation batch by batch.

    Its module is in evaluation mode, `inputs` are those of one or two examples, on its device, to try it on; parts of
    the representation go to `keep`. A model without such a representation raises `ModelError`.
    """

    watched: list[str]
    """Layers whose inputs and outputs it reads."""
    differentiates = False
    """True if it differentiates by the outputs of watched layers."""
    exact = True
    """True if the model runs in its own precision for it: probabilities near 1 leave gradients few digits."""
    described: dict[str, Any]
    """Record of the representation, for an audit's settings."""

    kept: list[Kept]
    """Destinations of the parts that it reads."""

    @abstractmethod
    def __init__(self, module: nn.Module, inputs: Tensor, keep: Keep, space: Space, seed: int) -> None: ...

    @property
    def done(self) -> int:
        """Examples whose rows are kept already, from the first on."""
        return min(kept.done for kept in self.kept)

    @abstractmethod
    def read(self, batch: Batch) -> None:
        """Take what belongs to the batch's examples."""

    @abstractmethod
    def features(self) -> Features:
        """Everything read."""


class HiddenReader(Reader):
    """Input of a layer, flattened."""

    exact = False

    def __init__(self, module: nn.Module, inputs: Tensor, keep: Keep, space: Space, seed: int) -> None:
        if space.layer is not None:
            check_named(module, space.layer, inputs)
        self._layer = last_linear(module, inputs) if space.layer is None else space.layer
        self.watched = [self._layer]
        self.described = {"layer": self._layer}
        self.kept = [keep("rows")]

    def read(self, batch: Batch) -> None:
        """Rows of the layer's input."""
        _put(self.kept[0], batch, batch.captured.inputs[self._layer][0].flatten(1))

    def features(self) -> AnyArray:
        """float32 [n, d]."""
        hidden = self.kept[0].whole()
        self.described["features"] = hidden.shape[1]
        return hidden


class LastLayerReader(Reader):
    """Factors of the last linear layer's gradient."""

    def __init__(self, module: nn.Module, inputs: Tensor, keep: Keep, space: Space, seed: int) -> None:
        self._layer = last_linear(module, inputs)
        self._model = type(module).__name__
        with watching(module, [self._layer]) as captured, torch.no_grad():
            self._check(captured, module(inputs))
        _check_used_once(module, [self._layer], inputs)
        self._bias = _has_bias(module.get_submodule(self._layer))
        self.watched = [self._layer]
        self.described = {"layers": [self._layer]}
        self.kept = [keep("delta"), keep("inputs")]

    def read(self, batch: Batch) -> None:
        """Probabilities minus the label, and the layer's input."""
        self._check(batch.captured, batch.logits)
        _put(self.kept[0], batch, batch.delta)
        _put(self.kept[1], batch, batch.captured.inputs[self._layer][0])

    def features(self) -> list[GradientFactors]:
        """One layer's factors."""
        return [GradientFactors(self.kept[0].whole(), self.kept[1].whole(), self._bias)]

    def _check(self, captured: Captured, logits: Tensor) -> None:
        if not torch.equal(captured.outputs[self._layer][0].float(), logits.float()):
            raise ModelError(
                f"a {self._model} that changes what its last linear layer {self._layer!r} gives out",
                "logits that are a linear layer's output, for the gradient in factors",
                SKETCH,
            )


class LinearReader(Reader):
    """Factors of the gradients of every linear layer that trains, by one backward pass."""

    differentiates = True

    def __init__(self, module: nn.Module, inputs: Tensor, keep: Keep, space: Space, seed: int) -> None:
        check_trains(module)
        check_examples_do_not_meet(module)
        with watching(module, linear_layers(module), True) as captured, torch.enable_grad():
            logits = module(inputs)
        parts = {name: module.get_submodule(name) for name in dict.fromkeys(captured.order)}
        trains = [name for name, part in parts.items() if next(part.parameters()).requires_grad]
        outputs = [output for name in trains for output in captured.outputs[name]]
        differentiable = bool(outputs) and logits.requires_grad
        gradients = torch.autograd.grad(logits.sum(), outputs, allow_unused=True) if differentiable else ()
        # Layers that the logits do not depend on have no gradient.
        reached = {id(output) for output, gradient in zip(outputs, gradients, strict=False) if gradient is not None}
        self.watched = [name for name in trains if any(id(output) in reached for output in captured.outputs[name])]
        if not self.watched:
            raise ModelError(
                f"a {type(module).__name__} without a linear layer that trains and reaches the logits",
                "at least one",
                SKETCH,
            )
        for name in self.watched:
            check_one_row_an_example(name, captured, len(inputs))
        _check_used_once(module, self.watched, inputs)
        self._biases = [_has_bias(parts[name]) for name in self.watched]
        rest = sum(p.numel() for p in module.parameters() if p.requires_grad)
        covered = sum(p.numel() for name in self.watched for p in parts[name].parameters() if p.requires_grad)
        self.described = {"layers": self.watched, "share_of_parameters": covered / rest}
        self._deltas = [keep(f"delta{number}") for number in range(len(self.watched))]
        self._inputs = [keep(f"inputs{number}") for number in range(len(self.watched))]
        self.kept = [*self._deltas, *self._inputs]

    def read(self, batch: Batch) -> None:
        """Gradients at every layer's output, and its input."""
        outputs = [batch.captured.outputs[name][0] for name in self.watched]
        # Examples do not meet in evaluation mode: the gradient of the sum is each one's own.
        deltas = torch.autograd.grad(batch.logits, outputs, batch.delta, retain_graph=True)
        for number, (name, delta) in enumerate(zip(self.watched, deltas, strict=True)):
            _put(self._deltas[number], batch, delta)
            _put(self._inputs[number], batch, batch.captured.inputs[name][0])

    def features(self) -> list[GradientFactors]:
        """GradientFactors, one a layer."""
        kept = zip(self._deltas, self._inputs, self._biases, strict=True)
        return [GradientFactors(deltas.whole(), inputs.whole(), bias) for deltas, inputs, bias in kept]


class SketchReader(Reader):
    """Sketched gradients of all parameters, example by example under vmap."""

    def __init__(self, module: nn.Module, inputs: Tensor, keep: Keep, space: Space, seed: int) -> None:
        check_examples_do_not_meet(module)
        self._sketch = Sketch(module, space.loss, seed)
        self.watched = []
        self.described = self._sketch.described
        self.kept = [keep("rows")]
        # Models that vmap cannot run are refused before training.
        one = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
        with torch.no_grad():
            shape = module(inputs).shape
        self._sketch.rows(inputs, one, torch.zeros(shape, device=inputs.device))

    def read(self, batch: Batch) -> None:
        """Sketches of the batch."""
        _put(self.kept[0], batch, self._sketch.rows(batch.inputs, batch.labels, batch.delta))

    def features(self) -> AnyArray:
        """float32 [n, k]."""
        return self.kept[0].whole()


def _has_bias(part: nn.Module) -> bool:
    """True if a linear layer has a bias that trains, so that its gradient has an entry for it."""
    bias = getattr(part, "bias", None)
    return bias is not None and bias.requires_grad


def _check_used_once(module: nn.Module, layers: list[str], inputs: Tensor) -> None:
    """Raise a `ModelError` where a layer's weights count elsewhere too: its factors are then part of their gradient."""
    weights: list[Any] = [module.get_submodule(name).weight for name in layers]
    # What a parametrization computes anew is no one's but the layer's.
    plain = [isinstance(weight, nn.Parameter) for weight in weights]
    layers, weights = list(compress(layers, plain)), list(compress(weights, plain))
    if not layers:
        return
    with _unfrozen(weights), watching(module, layers, True) as captured, torch.enable_grad():
        logits = module(inputs)
        if not logits.requires_grad:
            return
        mixed = (logits * torch.linspace(1, 2, logits.numel()).reshape(logits.shape).to(logits)).sum()
        outputs = [captured.outputs[name][0] for name in layers]
        found = torch.autograd.grad(mixed, [*outputs, *weights], allow_unused=True)
    for name, delta, whole in zip(layers, found, found[len(layers) :], strict=False):
        if delta is None or whole is None:
            continue
        rounding = max(torch.finfo(part.dtype).eps for part in (delta, whole))
        # Not every device has float64.
        delta, whole, given = (part.detach().cpu().double() for part in (delta, whole, captured.inputs[name][0]))
        own = delta.T @ given
        if own.shape == whole.shape and (whole - own).norm() > (1e-3 if rounding < 1e-5 else 0.05) * whole.norm():
            raise ModelError(
                f"a layer {name!r} of a {type(module).__name__} whose weights are used otherwise than by it alone",
                "weights of its own, for the gradient in factors",
                SKETCH,
            )


@contextmanager
def _unfrozen(weights: list[Any]) -> Iterator[None]:
    """Weights that can be differentiated by, for a while."""
    frozen = [weight for weight in weights if not weight.requires_grad]
    try:
        for weight in frozen:
            weight.requires_grad_(True)
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)


def _put(kept: Kept, batch: Batch, values: Tensor) -> None:
    kept.put(batch.rows.start, values.detach().float().cpu().numpy())


def softmax_delta(logits: Tensor, labels: Tensor) -> Tensor:
    """Gradient of cross-entropy at the logits, float32 [b, C]: probabilities minus the one-hot label.

    The label's entry is minus the sum of the others, which keeps its digits where its probability is nearly 1.
    """
    # Apple's devices have no double precision.
    device = logits.device if logits.device.type != "mps" else torch.device("cpu")
    probabilities, given = logits.detach().to(device).double().softmax(1), labels.to(device)[:, None]
    probabilities.scatter_(1, given, 0.0)
    probabilities.scatter_(1, given, -probabilities.sum(1, keepdim=True))
    return probabilities.float().to(logits.device)
