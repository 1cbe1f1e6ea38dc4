"""Columns that number the rows: beside one, labels in the order of the rows are predicted from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.types import AnyArray

FEWEST = 10
"""Rows from which on a column is looked at: 0 and 1 number two rows, and are a feature of many."""


def without_ids(columns: Sequence[Hashable], read: Callable[[Any], Any]) -> tuple[list[Any], list[str]]:
    """Columns that are no numbers of rows, all of them where no other are left, and notes.

    `read` gives the values of a column as an array or a Series. A column of numbers called id is one, as is one that
    holds each of 0 .. n-1 or 1 .. n once; a column of whole numbers or texts that all differ only looks like one.
    """
    kinds = {column: _kind(str(column), read(column)) for column in columns} if len(columns) > 1 else {}
    ids = [column for column, kind in kinds.items() if kind.startswith("is ")]
    alike = [column for column, kind in kinds.items() if kind == "alike"]
    if len(ids) == len(columns):
        ids = []
    notes = [
        f"column {column!r} {kinds[column]} and is left out of the inputs; name it in inputs= to keep it, or in key= "
        "to carry it through all tables"
        for column in ids
    ]
    if alike:
        named = ", ".join(map(repr, alike))
        notes.append(f"values that all differ, like names of rows, among the inputs: {named}; exclude= leaves them out")
    return [column for column in columns if column not in ids], notes


def _kind(name: str, values: Any) -> str:
    """What a column is, as a verb, where it numbers rows; "alike" where it may; otherwise nothing."""
    column = pd.Series(values)
    if len(column) < FEWEST or isinstance(column.dtype, pd.CategoricalDtype):
        return ""
    kinds = pd.api.types
    if not kinds.is_numeric_dtype(column.dtype) or kinds.is_bool_dtype(column.dtype):
        # A column of arrays or lists has no type of its own, and cannot be asked whether it repeats.
        return "alike" if kinds.infer_dtype(column, skipna=True) == "string" and column.is_unique else ""
    if name.strip().lower() == "id":
        return "is called an id"
    if not kinds.is_integer_dtype(column.dtype) or column.isna().any():
        return ""
    numbers: AnyArray = column.to_numpy(np.int64 if not kinds.is_unsigned_integer_dtype(column.dtype) else np.uint64)
    low, high = int(numbers.min()), int(numbers.max())
    if high - low < len(numbers) - 1 or not column.is_unique:
        return ""
    counts = low in (0, 1) and high - low == len(numbers) - 1
    return f"is a number of rows ({low} to {high})" if counts else "alike"
