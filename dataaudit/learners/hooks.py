"""Hooks by which a copy of a transformers model takes one tensor and returns its logits.

Its layers keep their names, and training, representations and holdout runs need to know nothing of dictionaries.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from dataaudit.errors import ModelError

HEAD = "AutoModelForSequenceClassification or AutoModelForImageClassification"


def take_packed(module: nn.Module, takes: Sequence[str]) -> None:
    """Have a model take one tensor [b, k, ...] for its k arguments `takes`."""
    module.register_forward_pre_hook(functools.partial(_unpacked, tuple(takes)), with_kwargs=True)


def give_logits(module: nn.Module) -> None:
    """Have a model return its logits only."""
    module.register_forward_hook(_logits)


def _unpacked(
    takes: tuple[str, ...], module: nn.Module, arguments: tuple[Tensor, ...], named: dict[str, Any]
) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    (packed,) = arguments
    return (), {**named, **{name: packed[:, position] for position, name in enumerate(takes)}}


def _logits(module: nn.Module, arguments: tuple[Tensor, ...], output: Any) -> Tensor:
    """The logits of a model's output."""
    logits = output[0] if isinstance(output, tuple) else getattr(output, "logits", None)
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        shape = "" if not isinstance(logits, Tensor) else f", but {tuple(logits.shape)}"
        raise ModelError(
            f"a {type(module).__name__} whose output has no logits [batch, classes]{shape}",
            "a model with a classification head",
            f"load it with {HEAD}",
        )
    return logits
