"""Checks of settings: whole numbers, numbers within an interval, flags, choices."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeGuard

import numpy as np

from dataaudit.errors import DataError, SettingError, did_you_mean

Inclusive: TypeAlias = Literal["both", "neither", "left", "right"]
"""Ends of an interval that belong to it."""


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whole numbers, of Python or NumPy, from all else; truth values are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Tell real numbers, of Python or NumPy, from all else; truth values are none."""
    return is_whole(value) or isinstance(value, (float, np.floating))


def whole(
    name: str, value: Any, least: int, action: str, *, most: int | None = None, expected: str = "", owner: str = ""
) -> int:
    """Return `value` as an int, or raise `SettingError` unless it is a whole number from `least` to `most`.

    >>> whole("k", np.int64(3), 1, "pass k=1")
    3
    """
    if not is_whole(value) or value < least or (most is not None and value > most):
        raise SettingError(_setting(name, value, owner), expected or f"a whole number of at least {least}", action)
    return int(value)


def number(
    name: str, value: Any, low: float, high: float, inclusive: Inclusive, expected: str, action: str, *, owner: str = ""
) -> float:
    """Return `value` as a number of Python's, or raise `SettingError` unless it lies in a finite interval.

    >>> number("recall", np.float64(1), 0, 1, "right", "a share above 0, at most 1", "pass recall=0.96")
    1.0
    """
    ends = {"both": (low, high), "left": (low,), "right": (high,), "neither": ()}[inclusive]
    if not is_number(value) or not math.isfinite(value) or not (low < value < high or value in ends):
        raise SettingError(_setting(name, value, owner), expected, action)
    return value.item() if isinstance(value, np.generic) else value


def flag(name: str, value: Any, action: str) -> bool:
    """Return `value`, or raise `SettingError` unless it is True or False."""
    if not isinstance(value, bool):
        raise SettingError(f"{name}={value!r}", "True or False", action)
    return value


def choice(setting: str, value: Any, choices: Collection[str], expected: str) -> None:
    """Raise `SettingError`, with the choice that is spelt most alike, unless `value` is one; `setting` words it."""
    if not isinstance(value, str) or value not in choices:
        raise SettingError(setting, expected, did_you_mean(value, choices))


def exists(path: Path) -> None:
    """Raise `DataError` unless there is a file or folder at `path`."""
    if not path.exists():
        raise DataError(f"{path}, which does not exist", "a file or folder that is there", "pass the path of one")


def _setting(name: str, value: Any, owner: str) -> str:
    return f"{name}={value!r}" + (f" of {owner}" if owner else "")
