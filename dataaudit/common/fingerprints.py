"""Digests of settings: equal for equal ones in any process, different for different ones."""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from dataaudit.errors import SettingError


def fingerprint_of(value: Any) -> str:
    """Digest of a value, 32 hexadecimal digits.

    Numbers, texts, containers, arrays and tensors count by their content; classes by their name; functions by their
    name, code, defaults and what they enclose; other objects by their class and attributes. One with neither attributes
    nor a description without its address in memory raises a `SettingError`.

    >>> fingerprint_of({"a": 1}) == fingerprint_of({"a": 1}), fingerprint_of([1]) == fingerprint_of([2])
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    _take(value, digest, ())
    return digest.hexdigest()


def _take(value: Any, digest: Any, above: tuple[int, ...]) -> None:
    if id(value) in above:
        digest.update(b"itself")
        return
    above = (*above, id(value))

    def each(kind: str, *parts: Any) -> None:
        digest.update(f"{kind}{len(parts)}".encode())
        for part in parts:
            _take(part, digest, above)

    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu().numpy()
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    elif isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"array{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data)
    elif isinstance(value, Mapping):
        each("mapping", *(part for pair in value.items() for part in pair))
    elif isinstance(value, (set, frozenset)):
        each("set", *sorted(map(fingerprint_of, value)))
    elif isinstance(value, (list, tuple, np.ndarray)):
        each("list", *value)
    elif isinstance(value, type):
        digest.update(f"class {value.__module__}.{value.__qualname__};".encode())
    elif isinstance(value, functools.partial):
        each("partial", value.func, value.args, value.keywords)
    elif isinstance(value, types.MethodType):
        each("method", value.__func__, value.__self__)
    elif isinstance(value, types.FunctionType):
        cells = tuple(cell.cell_contents for cell in value.__closure__ or ())
        each("function", value.__module__, value.__qualname__, value.__code__, value.__defaults__, cells)
    elif isinstance(value, types.CodeType):
        each("code", value.co_code, value.co_consts, value.co_names)
    elif isinstance(value, types.BuiltinFunctionType) or type(value).__name__ == "ufunc":
        digest.update(f"builtin {getattr(value, '__module__', '')}.{value.__name__};".encode())
    elif hasattr(value, "__dict__"):
        each("object", type(value), vars(value))
    else:
        description = repr(value)
        if " at 0x" in description:
            raise SettingError(
                f"a {type(value).__name__} among the settings, {description}",
                "settings that a later call can recognise",
                "pass a function or an object with attributes, or leave store= out",
            )
        each("other", type(value), description)
