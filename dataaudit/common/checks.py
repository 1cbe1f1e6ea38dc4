"""Checks of settings: whole numbers, numbers within an interval, flags, choices."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeGuard

import numpy as np

from dataaudit.errors import DataError, SettingError, did_you_mean, nearest

Inclusive: TypeAlias = Literal["both", "neither", "left", "right"]
"""Ends of an interval that belong to it."""
COMPARED, ALIKE = 10000, 0.7
"""Names beside a path that does not exist that are compared with it, and how much alike one has to be, from 0 to 1."""


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
    """Raise `DataError` unless there is a file or folder at `path`; it names one beside it that is spelt alike."""
    if not path.exists():
        near = None
        # What may not be looked into is no help.
        with suppress(OSError):
            near = _beside(path)
        hint = "" if near is None else f"did you mean {str(near)!r}? "
        raise DataError(
            f"{path}, which does not exist", "a file or folder that is there", f"{hint}pass the path of one"
        )


def _beside(path: Path) -> Path | None:
    """What lies beside a path that does not exist, or beside the first folder of it that does not, and is spelt alike.

    Of a folder with very many files not all are compared.
    """
    missing = next((part for part in (*reversed(path.parents), path) if not part.exists()), path)
    folder = missing.parent
    if not folder.is_dir() or not os.access(folder, os.R_OK):
        return None
    names = (entry.name for entry in itertools.islice(folder.iterdir(), COMPARED))
    # A link that leads nowhere lies beside itself.
    near = nearest(missing.name, (name for name in names if name != missing.name), ALIKE)
    if near is None:
        return None
    whole = folder / near / path.relative_to(missing)
    return whole if whole.exists() else folder / near


def _setting(name: str, value: Any, owner: str) -> str:
    return f"{name}={value!r}" + (f" of {owner}" if owner else "")
