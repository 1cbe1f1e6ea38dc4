"""Columns of a DataFrame that hold a vector in each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.columns import listed
from dataaudit.data.kinds import is_tensor
from dataaudit.data.rows import as_array, as_input, stack
from dataaudit.errors import DataError, RowError


def holds_vectors(column: Any) -> bool:
    """Tell whether a pandas column holds arrays, tensors or lists, by its first value that is there."""
    if isinstance(column.dtype, pd.ArrowDtype):
        return "list" in str(column.dtype)
    if column.dtype != object:
        return False
    first = next((value for value in column if not _is_gap(value)), None)
    return is_tensor(first) or isinstance(first, (np.ndarray, list, tuple))


def _is_gap(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"


def check_vectors(frame: pd.DataFrame) -> None:
    """Raise a `DataError` unless columns beside vectors are numbers or booleans."""
    kinds = pd.api.types
    other = [
        name
        for name in frame.columns
        if not holds_vectors(frame[name])
        and not (kinds.is_numeric_dtype(frame[name].dtype) or kinds.is_bool_dtype(frame[name].dtype))
    ]
    if other:
        vectors = [name for name in frame.columns if holds_vectors(frame[name])]
        raise DataError(
            f"columns {listed(other)} beside vectors in {listed(vectors)}",
            "vectors, alone or beside columns of numbers",
            f"pass inputs={vectors if len(vectors) > 1 else vectors[0]!r}",
        )


def read_vectors(block: pd.DataFrame, indices: IntArray, vectors: Sequence[bool]) -> AnyArray:
    """Rows of columns of vectors [b, ...]; several columns, and numbers beside them, are laid side by side, [b, d].

    `vectors` tells which columns hold vectors.
    """
    columns = [block.iloc[:, place] for place in range(block.shape[1])]
    parts = [
        _stacked(column, indices) if held else column.to_numpy(np.float64, na_value=np.nan)[:, None]
        for column, held in zip(columns, vectors, strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([part.reshape(len(indices), -1) for part in parts], axis=1)


def _stacked(column: Any, indices: IntArray) -> AnyArray:
    rows = []
    for value, row in zip(column, indices.tolist(), strict=True):
        if _is_gap(value):
            raise RowError(
                f"no vector in column {column.name!r} of row {row}",
                "a vector in every row",
                "pass on_bad_rows='drop'",
            )
        rows.append(as_array(as_input(value, row, "make vectors of numbers of one length, or use transform=")))
    return stack(rows, indices)
