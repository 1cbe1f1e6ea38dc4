"""Precision that a network runs in: by hardware, size and outputs, never by a clock."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dataaudit.errors import SettingError

Choice = tuple[str, str]
"""Precision, and a sentence on why."""

WORTHWHILE = 10**6
"""Multiply-adds an example from which a CPU trains faster in bfloat16: by benchmarks/speed/precisions.py."""

COUNTED = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase)


def native_bfloat16(device: torch.device) -> bool:
    """Tell whether the hardware multiplies bfloat16 natively; emulated, it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def resolve_precision(precision: str, device: torch.device) -> Choice:
    """Precision by the hardware, for a network of unknown size; see `for_network`.

    "auto" looks at the hardware and never at a clock, so that a seed means the same run every time.
    """
    if precision == "auto":
        if native_bfloat16(device):
            return "bfloat16", f"precision auto: bfloat16, which this {device.type} multiplies natively"
        return "float32", f"precision auto: float32, for this {device.type} has no native bfloat16"
    if precision == "bfloat16" and device.type == "mps":
        raise SettingError(
            "precision='bfloat16' on an mps device", "cpu or cuda for bfloat16", "pass precision='float32'"
        )
    return precision, f"precision {precision}: as asked"


def for_network(precision: str, device: torch.device, module: nn.Module, inputs: Tensor, probabilities: bool) -> Choice:
    """Precision by hardware, size and outputs of a network that takes `inputs` [b, ...].

    "auto" leaves networks in float32 that are too small to gain on a CPU, and those that give `probabilities`, of which
    those near 1 would be rounded to it.
    """
    chosen = resolve_precision(precision, device)
    if precision != "auto" or chosen[0] != "bfloat16":
        return chosen
    if probabilities:
        return "float32", "precision auto: float32, for the model's outputs are probabilities"
    if device.type == "cpu" and multiply_adds(module, inputs) < WORTHWHILE:
        return "float32", "precision auto: float32, for the network is too small to gain by bfloat16"
    return chosen


def multiply_adds(module: nn.Module, inputs: Tensor) -> int:
    """Multiply-adds an example of linear, convolution and recurrent layers, in a pass over `inputs` [b, ...].

    The module is left as it is, its mode included; products of activations with one another are not counted.
    """
    total = 0

    def look(part: nn.Module, arguments: Any, output: Any) -> None:
        nonlocal total
        output = output[0] if isinstance(output, tuple) and output else output
        if isinstance(output, Tensor):
            weights = [own for own in part.parameters(recurse=False) if own.ndim >= 2]
            features = output.shape[-1] if isinstance(part, (nn.RNNBase, nn.Linear)) else output.shape[1]
            total += sum(own.numel() for own in weights) * output.numel() // max(1, features * len(inputs))

    hooks = [part.register_forward_hook(look) for part in module.modules() if isinstance(part, COUNTED)]
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            module(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total
