"""Errors in three parts: what arrived, what was expected, what to do.

Every error that a user can cause is one of these, so that a test (and a reader) can look at each part alone. Arguments
stand in them as Python writes them, ``label='kind'`` or ``label=``; `arguments` finds them, for an interface that calls
them otherwise.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class InPython(str):
    """Advice, naming no argument, that only a program in Python can follow."""


class Argument(NamedTuple):
    """An argument that a text names, between two of its characters; `value` as Python writes it, or empty.

    A call that is nobody's value, such as ``Recipe(epochs=20)``, has no name.
    """

    start: int
    end: int
    name: str
    value: str


_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_CALL = r"[A-Za-z_][\w.]*\((?:[^()]|\([^()]*\))*\)"
_VALUE = rf"{_QUOTED}|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|None|True|False|\.\.\.|\[[^\]]*\]|{_CALL}|"
_ARGUMENT = re.compile(
    rf"(?<!\w)(?:{_QUOTED})|(?<![\w.])(?:(?P<name>[a-z_][a-z0-9_]*)=(?!=)(?P<value>{_VALUE})|(?P<call>{_CALL}))"
)


_OR = re.compile(r", or (?![^()]*\))")


def arguments(text: str) -> list[Argument]:
    """Arguments that a part of an error names, in order; what stands in quotes is somebody's data and no argument.

    >>> [(found.name, found.value) for found in arguments("drop 'a=1', or pass on_bad_rows='drop' or label=")]
    [('on_bad_rows', "'drop'"), ('label', '')]
    """
    found = [match for match in _ARGUMENT.finditer(text) if match["name"] or match["call"]]
    return [
        Argument(*match.span(), match["name"] or "", (match["call"] or match["value"]).strip(".")) for match in found
    ]


class DataAuditError(Exception):
    """Base of every error this library raises on purpose.

    Parameters
    ----------
    arrived
        What was found, with the offending value.
    expected
        What would have been right.
    action
        What the caller can do about it: one advice, or several, of which each suffices, in a list or with ", or "
        between them. An interface that cannot follow one, for it names an argument that is not there, a call, or is
        `InPython`, gives the others.

    Examples
    --------
    >>> str(DataAuditError("epochs=0", "a whole number of at least 1", "pass Recipe(epochs=20)"))
    'found epochs=0; expected a whole number of at least 1; pass Recipe(epochs=20)'
    >>> DataAuditError("no label column", "one", ["name it with label=", "add one"]).action
    'name it with label=, or add one'
    """

    def __init__(self, arrived: str, expected: str, action: str | Sequence[str]) -> None:
        super().__init__(arrived, expected, action)
        self.arrived = arrived
        self.expected = expected
        self.alternatives = tuple(_OR.split(action)) if isinstance(action, str) else tuple(action)
        self.action = either(self.alternatives)

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


def parts_of(error: Exception) -> tuple[str, str, str] | None:
    """The three parts of the message of a kernel, which has no errors of its own; None of any other.

    >>> parts_of(ValueError("found x of shape (3,); expected [n, d]; reshape it"))
    ('x of shape (3,)', '[n, d]', 'reshape it')
    """
    match = re.fullmatch(r"found (.*?); expected (.*?); (.*)", str(error), re.DOTALL)
    return None if match is None else (match[1], match[2], match[3])


def either(alternatives: Sequence[str]) -> str:
    """'a, b, or c', for advice of which each suffices."""
    return ", or ".join(filter(None, (", ".join(alternatives[:-1]), *alternatives[-1:])))


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """'did you mean X?' with the whole list behind it, for the third part of an error."""
    known = sorted(choices)
    near = nearest(str(name), known)
    hint = "" if near is None else f"did you mean {near!r}? "
    return f"{hint}choose from: {', '.join(known)}"


def nearest(name: str, choices: Iterable[str], alike: float = 0.5) -> str | None:
    """The choice that is spelt most like `name`, None if none is as much `alike`, from 0 to 1."""
    near = difflib.get_close_matches(name, list(choices), n=1, cutoff=alike)
    return near[0] if near else None


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
