"""Layers of a torch model that a representation is read from, identified by running two rows through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dataaudit.errors import ModelError, did_you_mean


@dataclass
class Captured:
    """Inputs and outputs of watched modules in one forward pass, by module name; one entry a call."""

    inputs: dict[str, list[Tensor]] = field(default_factory=dict)
    outputs: dict[str, list[Tensor]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def clear(self) -> None:
        """Forget the last pass."""
        self.inputs.clear()
        self.outputs.clear()
        self.order.clear()


@contextmanager
def watching(module: nn.Module, names: list[str], differentiate: bool = False) -> Iterator[Captured]:
    """Capture inputs and outputs of the modules called `names`; gradients by outputs need `differentiate`."""
    captured = Captured()
    parts = dict(module.named_modules())
    handles = []

    def watch(name: str) -> None:
        def hook(_: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if not arguments or not isinstance(arguments[0], Tensor) or not isinstance(output, Tensor):
                raise ModelError(
                    f"layer {name!r}, which does not map one tensor to another",
                    "a layer that does",
                    "name another, as in Density('hidden', layer=...)",
                )
            if differentiate and not output.requires_grad:
                output.requires_grad_()
            captured.inputs.setdefault(name, []).append(arguments[0].detach().clone())
            captured.outputs.setdefault(name, []).append(output)
            captured.order.append(name)
            # The next layer may overwrite its input (ReLU often does), and must not change what was captured.
            return output.clone()

        handles.append(parts[name].register_forward_hook(hook))

    try:
        for name in names:
            watch(name)
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def linear_layers(module: nn.Module) -> list[str]:
    """Names of all linear layers, in the order of definition."""
    return [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]


SKETCH = "take the space 'gradient_sketch', such as scorers='density/gradient_sketch'"
"""Advice that holds for every module that can be differentiated example by example."""


def last_linear(module: nn.Module, inputs: Tensor) -> str:
    """Name of the linear layer that gives the logits, or else of the one that runs last; it takes one row an example.

    Raises `ModelError` if there is none.
    """
    with watching(module, linear_layers(module)) as captured, torch.no_grad():
        logits = module(inputs)
    if not captured.order:
        raise ModelError(
            f"a {type(module).__name__} without a linear layer",
            "one, whose input is the hidden representation",
            "name a layer whose input to take: Density('hidden', layer=...)",
        )
    gives = [name for name in captured.order if torch.equal(captured.outputs[name][-1], logits)]
    name = (gives or captured.order)[-1]
    check_one_row_an_example(name, captured, len(inputs))
    return name


def check_examples_do_not_meet(module: nn.Module) -> None:
    """Raise a `ModelError` where a gradient of one example would depend on the others of its batch."""
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None:
            raise ModelError(
                f"layer {name!r}, batch normalisation without running statistics",
                "examples that do not meet in evaluation mode, for a gradient of each",
                ["set track_running_stats=True", "take the space 'hidden', such as scorers='density/hidden'"],
            )


def check_trains(module: nn.Module) -> None:
    """Raise a `ModelError` if every parameter is frozen: the loss has a gradient by none."""
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ModelError(
            f"a {type(module).__name__} whose parameters are all frozen",
            "parameters to differentiate by",
            "unfreeze those that were trained (requires_grad_(True))",
        )


def check_named(module: nn.Module, name: str, inputs: Tensor) -> None:
    """Raise a `ModelError` unless a module called `name` runs once with one row an example."""
    names = [known for known, _ in module.named_modules() if known]
    if name not in names:
        raise ModelError(f"layer={name!r}", f"a module of the {type(module).__name__}", did_you_mean(name, names))
    with watching(module, [name]) as captured, torch.no_grad():
        module(inputs)
    if name not in captured.inputs:
        raise ModelError(f"layer={name!r}, which does not run", "a module that runs", did_you_mean("", names))
    check_one_row_an_example(name, captured, len(inputs), flatten=True)


def check_one_row_an_example(name: str, captured: Captured, count: int, flatten: bool = False) -> None:
    """Raise a `ModelError` unless layer `name` ran once, on [count, d] (or [count, ...] if it may be flattened)."""
    taken = captured.inputs[name]
    shape = tuple(taken[-1].shape)
    fits = shape[:1] == (count,) and (len(shape) == 2 or (flatten and len(shape) > 2))
    if len(taken) != 1 or not fits:
        times = f", {len(taken)} times" if len(taken) > 1 else ""
        raise ModelError(
            f"layer {name!r}, which runs on an input of shape {shape} for {count} examples{times}",
            "a layer that runs once, on one row an example",
            ["name another, as in Density('hidden', layer=...)", SKETCH],
        )
