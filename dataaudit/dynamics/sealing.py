"""Digest of a state that leaves the process, so that a damaged one is seen when it comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from dataaudit.common import digests
from dataaudit.errors import DataError

DEEPEST = 8
"""Levels of lists and dictionaries in a state."""


def sealed(state: Mapping[str, Any]) -> dict[str, Any]:
    """State of tensors, numbers, strings, lists and dictionaries with its digest."""
    return {**state, "digest": _digest(state)}


def unsealed(state: Any) -> dict[str, Any]:
    """Content of what `sealed` gave; raises `DataError` if it is not what was given."""
    if not isinstance(state, Mapping) or not isinstance(state.get("digest"), str):
        raise DataError(
            f"a state that is a {type(state).__name__} without a digest", "what state_dict() gave", "load that, whole"
        )
    content = {name: value for name, value in state.items() if name != "digest"}
    known, digest = state["digest"], _digest(content)
    if digest != known:
        raise DataError(
            f"a state of digest {digest}", f"digest {known}, as it was saved", "load another one: this is damaged"
        )
    return content


def _digest(state: Mapping[str, Any]) -> str:
    return digests.digest(json.dumps(_summary(state), sort_keys=True).encode())


def is_plain(value: Any) -> bool:
    """Tell whether a value is a tensor as states have them: numbers of its own, all of which are there."""
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.device.type == "meta":
        return False
    odd = value.requires_grad or value.is_conj() or value.is_neg() or value.is_quantized
    return not odd and value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _summary(value: Any, level: int = 0) -> Any:
    """State as JSON values, a tensor as its type, shape and digest; raises `DataError` for what no state holds."""
    if is_plain(value):
        flat = value.cpu().contiguous().reshape(-1)
        # Of no value or one, any stride passes for contiguous.
        content = flat.as_strided(flat.shape, (1,), flat.storage_offset()).view(torch.uint8).numpy()
        return [str(value.dtype), list(value.shape), digests.digest_of_bytes(content)]
    if level < DEEPEST and isinstance(value, Mapping):
        return {str(name): _summary(one, level + 1) for name, one in value.items()}
    if level < DEEPEST and isinstance(value, (list, tuple)):
        return [_summary(one, level + 1) for one in value]
    if (type(value) is int and value.bit_length() < 64) or value is None or type(value) in (bool, float, str):
        return f"{type(value).__name__} {value!r}"
    raise DataError(
        f"a state with a {type(value).__name__} that no recorder puts there",
        "plain tensors, numbers, strings, and lists and dictionaries of them",
        "load what state_dict() gave, whole",
    )
