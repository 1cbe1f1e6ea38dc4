"""Weights of a torch module: copied, initialised afresh, shuffled."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from dataaudit.data.kinds import is_a
from dataaudit.errors import ModelError

RESET = (
    "pass it as it was before that training",
    "pass a factory such as lambda: MyModel()",
    "pass recipe=Recipe(init='reset')",
)
"""Advice where a model was trained on the labels before."""


def uncompiled(module: nn.Module) -> nn.Module:
    """The module that ``torch.compile`` wrapped, whose parts can be watched; any other itself."""
    plain = getattr(module, "_orig_mod", module)
    assert isinstance(plain, nn.Module)
    return plain


def copied(module: nn.Module) -> nn.Module:
    """Deep copy of a module; `ModelError` if it holds results of a computation, or has parameters without values."""
    if any(parameter.is_meta for parameter in module.parameters()):
        raise ModelError(
            f"a {type(module).__name__} on the device 'meta', where parameters have no values",
            "a module with weights",
            "make it on the CPU, or pass a factory, for example lambda: MyModel()",
        )
    try:
        return copy.deepcopy(module)
    except RuntimeError as error:
        raise ModelError(
            f"a {type(module).__name__} that cannot be copied ({error})",
            "a module whose tensors are parameters and buffers",
            "pass a factory, for example lambda: MyModel()",
        ) from error
    except TypeError as error:
        raise ModelError(
            f"a {type(module).__name__} that cannot be copied ({error})",
            "a module without locks, open files and the like",
            "leave those out of the module",
        ) from error


def reset(module: nn.Module) -> None:
    """Initialise every layer afresh, in place, by its own ``reset_parameters``.

    Parameters are overwritten with NaN beforehand; one that no layer renews is a `ModelError`. Buffers are then kept:
    they are constants. A transformers model is built anew from its configuration.
    """
    if is_a(module, "transformers.modeling_utils", "PreTrainedModel"):
        _from_configuration(module)
        return
    before: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        for buffer in module.buffers():
            if buffer.is_floating_point() and not isinstance(buffer, nn.parameter.UninitializedBuffer):
                before.append((buffer, buffer.clone()))
                buffer.fill_(torch.nan)
        for parameter in module.parameters():
            if not isinstance(parameter, nn.parameter.UninitializedParameter):
                parameter.fill_(torch.nan)
        for part in module.modules():
            renew = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
            if callable(renew):
                renew()
        for buffer, value in before:
            if torch.isnan(buffer).any():
                buffer.copy_(value)
    for name, parameter in module.named_parameters():
        known = not isinstance(parameter, nn.parameter.UninitializedParameter)
        if known and parameter.is_floating_point() and torch.isnan(parameter).any():
            raise ModelError(
                f"a {type(module).__name__} whose {name!r} no layer's reset_parameters() renews",
                "layers that can be initialised afresh",
                "pass a factory, for example lambda: MyModel(), instead of a module",
            )


def _from_configuration(module: Any) -> None:
    fresh = type(module)(copy.deepcopy(module.config))
    try:
        module.load_state_dict(fresh.state_dict())
    except RuntimeError as error:
        raise ModelError(
            f"a {type(module).__name__} that its configuration does not describe ({error})",
            "layers that can be initialised afresh",
            "pass a factory, for example lambda: MyModel(), instead of a module",
        ) from error


def shuffle_weights(module: nn.Module, seed: int) -> nn.Module:
    """Permute every parameter's entries within its tensor, in place: same scale, nothing learned."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            flat = parameter.reshape(-1)
            order = torch.randperm(flat.numel(), generator=generator).to(flat.device)
            parameter.copy_(flat[order].reshape(parameter.shape))
    return module
