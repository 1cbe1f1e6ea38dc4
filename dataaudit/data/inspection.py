"""One pass over all inputs before any training: shapes, finiteness, fingerprint, and the rows that cannot be used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, BoolArray, IntArray
from dataaudit.data.columns import listed
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_table
from dataaudit.data.sparse import is_sparse
from dataaudit.data.texts import digest_texts, fault, is_text, unusable
from dataaudit.errors import DataError, InPython, RowError, rows

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
    gaps: str = ""
    """Rows that hold missing values, where these were allowed, for a message."""
    others: tuple[Any, ...] = ()
    """Columns of a table that are no numbers."""


class Inspector:
    """Check of inputs block by block, and their fingerprint; O(block) memory.

    `allow_missing` makes NaN a legitimate missing value (the model says it handles them). Infinity never is. `named`
    says which rows of the caller's data set those are that it is given, for messages.
    """

    def __init__(self, allow_missing: bool = False, named: Callable[[IntArray], IntArray] | None = None) -> None:
        self._named = named or (lambda given: given)
        self._allow_missing = allow_missing
        self._digest = hashlib.blake2b(digest_size=16)
        self._by_part = [hashlib.blake2b(digest_size=16) for _ in range(3)]
        self._shape: tuple[int, ...] | None = None
        self._dtype = ""
        self._gaps: list[int] = []
        self._total_gaps = 0
        self._others: dict[Any, None] = {}
        self._first: AnyArray | None = None
        self._differ = self._sparsely = False
        self._bad: list[int] = []
        self._total_bad = 0
        self._faults: dict[str, list[int]] = {}
        self._row = 0

    def update(self, block: Any) -> None:
        """Check the next rows, in order, as `Examples.read` gives them."""
        if is_sparse(block):
            self._sparse(block)
        elif is_table(block):
            self._table(block)
        elif is_text(block):
            self._texts(block)
        else:
            self._array(np.asarray(block))
        if self._allow_missing and not is_text(block):
            gaps = np.flatnonzero(unfit(block, False))
            self._total_gaps += len(gaps)
            self._gaps.extend(self._named(gaps[: max(0, 8 - len(self._gaps))] + self._row).tolist())
        bad = np.flatnonzero(unfit(block, self._allow_missing))
        self._total_bad += len(bad)
        if is_text(block):
            for position, row in zip(bad.tolist(), self._named(bad + self._row).tolist(), strict=True):
                self._faults.setdefault(fault(block[position]), []).append(row)
        self._bad.extend(self._named(bad[: max(0, 8 - len(self._bad))] + self._row).tolist())
        self._row += block.shape[0] if is_sparse(block) else len(block)

    def _array(self, block: AnyArray) -> None:
        if self._shape is None:
            self._shape, self._dtype = block.shape[1:], str(block.dtype)
            self._digest.update(f"{self._dtype}{self._shape}".encode())
            if 0 in self._shape:
                raise DataError(
                    f"inputs of shape {self._shape} each, which hold no value",
                    "at least one value a row",
                    "pass inputs with columns",
                )
        elif block.shape[1:] != self._shape:
            raise DataError(
                f"inputs of shape {block.shape[1:]} from row {self._row} on, after {self._shape}",
                "inputs of one shape",
                ["pass resize=32, for example, where they are images", "bring them to one shape with transform="],
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
        self._digest.update(np.ascontiguousarray(block).data)

    def _sparse(self, block: Any) -> None:
        if self._shape is None:
            self._shape, self._dtype = block.shape[1:], str(block.dtype)
            self._digest.update(f"sparse {self._dtype}{self._shape}".encode())
        # Positions are of 32 or 64 bits as it happens; each part by itself, for rows come in blocks of any size.
        parts = np.diff(block.indptr).astype(np.int64), block.indices.astype(np.int64), block.data
        for digest, part in zip(self._by_part, parts, strict=True):
            digest.update(np.ascontiguousarray(part).data)
        self._sparsely = self._differ = True

    def _table(self, block: Any) -> None:
        import pandas as pd

        if self._shape is None:
            self._shape, self._dtype = (len(block.columns),), TABLE
            self._digest.update("\x1f".join(map(str, block.columns)).encode())
        numbers = block.select_dtypes(["number", "bool"]).columns
        self._others |= dict.fromkeys(name for name in block.columns if name not in numbers)
        try:
            hashes = pd.util.hash_pandas_object(block, index=False).to_numpy()
        except TypeError as error:
            several = [name for name in block.columns if not _are_single(block[name])]
            raise DataError(
                f"values in columns that are no single ones: {listed(several)} ({error})",
                "numbers, strings, booleans or categories",
                [InPython("spread them with pandas.json_normalize(data)"), f"leave them out: exclude={several!r}"],
            ) from error
        self._digest.update(np.ascontiguousarray(hashes).data)

    def _texts(self, block: AnyArray) -> None:
        if self._shape is None:
            self._shape, self._dtype = (), TEXT
            self._digest.update(TEXT.encode())
        digest_texts(self._digest, block)

    def result(self, labels: IntArray, class_names: tuple[str, ...]) -> Inspection:
        """Findings after the last block; a `DataError` if any row holds NaN, infinity or no text."""
        if self._bad:
            named = _and_more(self._bad, self._total_bad)
            if self._dtype == TEXT:
                raise DataError(
                    "; ".join(f"{what} in {rows(where)}" for what, where in self._faults.items()),
                    "a text in every row that any file takes",
                    ["drop those rows or repair them", "pass on_bad_rows='drop'"],
                )
            raise DataError(
                f"NaN or infinite inputs in {named}",
                "finite inputs",
                [
                    "pass on_bad_rows='drop'",
                    "fill or correct those rows",
                    InPython("pass a model that takes missing values, such as HistGradientBoostingClassifier()"),
                ],
            )
        if self._first is not None and not self._differ and self._row > 1:
            _check_offset(self._first)
        if self._sparsely:
            self._digest.update(b"".join(part.digest() for part in self._by_part))
        self._digest.update(np.ascontiguousarray(labels).data)
        self._digest.update("\x1f".join(class_names).encode("utf-8", "surrogatepass"))
        assert self._shape is not None
        vectors = not self._gaps and not self._others and len(self._shape) == 1
        gaps = _and_more(self._gaps, self._total_gaps) if self._gaps else ""
        digest = self._digest.hexdigest()
        return Inspection(digest, tuple(self._shape), self._dtype, vectors, gaps, tuple(self._others))


def _and_more(first: list[int], total: int) -> str:
    """Some rows, and how many more there are."""
    more = total - len(first)
    return f"{rows(first)}{f' and {more} more' if more else ''}"


def _are_single(column: Any) -> bool:
    import pandas as pd

    try:
        pd.util.hash_array(column.to_numpy())
    except TypeError:
        return False
    return True


def _check_offset(row: AnyArray) -> None:
    """Raise a `DataError` where inputs that are all like `row` lie so far from 0 that their type tells no fractions."""
    largest = float(np.abs(row.astype(np.float64)).max(initial=0.0))
    if largest >= 0.5 / float(np.finfo(row.dtype).eps):
        raise DataError(
            f"inputs that are all equal, with values of {largest:.1e} in {row.dtype}",
            f"inputs that differ: {row.dtype} tells numbers of that size apart from a difference of "
            f"{float(np.spacing(row.dtype.type(largest))):.0e} on",
            f"subtract the offset before they become {row.dtype}",
        )


def unfit(block: Any, allow_missing: bool) -> BoolArray:
    """Mark rows of what `Examples.read` gave that hold infinity, no text, or, unless allowed, a missing value."""
    wrong: BoolArray
    if is_sparse(block):
        bad = np.isinf(block.data) if allow_missing else ~np.isfinite(block.data)
        owner = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        return np.bincount(owner[bad], minlength=block.shape[0]) > 0
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


def stored_rows(examples: Examples, indices: IntArray) -> Any:
    """Rows as they are stored: sparse ones in a sparse matrix, others as `Examples.read` gives them."""
    sparse = examples.read_sparse(indices)
    return examples.read(indices) if sparse is None else sparse


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
        return [(indices, stored_rows(examples, indices))]
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
        ["repair the data set", "correct the transform of its rows, if it has one"],
    )


def _with_others(error: RowError, examples: Examples, indices: IntArray) -> RowError:
    """The error, which names one row, or one that names all rows of the block that cannot be read."""
    bad: list[int] = []
    readable(examples, indices, bad)
    if len(bad) < 2:
        return error
    return RowError(
        f"{len(bad)} inputs that cannot be read, in {rows(bad)}; first: {error.arrived}",
        error.expected,
        error.alternatives,
    )


def inspect(examples: Examples, allow_missing: bool = False) -> Inspection:
    """Check all inputs in one streaming pass before any training; a `DataError` names the rows that cannot be used."""
    inspector = Inspector(allow_missing, examples.original)
    block = rows_per_block(examples)
    for start in range(0, len(examples), block):
        part = np.arange(start, min(start + block, len(examples)), dtype=np.int64)
        try:
            read = stored_rows(examples, part)
        except RowError as error:
            raise _with_others(error, examples, part) from error
        inspector.update(read)
    return as_given(inspector.result(examples.labels, examples.class_names), examples)


def as_given(found: Inspection, examples: Examples) -> Inspection:
    """Findings with the fingerprint of the data set as its caller has it."""
    if examples.given is examples:
        return found
    return replace(found, fingerprint=inspect(examples.given, allow_missing=True).fingerprint)
