"""Precision that a network runs in: by hardware, size and outputs, never by a clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized
from torch.nn.utils.rnn import PackedSequence

from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.devices import cuda_devices
from dataaudit.learners.weights import copied, uncompiled

WORTHWHILE = 10**6
"""Multiply-adds an example below which a CPU trains no faster in bfloat16: by benchmarks/speed/precisions.py."""

NARROWEST = 32
"""Numbers a row of the last hidden layer, below which rounding makes too many rows alike."""

NO_PRODUCTS = (nn.Embedding, nn.EmbeddingBag, ParametrizationList)
CONVOLUTIONS = nn.modules.conv._ConvNd


@dataclass(frozen=True)
class Precision:
    """Precision of training and evaluation."""

    name: str
    """float32 or bfloat16."""
    reason: str
    """A sentence for the audit's settings."""
    last: str | None = None
    """Linear layer that runs last, whose outputs are not rounded in evaluation."""

    @property
    def rounds(self) -> bool:
        """Whether a network runs in bfloat16."""
        return self.name == "bfloat16"


def native_bfloat16(device: torch.device) -> bool:
    """Tell whether the hardware multiplies bfloat16 natively; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def resolve_precision(precision: str, device: torch.device) -> Precision:
    """Precision by the hardware, for a network that is not known yet; see `for_network`.

    "auto" looks at the hardware and never at a clock, so that a seed means the same run every time.
    """
    if precision == "auto":
        if native_bfloat16(device):
            return Precision("bfloat16", f"precision auto: bfloat16, which this {device.type} multiplies natively")
        return Precision("float32", f"precision auto: float32, for this {device.type} has no native bfloat16")
    if precision == "bfloat16" and device.type == "mps":
        raise SettingError(
            "precision='bfloat16' on an mps device", "cpu or cuda for bfloat16", "pass precision='float32'"
        )
    return Precision(precision, f"precision {precision}: as asked")


def for_network(
    precision: str, device: torch.device, module: nn.Module, inputs: Tensor, probabilities: bool, sized: bool = True
) -> Precision:
    """Precision by hardware, size and outputs of a network in evaluation mode that takes `inputs` [b, ...].

    "auto" leaves in float32: networks that are too small to gain on a CPU, unless they are not `sized` by these inputs;
    those whose last linear layer takes few numbers, and those that have none, whose outputs would be rounded; those
    that give `probabilities`, of which the ones near 1 would be rounded to it; and those that fail in bfloat16.

    Raises
    ------
    ModelError
        If bfloat16 is asked for, and the network fails in it.
    """
    chosen = resolve_precision(precision, device)
    if not chosen.rounds:
        return chosen
    last, why = last_linear(module, inputs), None
    if precision == "auto":
        why = _no_gain(device, module, inputs, sized) or _coarse(module, last, probabilities)
    rounded = replace(chosen, last=last)
    failure = None if why is not None else _failure(module, inputs, device, rounded)
    if failure is not None and precision != "auto":
        raise ModelError(
            f"a {type(module).__name__} that fails in bfloat16: {failure}",
            "one that runs under torch.autocast, in training and evaluation",
            ["pass a recipe with precision='auto'", "pass a recipe with precision='float32'"],
        )
    if failure is not None:
        why = "the model fails in bfloat16"
    if why is not None:
        return Precision("float32", f"precision auto: float32, for {why}")
    return rounded


def _no_gain(device: torch.device, module: nn.Module, inputs: Tensor, sized: bool) -> str | None:
    """Why a network would not train faster, if so."""
    small = device.type == "cpu" and sized and multiply_adds(module, inputs) < WORTHWHILE
    return "the network is too small to gain by bfloat16" if small else None


def _coarse(module: nn.Module, last: str | None, probabilities: bool) -> str | None:
    """Why rounding would make examples alike, if so."""
    if probabilities:
        return "the model's outputs are probabilities"
    if last is None or _width(module, last) < NARROWEST:
        return f"no linear layer of {NARROWEST} inputs or more gives the logits"
    return None


def keep_last(module: nn.Module, precision: Precision) -> nn.Module:
    """The module, whose last linear layer gives its own precision in evaluation."""
    if precision.rounds and precision.last is not None:
        uncompiled(module).get_submodule(precision.last).register_forward_hook(_in_own_precision)
    return module


def multiply_adds(module: nn.Module, inputs: Tensor) -> int:
    """Multiply-adds an example by weights, in a pass over `inputs` [b, ...]; nearly, of unusual layers.

    Products of activations with one another are not counted. The module is left as it is, its mode included.
    """
    total = 0

    def look(part: nn.Module, arguments: Any, output: Any) -> None:
        nonlocal total
        output = output[0] if isinstance(output, tuple) and not isinstance(output, PackedSequence) else output
        output = output.data if isinstance(output, PackedSequence) else output
        if isinstance(output, Tensor) and output.ndim > 1:
            features = output.shape[1 if isinstance(part, CONVOLUTIONS) else -1]
            total += sum(weight.numel() for weight in _weights(part)) * output.numel() // max(1, features)

    _watched(module, inputs, look)
    return total // max(1, len(inputs))


def last_linear(module: nn.Module, inputs: Tensor) -> str | None:
    """Name of the linear layer that runs last, in a pass over `inputs`."""
    order: list[nn.Module] = []
    _watched(module, inputs, lambda part, arguments, output: order.append(part))
    names = {part: name for name, part in uncompiled(module).named_modules() if isinstance(part, nn.Linear)}
    return next((names[part] for part in reversed(order) if part in names), None)


def _width(module: nn.Module, last: str) -> int:
    """Numbers that a linear layer takes."""
    part = uncompiled(module).get_submodule(last)
    assert isinstance(part, nn.Linear)
    return part.in_features


def _weights(part: nn.Module) -> list[Tensor]:
    if isinstance(part, nn.MultiheadAttention):
        # Its last projection is not called as a module.
        return [weight for weight in part.parameters() if weight.ndim > 1]
    if is_parametrized(part):
        return [getattr(part, name) for name in cast("nn.ModuleDict", part.parametrizations)]
    return [weight for weight in part.parameters(recurse=False) if weight.ndim > 1]


def _watched(module: nn.Module, inputs: Tensor, look: Any) -> None:
    """Run a module with a hook at all its parts that multiply."""
    plain = uncompiled(module)
    hooks = [part.register_forward_hook(look) for part in plain.modules() if not isinstance(part, NO_PRODUCTS)]
    try:
        # Without gradients some layers take another path, past their own parts.
        with torch.random.fork_rng(devices=cuda_devices(inputs.device)), torch.enable_grad():
            plain(inputs)
    finally:
        for hook in hooks:
            hook.remove()


def _failure(module: nn.Module, inputs: Tensor, device: torch.device, rounded: Precision) -> str | None:
    """What a copy of the module raises in this precision, evaluated or trained."""
    tried = keep_last(copied(uncompiled(module)), rounded)
    try:
        with torch.random.fork_rng(devices=cuda_devices(device)), torch.autocast(device.type, torch.bfloat16):
            with torch.inference_mode():
                tried(inputs)
            if len(inputs) > 1:
                with torch.enable_grad():
                    total = tried.train()(inputs).float().sum()
                # What comes trained may be frozen.
                if total.requires_grad:
                    total.backward()
    except Exception as error:  # A caller's model raises whatever it likes.
        return f"{type(error).__name__}: {error}"
    return None


def _in_own_precision(part: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
    """Outputs of a linear layer, computed anew without rounding where they were rounded in evaluation."""
    if part.training or not arguments or output.dtype != torch.bfloat16:
        return output
    with torch.autocast(output.device.type, enabled=False):
        return part.forward(arguments[0].to(next(part.parameters()).dtype))
