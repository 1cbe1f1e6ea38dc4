"""Inputs as one matrix in memory, for learners that train on all of it again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.common.units import varies
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


class Rounding:
    """What float32 takes from columns of longer numbers, beside how much these differ."""

    def __init__(self) -> None:
        self._lost, self._low, self._high = 0.0, np.inf, -np.inf

    def add(self, given: AnyArray, rounded: AnyArray) -> None:
        """Look at rows [b, d] as they are, and as they are in float32."""
        if given.dtype.itemsize <= rounded.dtype.itemsize or not len(given):
            return
        self._lost = np.maximum(self._lost, np.abs(given - rounded).max(0))
        self._low, self._high = np.minimum(self._low, given.min(0)), np.maximum(self._high, given.max(0))

    def check(self, names: Sequence[Any] = ()) -> None:
        """Raise a `DataError` where a thousandth of a column's range is lost; `names` are those of columns."""
        with np.errstate(over="ignore", invalid="ignore"):
            lost = self._lost > 1e-3 * (self._high - self._low)
            blurred = np.flatnonzero(lost & varies(np.asarray(self._low), np.asarray(self._high)))
        if len(blurred):
            column = names[blurred[0]] if len(names) == np.size(lost) else int(blurred[0])
            raise DataError(
                f"values in column {column!r} that float32 does not tell apart",
                "features whose differences float32 holds",
                "subtract an offset from such columns, and divide them by a constant, or standardise them",
            )


def feature_rows(
    examples: Examples, indices: IntArray, rounding: Rounding | None = None, width: int | None = None
) -> AnyArray:
    """Inputs of the rows `indices`, flattened, finite float32 [b, d]; d is `width` where that is known."""
    part = np.asarray(numbers(examples, indices, "a model of features"))
    part = part.reshape(len(part), -1)
    if part.dtype.kind not in "fiub" or part.shape[1] == 0:
        raise DataError(
            f"inputs of type {part.dtype} with {part.shape[1]} features, from {examples.source}",
            "numbers, for a model of features",
            "name numeric columns with inputs=, or turn the rows into numbers with transform=",
        )
    if width not in (None, part.shape[1]):
        raise DataError(
            f"{part.shape[1]} features from row {indices[0]} of {examples.source} on, after {width}",
            "rows of one length",
            "resize or pad them, by transform= for example",
        )
    with np.errstate(over="ignore"):
        given, part = part, part.astype(np.float32, copy=False)
    bad = indices[~np.isfinite(part).all(axis=1)]
    if len(bad):
        raise DataError(
            f"NaN, infinity or a value beyond float32 in {rows(examples.original(bad))}",
            "finite features",
            "fill or drop those rows, or rescale them",
        )
    if rounding is not None:
        rounding.add(given, part)
    return part


DENSE_BYTES = 2**31
"""Most bytes that sparse rows may take as dense ones."""


def check_dense(*data_sets: Examples) -> None:
    """Raise a `DataError` for sparse rows that would take much more room."""
    first = data_sets[0].read_sparse(np.zeros(1, np.int64))
    if first is None:
        return
    count, width = sum(map(len, data_sets)), int(first.shape[1])
    if 4 * count * width > DENSE_BYTES:
        raise DataError(
            f"a sparse matrix of {count} x {width}, which takes {4 * count * width / 2**30:.1f} GiB as dense rows",
            f"at most {DENSE_BYTES / 2**30:.0f} GiB, for a model of features",
            [
                "pass model=None",
                "pass a scikit-learn classifier that takes sparse rows, such as LogisticRegression()",
                "reduce the columns with TruncatedSVD",
            ],
        )


def all_features(*data_sets: Examples) -> AnyArray:
    """Inputs of all rows of data sets, one behind the other, flattened, float32 [n, d], in memory once."""
    check_dense(*data_sets)
    matrix: AnyArray | None = None
    filled, rounding = 0, Rounding()
    for examples in data_sets:
        n, block = len(examples), rows_per_block(examples)
        for start in range(0, n, block):
            width = None if matrix is None else matrix.shape[1]
            part = feature_rows(examples, np.arange(start, min(start + block, n), dtype=np.int64), rounding, width)
            if matrix is None:
                matrix = np.empty((sum(map(len, data_sets)), part.shape[1]), np.float32)
            matrix[filled : filled + len(part)] = part
            filled += len(part)
    assert matrix is not None
    rounding.check(data_sets[0].columns)
    return matrix
