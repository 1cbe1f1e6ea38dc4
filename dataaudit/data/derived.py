"""Rows of another data set: some of them, or all of them with their inputs in an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import Inspection, Inspector, as_given, one_read, readable, rows_per_block, unfit
from dataaudit.errors import DataError

STREAM = "stream"
"""Folder beside stored representations that holds a data set which arrived as a stream."""
EMBEDDING = "embedding"
"""Folder beside them that holds vectors of texts or images."""


class DerivedExamples(Examples):
    """Rows of another data set, `whole`, which keep what it says of itself; `labels` are int64 [n]."""

    def __init__(self, whole: Examples, labels: IntArray) -> None:
        super().__init__(labels, whole.class_names)
        self.whole, self.source = whole, whole.source
        self.columns, self.class_columns, self.label_column = whole.columns, whole.class_columns, whole.label_column
        self.transform, self.origin, self.notes = whole.transform, whole.origin, whole.notes
        self.task, self.tokenised = whole.task, whole.tokenised
        self.identity = whole.identity

    @property
    def dropped(self) -> IntArray:
        """Rows of the caller's data set that were left out, ascending."""
        return self.whole.dropped

    def original(self, indices: IntArray) -> IntArray:
        """Rows of the caller's data set that the rows `indices` [b] are, for messages."""
        return self.whole.original(indices)

    @property
    def unlabelled(self) -> IntArray:
        """Rows of the caller's data set that have no label, ascending."""
        return self.whole.unlabelled

    def keep_decoded(self, folder: str | Path | None) -> None:
        """Decode each row of the whole once from now on."""
        self.whole.keep_decoded(folder)

    @property
    def reading_notes(self) -> Sequence[str]:
        """Notes on how rows are read, known once the first was."""
        return self.whole.reading_notes

    def without_label(self) -> Examples | None:
        """The rows that have no label, read as the data set beneath reads them; None where there are none."""
        return self.whole.without_label()


class StoredExamples(DerivedExamples):
    """Another data set with its inputs as read in an array [n, ...]."""

    def __init__(self, whole: Examples, array: AnyArray) -> None:
        super().__init__(whole, whole.labels)
        self._array = array

    @property
    def array(self) -> AnyArray:
        """All inputs without a copy, [n, ...]."""
        return self._array

    def show(self, index: int) -> Any:
        """Row `index` as the data set shows it."""
        return self.whole.show(index)

    def read_rows(self, indices: IntArray) -> AnyArray:
        """Rows of the array."""
        return self._array[indices]

    def read_tokens(self, indices: IntArray, names: Sequence[str]) -> tuple[AnyArray, IntArray]:
        """Token values of the rows."""
        return self.whole.read_tokens(indices, names)


class SelectedExamples(DerivedExamples):
    """Rows of another data set, read from it on demand: positions `rows` in it, int64 [n]."""

    def __init__(self, whole: Examples, rows: IntArray, labels: IntArray) -> None:
        super().__init__(whole, labels)
        self.rows = rows
        self.identity = None if whole.identity is None else whole.identity.take(rows)

    def original(self, indices: IntArray) -> IntArray:
        """Rows of the caller's data set that the rows `indices` [b] are, for messages."""
        return self.whole.original(self.rows[indices])

    def show(self, index: int) -> Any:
        """Row `index` of those selected."""
        return self.whole.show(int(self.rows[index]))

    def read_rows(self, indices: IntArray) -> Any:
        """`read` for at least one row."""
        return self.whole.read(self.rows[indices])

    def read_sparse(self, indices: IntArray) -> Any:
        """Rows as a sparse matrix, where the whole is one."""
        return self.whole.read_sparse(self.rows[indices])

    def read_tokens(self, indices: IntArray, names: Sequence[str]) -> tuple[AnyArray, IntArray]:
        """Token values of the rows."""
        return self.whole.read_tokens(self.rows[indices], names)


class SubsetExamples(SelectedExamples):
    """Rows of another data set that can be used: positions `rows` in it, ascending, int64 [n].

    Labels of `whole` may be below 0, see `Examples`, in rows that are left out. At least two classes must be left.
    """

    def __init__(self, whole: Examples, rows: IntArray) -> None:
        if isinstance(whole, SubsetExamples):
            rows = whole.rows[rows]
            whole = whole.whole
        labels = whole.labels[rows]
        left = len(np.unique(labels))
        if left < 2:
            raise DataError(
                f"{len(rows)} of {len(whole)} rows that can be used, of {left} classes",
                "at least two classes among them",
                ["repair the rows that were left out", "add rows of another class"],
            )
        labels.flags.writeable = False
        super().__init__(whole, rows, labels)

    @property
    def dropped(self) -> IntArray:
        """Positions in the whole that are left out, ascending."""
        return np.setdiff1d(np.arange(len(self.whole)), self.rows, assume_unique=True)

    def without_label(self) -> Examples | None:
        """The rows of the whole that have no label; None where there are none."""
        if isinstance(self.whole, DerivedExamples):
            return self.whole.without_label()
        return UnlabelledExamples(self.whole, self.unlabelled) if len(self.unlabelled) else None


def labelled(examples: Examples) -> Examples:
    """The rows that have a label that can be right: all, or a subset."""
    known = examples.labels >= 0
    return examples if known.all() else SubsetExamples(examples, np.flatnonzero(known))


def name_rows(examples: Examples, names: Any) -> None:
    """Give rows their names in the caller's data set, those of a subset too: `names` are of the whole."""
    if isinstance(examples, SubsetExamples):
        examples.whole.identity, examples.identity = names, names.take(examples.rows)
    else:
        examples.identity = names


class UnlabelledExamples(SelectedExamples):
    """Rows of another data set, at ascending positions `rows`, without labels: all are of its first class."""

    def __init__(self, whole: Examples, rows: IntArray) -> None:
        super().__init__(whole, rows, np.zeros(len(rows), np.int64))


def inspect_usable(examples: Examples, allow_missing: bool) -> tuple[Examples, Inspection]:
    """Inspect the rows that can be read and hold what a model can use, in one pass over all; the rest are left out.

    Images of several sizes and lists of several lengths are errors still: which of them are wrong is not known.
    """
    inspector = Inspector(allow_missing)
    usable = usable_rows(examples, allow_missing, inspector.update)
    if len(usable) < len(examples):
        examples = SubsetExamples(examples, usable)
    return examples, as_given(inspector.result(examples.labels, examples.class_names), examples)


def usable_rows(examples: Examples, allow_missing: bool, use: Callable[[Any], object] | None = None) -> IntArray:
    """Rows that can be read and hold what a model can use, ascending int64; `use` is called with blocks of them."""
    bad: list[int] = []
    n = len(examples)
    block = rows_per_block(examples, one_read(examples))
    for start in range(0, n, block):
        for indices, part in readable(examples, np.arange(start, min(start + block, n), dtype=np.int64), bad):
            wrong = unfit(part, allow_missing)
            bad.extend(indices[wrong].tolist())
            if use is not None and not wrong.all():
                use(part[~wrong] if wrong.any() else part)
    return np.setdiff1d(np.arange(n), bad, assume_unique=True)
