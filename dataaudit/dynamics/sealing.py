"""Digest of a state that leaves the process, so that a damaged one is seen when it comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from dataaudit.common import folders
from dataaudit.common.types import AnyArray
from dataaudit.errors import DataError

WORDS = 512
"""Words of 8 bytes in a page."""


def digest_of_bytes(content: AnyArray) -> str:
    """Digest of bytes, uint8 [b]: BLAKE2b of their number and the sums of their pages of 4 KiB.

    At the pace of memory, where hashing every byte would take as long as writing them. A flipped bit, a page that is
    zero, another or in another's place change it; whoever forges a state can make any digest anyway.
    """
    words, rest = np.split(content, [len(content) // 8 * 8])
    whole = words.view(np.uint64)
    pages, last = np.split(whole, [len(whole) // WORDS * WORDS])
    sums = pages.reshape(-1, WORDS).sum(1, dtype=np.uint64)
    return folders.digest(sums.tobytes() + last.tobytes() + rest.tobytes() + len(content).to_bytes(8, "little"))


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
    return folders.digest(json.dumps(_summary(state), sort_keys=True).encode())


def _summary(value: Any) -> Any:
    """State as JSON values, a tensor as its type, shape and digest."""
    if isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type != "meta":
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        return [str(value.dtype), list(value.shape), digest_of_bytes(content)]
    if isinstance(value, Mapping):
        return {str(name): _summary(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_summary(one) for one in value]
    return f"{type(value).__name__} {value!r}"
