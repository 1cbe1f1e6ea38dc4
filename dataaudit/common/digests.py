"""Digests and headers of what is written, and differences of what is described."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray

WORDS = 512
"""Words of 8 bytes in a page."""


def digest(content: Any) -> str:
    """BLAKE2b digest of bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_of_bytes(content: AnyArray) -> str:
    """Digest of bytes, uint8 [b]: BLAKE2b of their number and the sums of their pages of 4 KiB.

    At the pace of memory, where hashing every byte would take as long as writing them. A flipped bit, a page that is
    zero, another or in another's place change it; whoever forges a state can make any digest anyway.
    """
    words, rest = np.split(content, [len(content) // 8 * 8])
    whole = words.view(np.uint64)
    pages, last = np.split(whole, [len(whole) // WORDS * WORDS])
    sums = pages.reshape(-1, WORDS).sum(1, dtype=np.uint64)
    return digest(sums.tobytes() + last.tobytes() + rest.tobytes() + len(content).to_bytes(8, "little"))


def difference(there: Any, here: Any) -> tuple[str, Any, Any] | None:
    """First entry, "outer.inner", in which two descriptions differ, and its values there and here; None if equal."""
    one, other = _flat(there), _flat(json.loads(json.dumps(here)))
    names = (name for name in sorted({*one, *other}) if one.get(name) != other.get(name))
    return next(((name, one.get(name), other.get(name)) for name in names), None)


def _flat(fields: Any, path: str = "") -> dict[str, Any]:
    """Nested fields as one level: {"recipe.epochs": 5}."""
    if not isinstance(fields, Mapping):
        return {path or "value": fields}
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        flat |= _flat(value, f"{path}.{name}" if path else str(name))
    return flat


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    """Header of an .npy file of a C-contiguous array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()
