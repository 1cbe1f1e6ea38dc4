"""Errors in three parts: what arrived, what was expected, what to do.

Every error that a user can cause is one of these, so that a test (and a reader) can look at each part alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class DataAuditError(Exception):
    """Base of every error this library raises on purpose.

    Parameters
    ----------
    arrived
        What was found, with the offending value.
    expected
        What would have been right.
    action
        What the caller can do about it.

    Examples
    --------
    >>> str(DataAuditError("epochs=0", "a whole number of at least 1", "pass Recipe(epochs=20)"))
    'found epochs=0; expected a whole number of at least 1; pass Recipe(epochs=20)'
    """

    def __init__(self, arrived: str, expected: str, action: str) -> None:
        super().__init__(arrived, expected, action)
        self.arrived = arrived
        self.expected = expected
        self.action = action

    def __str__(self) -> str:
        return f"found {self.arrived}; expected {self.expected}; {self.action}"


class DataError(DataAuditError, ValueError):
    """The data set cannot be audited as it is."""


class RowError(DataError):
    """A row of the data set cannot be read; the others may be."""


class SettingError(DataAuditError, ValueError):
    """A setting has a value that is not allowed."""


class ModelError(DataAuditError, ValueError):
    """The model does not fit the data set or the scores asked for."""


class MissingPackageError(DataAuditError, ImportError):
    """A package that this call needs is not installed."""


class StorageError(DataAuditError, OSError):
    """A folder cannot be read or written as an audit."""


class ClusterError(DataAuditError, RuntimeError):
    """A cluster did not carry out a task."""


class AuditWarning(UserWarning):
    """Warning of this library: a computation went on, but its caller should know how."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """'did you mean X?' with the whole list behind it, for the third part of an error."""
    known = sorted(choices)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}choose from: {', '.join(known)}"


def rows(indices: Sequence[int] | Any, most: int = 8) -> str:
    """'rows 3, 17, 40 and 12 more', for naming offending examples."""
    found = [int(i) for i in indices]
    shown = ", ".join(map(str, found[:most]))
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return f"{'row' if len(found) == 1 else 'rows'} {shown}{rest}"


def require(package: str, extra: str | None, purpose: str) -> Any:
    """Import `package` or raise a `MissingPackageError` that names the pip command."""
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        what = f"'dataaudit[{extra}]'" if extra else f"'{package}'"
        raise MissingPackageError(
            f"no importable package {package!r} ({error})",
            f"it for {purpose}",
            f"run: pip install {what}",
        ) from error
