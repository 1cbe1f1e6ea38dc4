"""Names of rows in the caller's own data set: an index, a key column, files or lines; positions need none.

A name is an entry of a pandas Index [n], of one level or several, whose levels are called by texts.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dataaudit.common.spelling import escaped, has_surrogates
from dataaudit.common.types import IntArray
from dataaudit.data.columns import listed
from dataaudit.errors import DataError, rows

ROW = "row"
"""Column of all tables: the position of a row in the data set."""
EXACT = 2**53
"""Whole numbers below it are the same to readers who have floating-point numbers alone, as browsers do."""
UNNAMED = "index"
"""Name of an index that has none."""
SPELLED = {str, int, float, bool}
"""Types of values that may lie beside each other in one level."""
ARROW = ("string", "integer", "floating", "boolean", "bytes", "date", "datetime", "decimal", "empty")
"""Kinds of Python objects, as pandas calls them, that Arrow keeps."""


def identity_of(index: pd.Index, what: str = "an index", action: str = "drop it: reset_index(drop=True)") -> Any:
    """Names of rows, by reference, from an index of any kind; None where they are the positions 0 .. n-1.

    `what` and `action` are for errors: a `DataError` tells of values that are missing, or that no file can keep.
    """
    if isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0 and index.step == 1:
        return None
    several = isinstance(index, pd.MultiIndex)
    unnamed = [f"level_{level}" for level in range(index.nlevels)] if several else [UNNAMED]
    names = [own if name is None else escaped(str(name)) for name, own in zip(index.names, unnamed, strict=True)]
    if len(set(names)) < len(names):
        raise DataError(f"{what} with levels {listed(names)}", "a name of its own for each level", "rename one of them")
    missing = np.logical_or.reduce([index.get_level_values(level).isna() for level in range(index.nlevels)])
    if missing.any():
        raise DataError(
            f"{what} with missing values in {rows(np.flatnonzero(missing))}",
            "a name for every row",
            f"fill it, or {action}",
        )
    for level in index.levels if isinstance(index, pd.MultiIndex) else [index]:
        if level.dtype == object and not _can_be_kept(level):
            kinds = ", ".join(sorted({type(value).__name__ for value in level}))
            raise DataError(
                f"{what} of {kinds}", "numbers, texts, dates, or a mixture of numbers and texts", "turn it into texts"
            )
    index = _as_files_take(index)
    return index.set_names(names) if list(index.names) != names else index


def _as_files_take(index: pd.Index) -> pd.Index:
    """The index, texts with lone surrogates as `escaped`; most have none, and are not copied."""
    if isinstance(index, pd.MultiIndex):
        levels: list[Any] = [_as_files_take(level) for level in index.levels]
        same = all(one is other for one, other in zip(levels, index.levels, strict=True))
        return index if same else index.set_levels(levels, verify_integrity=False)
    if index.dtype != object or not any(isinstance(name, str) and has_surrogates(name) for name in index):
        return index
    names = [escaped(name) if isinstance(name, str) else name for name in index]
    return pd.Index(names, dtype=object, name=index.name)


def _is_mixed(level: pd.Index) -> bool:
    return level.dtype == object and pd.api.types.infer_dtype(level, skipna=False).startswith("mixed")


def _can_be_kept(level: pd.Index) -> bool:
    kind = pd.api.types.infer_dtype(level, skipna=False)
    return kind in ARROW or {type(value) for value in level} <= SPELLED


def beside(identity: Any, positions: IntArray) -> dict[str, Any]:
    """Names of the rows at `positions`, a column a level; no column where there is nothing but positions."""
    if identity is None:
        return {}
    taken = identity.take(positions)
    return {name: taken.get_level_values(level) for level, name in enumerate(taken.names)}


def row_index(identity: Any, positions: IntArray) -> pd.Index:
    """Index of a table by row: `positions` [n] and, where there are any, names [n]."""
    names = beside(identity, np.arange(len(positions)))
    if not names:
        return pd.Index(positions, name=ROW)
    return pd.MultiIndex.from_arrays([positions, *names.values()], names=[ROW, *names])


def spelled(identity: Any, position: int) -> str:
    """Name of one row for a person; empty where there is nothing but the position."""
    if identity is None:
        return ""
    name = identity[position]
    return ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def as_json(name: Any) -> Any:
    """Name of a row as JSON and every reader of it hold it: a text, a whole number, a truth value, a list of such."""
    if isinstance(name, (tuple, list)):
        return [as_json(part) for part in name]
    plain = name.item() if isinstance(name, np.generic) else name
    exact = isinstance(plain, (str, bool)) or (isinstance(plain, int) and abs(plain) < EXACT)
    return plain if exact else str(plain)


def check_free(identity: Any, taken: Collection[str]) -> None:
    """Raise `DataError` if a level is called like a column of an audit's tables."""
    clash = [] if identity is None else [name for name in identity.names if name in taken]
    if clash:
        raise DataError(
            f"rows whose names are called {listed(clash)}, which is a column of an audit's tables",
            "another name for the index or key",
            "give it another name, for example with frame.rename_axis('id')",
        )


def to_arrow(identity: pd.Index) -> tuple[pa.Table, list[bool]]:
    """Columns that a file keeps, one a level, and which of them hold JSON, for values of several types."""
    frame = identity.to_frame(index=False)
    mixed = [_is_mixed(pd.Index(frame[name])) for name in frame]
    for name, several in zip(list(frame), mixed, strict=True):
        if several:
            frame[name] = [json.dumps(value) for value in frame[name]]
    return pa.Table.from_pandas(frame, preserve_index=False), mixed


def from_arrow(table: pa.Table, mixed: list[bool]) -> pd.Index:
    """Names that `to_arrow` put into columns."""
    frame = table.to_pandas()
    levels = [
        pd.Index(
            [json.loads(value) for value in frame[name]] if several else frame[name], dtype=object if several else None
        )
        for name, several in zip(list(frame), mixed, strict=True)
    ]
    if len(levels) > 1:
        return pd.MultiIndex.from_arrays(levels, names=list(frame))
    alone: pd.Index = levels[0].rename(str(frame.columns[0]))
    return alone
