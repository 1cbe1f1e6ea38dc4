"""One pass over all inputs before any training: shapes, finiteness, fingerprint, and the rows that cannot be used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, BoolArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_table
from dataaudit.data.texts import digest_texts, is_text, unusable
from dataaudit.errors import DataError, RowError, rows

READ_BYTES = 32 * 2**20
"""Bytes of inputs that one block of a streaming pass aims at."""

TEXT, TABLE = "text", "table"
"""Types that an inspection records of texts and of tables."""

TEXT_BYTES = 4096
"""Bytes that a text is assumed to have: one row says nothing about the others."""


@dataclass(frozen=True)
class Inspection:
    """Findings of one pass over the inputs."""

    fingerprint: str
    """BLAKE2b digest of inputs and labels in row order, 32 hexadecimal digits."""
    shape: tuple[int, ...]
    """Shape of one input; the number of columns for tables, empty for texts."""
    dtype: str
    """Type of the inputs as read; "table" and "text" for those."""
    vectors: bool = False
    """True if every input is a row of numbers, none of them missing."""


class Inspector:
    """Check of inputs block by block, and their fingerprint; O(block) memory.

    `allow_missing` makes NaN a legitimate missing value (the model says it handles them). Infinity never is.
    """

    def __init__(self, allow_missing: bool = False) -> None:
        self._allow_missing = allow_missing
        self._digest = hashlib.blake2b(digest_size=16)
        self._shape: tuple[int, ...] | None = None
        self._dtype = ""
        self._complete = True
        self._first: AnyArray | None = None
        self._differ = False
        self._bad: list[int] = []
        self._total_bad = 0
        self._row = 0

    def update(self, block: Any) -> None:
        """Check the next rows, in order, as `Examples.read` gives them."""
        if is_table(block):
            self._table(block)
        elif is_text(block):
            self._texts(block)
        else:
            self._array(np.asarray(block))
        bad = np.flatnonzero(unfit(block, self._allow_missing))
        self._total_bad += len(bad)
        self._bad.extend((bad[: max(0, 8 - len(self._bad))] + self._row).tolist())
        self._row += len(block)

    def _array(self, block: AnyArray) -> None:
        if self._shape is None:
            self._shape, self._dtype = block.shape[1:], str(block.dtype)
            self._digest.update(f"{self._dtype}{self._shape}".encode())
        elif block.shape[1:] != self._shape:
            raise DataError(
                f"inputs of shape {block.shape[1:]} from row {self._row} on, after {self._shape}",
                "inputs of one shape",
                "resize or pad them, for example with transform= (dataaudit.data.images.Resize(32) for images)",
            )
        if block.dtype.kind not in "fiub":
            raise DataError(
                f"inputs of type {block.dtype}",
                "numbers",
                "name numeric or image columns with inputs=, or turn the rows into numbers with transform=",
            )
        if block.dtype.kind == "f" and not self._differ and len(block):
            self._first = block[:1] if self._first is None else self._first
            self._differ = bool((block != self._first).any())
        self._complete &= not self._allow_missing or not bool(unfit(block, False).any())
        self._digest.update(np.ascontiguousarray(block).data)

    def _table(self, block: Any) -> None:
        import pandas as pd

        if self._shape is None:
            self._shape, self._dtype = (len(block.columns),), TABLE
            self._digest.update("\x1f".join(map(str, block.columns)).encode())
        numeric = block.select_dtypes(["number", "bool"]).shape[1] == block.shape[1]
        self._complete &= numeric and not bool(block.isna().any(axis=None))
        hashes = pd.util.hash_pandas_object(block, index=False).to_numpy()
        self._digest.update(np.ascontiguousarray(hashes).data)

    def _texts(self, block: AnyArray) -> None:
        if self._shape is None:
            self._shape, self._dtype = (), TEXT
            self._digest.update(TEXT.encode())
        digest_texts(self._digest, block)

    def result(self, labels: IntArray, class_names: tuple[str, ...]) -> Inspection:
        """Findings after the last block; a `DataError` if any row holds NaN, infinity or no text."""
        if self._bad:
            more = self._total_bad - len(self._bad)
            named = f"{rows(self._bad)}{f' and {more} more' if more else ''}"
            if self._dtype == TEXT:
                raise DataError(
                    f"missing or empty texts in {named}",
                    "a text in every row",
                    "drop those rows or fill them, or pass on_bad_rows='drop'",
                )
            raise DataError(
                f"NaN or infinite inputs in {named}",
                "finite inputs",
                "fill or drop those rows, pass on_bad_rows='drop', or use a model that handles missing values",
            )
        if self._first is not None and not self._differ and self._row > 1:
            _check_offset(self._first)
        self._digest.update(np.ascontiguousarray(labels).data)
        self._digest.update("\x1f".join(class_names).encode())
        assert self._shape is not None
        vectors = self._complete and len(self._shape) == 1
        return Inspection(self._digest.hexdigest(), tuple(self._shape), self._dtype, vectors)


def _check_offset(row: AnyArray) -> None:
    """Raise a `DataError` where inputs that are all like `row` lie so far from 0 that their type tells no fractions."""
    largest = float(np.abs(row.astype(np.float64)).max(initial=0.0))
    if largest >= 0.5 / float(np.finfo(row.dtype).eps):
        raise DataError(
            f"inputs that are all equal, with values of {largest:.1e} in {row.dtype}",
            f"inputs that differ: {row.dtype} tells numbers of that size apart from a difference of "
            f"{float(np.spacing(row.dtype.type(largest))):.0e} on",
            "subtract the offset while they are float64, or whole numbers",
        )


def unfit(block: Any, allow_missing: bool) -> BoolArray:
    """Mark rows of what `Examples.read` gave that hold infinity, no text, or, unless allowed, a missing value."""
    wrong: BoolArray
    if is_text(block):
        return unusable(block)
    if is_table(block):
        numbers = block.select_dtypes("number")
        wrong = np.isinf(numbers.to_numpy(dtype=np.float64, na_value=np.nan)).any(axis=1)
        return wrong if allow_missing else wrong | block.isna().any(axis=1).to_numpy()
    if block.dtype.kind != "f":
        return np.zeros(len(block), bool)
    flat = block.reshape(len(block), -1)
    wrong = (np.isinf(flat) if allow_missing else ~np.isfinite(flat)).any(axis=1)
    return wrong


def rows_per_block(examples: Examples, first: Any = None) -> int:
    """Number of rows that fill about `READ_BYTES`, by the first, or by `first`, which was read."""
    first = examples.read(np.array([0], dtype=np.int64)) if first is None else first
    size = int(first.memory_usage(deep=True).sum()) if is_table(first) else np.asarray(first).nbytes
    return max(1, min(65536, READ_BYTES // max(1, TEXT_BYTES if is_text(first) else size)))


def readable(examples: Examples, indices: IntArray, bad: list[int]) -> list[tuple[IntArray, Any]]:
    """Rows `indices` in parts that can be read, with what was read; the rows that cannot be are added to `bad`.

    Halves of what fails are tried again: about log2(b) readings for every bad row of b.
    """
    try:
        return [(indices, examples.read(indices))]
    except RowError:
        if len(indices) == 1:
            bad.append(int(indices[0]))
            return []
    middle = len(indices) // 2
    return readable(examples, indices[:middle], bad) + readable(examples, indices[middle:], bad)


def one_read(examples: Examples) -> Any:
    """What `Examples.read` gives of the first row that can be read.

    Raises
    ------
    RowError
        If none of them can.
    """
    for row in range(len(examples)):
        try:
            return examples.read(np.array([row]))
        except RowError:
            continue
    raise RowError(
        f"no row that can be read, of {len(examples)} ({rows(range(len(examples)))})",
        "rows that can be read",
        ["repair the data set", "correct transform="],
    )


def _with_others(error: RowError, examples: Examples, indices: IntArray) -> RowError:
    """The error, which names one row, or one that names all rows of the block that cannot be read."""
    bad: list[int] = []
    readable(examples, indices, bad)
    if len(bad) < 2:
        return error
    return RowError(
        f"{len(bad)} inputs that cannot be read, in {rows(bad)}; first: {error.arrived}", error.expected, error.action
    )


def inspect(examples: Examples, allow_missing: bool = False) -> Inspection:
    """Check all inputs in one streaming pass before any training; a `DataError` names the rows that cannot be used."""
    inspector = Inspector(allow_missing)
    block = rows_per_block(examples)
    for start in range(0, len(examples), block):
        part = np.arange(start, min(start + block, len(examples)), dtype=np.int64)
        try:
            read = examples.read(part)
        except RowError as error:
            raise _with_others(error, examples, part) from error
        inspector.update(read)
    return as_given(inspector.result(examples.labels, examples.class_names), examples)


def as_given(found: Inspection, examples: Examples) -> Inspection:
    """Findings with the fingerprint of the data set as its caller has it."""
    if examples.given is examples:
        return found
    return replace(found, fingerprint=inspect(examples.given, allow_missing=True).fingerprint)
