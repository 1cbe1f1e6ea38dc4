"""Outputs of a torch module as logits, and a check of them for a few rows before any training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dataaudit.errors import ModelError

SMALLEST = torch.finfo(torch.float64).eps
"""Probability below which a logit is cut off, that of `dataaudit.learners.base`."""


class OutputsError(ModelError):
    """Outputs of a module that takes the inputs are not logits of the classes."""


@dataclass(frozen=True)
class AsLogits:
    """Forward hook that makes one tensor [b, C] of a module's output.

    Logits are taken out of a dict or an object that names them, and from the first place of a tuple. A single number an
    example, of two classes, is the second's. What is none of these stays, for `check_outputs`.
    """

    classes: int
    one: bool = False
    """True if it gives a single number an example."""
    probabilities: bool = False
    """True if outputs are probabilities, whose logarithm is taken."""

    def __call__(self, module: nn.Module, arguments: Any, output: Any) -> Any:
        """Logits of an output."""
        values = named_logits(output)
        if not isinstance(values, Tensor):
            return output
        if self.probabilities:
            values = values if values.dtype == torch.float64 else values.float()
        if self.classes == 2 and _is_one(values):
            values = values.reshape(-1)
            pair = (1 - values, values) if self.probabilities else (-values / 2, values / 2)
            values = torch.stack(pair, 1)
        return values.clamp_min(SMALLEST).log() if self.probabilities else values

    @property
    def notes(self) -> list[str]:
        """Notes for a reader of the audit."""
        what = "probabilities of the second class" if self.one else "probabilities of the classes"
        taken = [f"the model's outputs are {what}: their logarithm is taken"] * self.probabilities
        return taken or ["the model's output is the logit of the second of two classes"] * self.one


def named_logits(output: Any) -> Any:
    """Logits of an output that names them, or has them first; any other output itself."""
    if isinstance(output, Mapping):
        return output.get("logits", output)
    named = getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    return output[0] if isinstance(output, (tuple, list)) and len(output) and isinstance(output[0], Tensor) else output


def watched(module: nn.Module, batches: Iterable[Tensor], classes: int) -> AsLogits:
    """Look at the outputs for some batches of a module in evaluation mode whose hook is not attached yet.

    They are probabilities if every row of every batch lies within 0 and 1 and sums to one; single numbers if they come
    out of a sigmoid. The module is a copy, whose parameters are unfrozen, for only what has a gradient tells a sigmoid.
    """
    for parameter in module.parameters():
        if not is_lazy(parameter) and parameter.is_floating_point():
            parameter.requires_grad_(True)
    one, probabilities = False, True
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        for inputs in batches:
            values = named_logits(module(inputs))
            one = classes == 2 and _is_one(values)
            probabilities = _sums_to_one(values) if not one else _from_sigmoid(values)
            if not probabilities:
                break
    return AsLogits(classes, one, probabilities)


def _is_one(values: Tensor) -> bool:
    return values.ndim < 2 or (values.ndim == 2 and values.shape[1] == 1)


def _sums_to_one(values: Tensor) -> bool:
    exact = values.is_floating_point() and torch.finfo(values.dtype).eps < 1e-5
    found, error = values.detach().float(), 1e-4 if exact else 2e-2
    return bool(((found >= 0) & (found <= 1)).all() and ((found.sum(1) - 1).abs() <= error).all())


def _from_sigmoid(values: Tensor) -> bool:
    """Tell whether a tensor is a sigmoid's result, but for its shape: any logits may lie within 0 and 1."""
    node: Any = values.grad_fn
    while node is not None and not node.name().startswith("Sigmoid"):
        moved = node.name().startswith(
            ("View", "Squeeze", "Unsqueeze", "Select", "Reshape", "Alias", "Slice", "ToCopy")
        )
        node = node.next_functions[0][0] if moved else None
    return node is not None


def check_kind(module: nn.Module, name: str) -> None:
    """Raise `ModelError` for a module with parts in TorchScript, whose inputs and outputs cannot be watched."""
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise ModelError(
            f"a {name} in TorchScript, whose layers cannot be watched",
            "a torch.nn.Module in Python",
            "pass the module as it was before torch.jit.script or torch.jit.trace",
        )


def check_gradient(logits: Tensor, name: str) -> None:
    """Raise `OutputsError` unless logits of a training step have a gradient."""
    if not logits.requires_grad:
        raise OutputsError(
            f"a {name} whose outputs have no gradient in training",
            "logits of a floating-point type, computed from the trainable parameters",
            "return them without argmax, rounding, detach() or torch.no_grad() on their way",
        )


def check_outputs(module: nn.Module, inputs: Tensor, name: str, classes: int) -> None:
    """Raise `ModelError` if a module fails on a batch, `OutputsError` unless it gives one logit for row and class."""
    try:
        with torch.inference_mode():
            outputs = module(inputs)
    except ModelError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ModelError(
            f"a {name} that fails on inputs {tuple(inputs.shape)} of {inputs.dtype}: {error}",
            "a model that takes a batch of the data set's inputs",
            "change the model's first layer, or reshape the inputs (transform=)",
        ) from error
    if not isinstance(outputs, Tensor):
        keys = f" with {', '.join(map(str, outputs))}" if isinstance(outputs, Mapping) else ""
        raise OutputsError(
            f"a {name} that returns {type(outputs).__name__}{keys}",
            "logits [batch, classes]: a tensor, first in a tuple, or called 'logits' in a dict",
            "wrap the model so that it returns its logits",
        )
    if outputs.shape != (len(inputs), classes):
        raise OutputsError(
            f"model outputs of shape {tuple(outputs.shape)} for {len(inputs)} rows",
            f"{(len(inputs), classes)}: one logit for each of the {classes} classes",
            f"give the last layer {classes} outputs (num_labels={classes} in transformers)",
        )
