"""Inputs as one matrix in memory, for learners that train on all of it again and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import rows_per_block
from dataaudit.data.kinds import is_table
from dataaudit.data.texts import refuse_texts
from dataaudit.errors import DataError, rows


def numbers(examples: Examples, indices: IntArray, purpose: str) -> Any:
    """Inputs of the rows `indices`, those of a table as one array [b, d]; texts are refused, for `purpose`."""
    read = examples.read(indices)
    if is_table(read):
        from dataaudit.data.tables import as_numbers

        return as_numbers(read)
    refuse_texts(read, examples.source, purpose)
    return read


def feature_rows(examples: Examples, indices: IntArray) -> AnyArray:
    """Inputs of the rows `indices`, flattened, finite float32 [b, d]."""
    part = np.asarray(numbers(examples, indices, "a model of features"))
    part = part.reshape(len(part), -1)
    if part.dtype.kind not in "fiub" or part.shape[1] == 0:
        raise DataError(
            f"inputs of type {part.dtype} with {part.shape[1]} features, from {examples.source}",
            "numbers, for a model of features",
            "name numeric columns with inputs=, or turn the rows into numbers with transform=",
        )
    with np.errstate(over="ignore"):
        part = part.astype(np.float32, copy=False)
    bad = indices[~np.isfinite(part).all(axis=1)]
    if len(bad):
        raise DataError(
            f"NaN, infinity or a value beyond float32 in {rows(bad)}",
            "finite features",
            "fill or drop those rows, or rescale them",
        )
    return part


def all_features(*data_sets: Examples) -> AnyArray:
    """Inputs of all rows of data sets, one behind the other, flattened, float32 [n, d], in memory once."""
    matrix: AnyArray | None = None
    filled = 0
    for examples in data_sets:
        n, block = len(examples), rows_per_block(examples)
        for start in range(0, n, block):
            part = feature_rows(examples, np.arange(start, min(start + block, n), dtype=np.int64))
            if matrix is None:
                matrix = np.empty((sum(map(len, data_sets)), part.shape[1]), np.float32)
            if part.shape[1] != matrix.shape[1]:
                raise DataError(
                    f"{part.shape[1]} features from row {start} on, after {matrix.shape[1]}",
                    "rows of one length",
                    "resize or pad them, for example with transform=",
                )
            matrix[filled : filled + len(part)] = part
            filled += len(part)
    assert matrix is not None
    return matrix
