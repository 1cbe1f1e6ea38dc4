"""Labels as a caller has them: positions of classes and class names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.kinds import dimensions, is_tensor
from dataaudit.errors import DataError, rows


@dataclass(frozen=True)
class NoLabels:
    """Stands where labels would, for `count` examples that have none."""

    count: int

    def __len__(self) -> int:
        """Number of examples."""
        return self.count


def encode_labels(
    values: Any, names: tuple[str, ...] | None = None, lenient: bool = False
) -> tuple[IntArray, tuple[str, ...]]:
    """Turn a label column [n] into positions 0..C-1, int64 [n], and class names [C], the sorted distinct values.

    Labels are whole numbers (gaps allowed), strings or booleans; `NoLabels` makes all one class without a name. Where
    the data set declares the `names` of all classes (a ``ClassLabel`` feature), labels must be positions in them,
    and classes that no example carries keep theirs. A missing label becomes -1 if `lenient`.

    Raises `DataError` if there are no labels, a label is missing, not a whole number, out of range, if there is one
    class only, or more classes than examples.
    """
    if isinstance(values, NoLabels):
        return np.zeros(len(values), np.int64), ("",)
    import pandas as pd

    column = pd.Series(values).reset_index(drop=True)
    if len(column) == 0:
        raise DataError("an empty data set", "at least two examples of two classes", "pass a data set with rows")
    empty = column.isna().to_numpy()
    if lenient and names is not None and pd.api.types.is_integer_dtype(column.dtype):
        # Hugging Face's "no label" of a ClassLabel.
        empty = empty | (column == -1).to_numpy()
    missing, known = np.flatnonzero(empty), np.flatnonzero(~empty)
    if len(missing) and lenient and len(known):
        labels, spelled = _encode(column.iloc[known].infer_objects().reset_index(drop=True), names, known)
        every = np.full(len(column), -1, np.int64)
        every[known] = labels
        every.flags.writeable = False
        return every, spelled
    if len(missing):
        raise DataError(
            f"missing labels in {rows(missing)}",
            "one label for every example",
            "drop those rows or label them, or pass on_bad_rows='drop'",
        )
    return _encode(column, names, known)


def _encode(column: Any, names: tuple[str, ...] | None, known: IntArray) -> tuple[IntArray, tuple[str, ...]]:
    """Labels and names of a column without gaps, a pandas Series of the rows `known`."""
    column = _as_classes(column, known)
    labels, spelled = _distinct(column) if names is None else (_positions(column, names, known), tuple(names))
    present = len(np.unique(labels))
    if present < 2:
        raise DataError(
            f"one class ({spelled[int(labels[0])]!r}) in all {len(labels)} examples",
            "at least two classes",
            "check the label column: a label is suspicious only against another",
        )
    if len(labels) < len(spelled):
        raise DataError(
            f"{len(labels)} examples of {len(spelled)} classes",
            "at least as many examples as classes",
            "pass more examples, or drop the classes that have none",
        )
    labels.flags.writeable = False
    return labels, spelled


def _as_classes(column: Any, known: IntArray) -> Any:
    """The column, whole numbers stored as floats as integers."""
    import pandas as pd

    kinds = pd.api.types
    if kinds.is_float_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)))
        if len(bad):
            raise DataError(
                f"label {float(numbers[bad[0]])!r} in {rows(known[bad])}",
                "classes: whole numbers, strings or booleans",
                "round or bin a regression target before auditing it as a classification",
            )
        return column.astype(np.int64)
    if not (
        kinds.is_integer_dtype(column.dtype)
        or kinds.is_bool_dtype(column.dtype)
        or kinds.is_string_dtype(column)
        or isinstance(column.dtype, pd.CategoricalDtype)
        or column.map(lambda value: isinstance(value, (str, int, bool, np.integer, np.bool_))).all()
    ):
        raise DataError(
            f"labels of type {type(column.iloc[0]).__name__} ({column.dtype})",
            "classes: whole numbers, strings or booleans, one for every example",
            "pass a one-dimensional label column",
        )
    return column


def _positions(column: Any, names: tuple[str, ...], known: IntArray) -> IntArray:
    numbers: IntArray = column.to_numpy(dtype=np.int64)
    bad = np.flatnonzero((numbers < 0) | (numbers >= len(names)))
    if len(bad):
        raise DataError(
            f"label {int(numbers[bad[0]])} in {rows(known[bad])}",
            f"a position in the {len(names)} declared classes (0..{len(names) - 1})",
            "correct those labels or the declared class names",
        )
    return numbers


def _distinct(column: Any) -> tuple[IntArray, tuple[str, ...]]:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype)
    kinds = {type(value) for value in column.unique()} if column.dtype == object else set()
    if len(kinds) > 1:
        raise DataError(
            f"labels of several types ({', '.join(sorted(kind.__name__ for kind in kinds))})",
            "labels of one type",
            "convert the column, for example with astype(str)",
        )
    distinct, positions = np.unique(column.to_numpy(), return_inverse=True)
    return positions.astype(np.int64), tuple(str(value) for value in distinct.tolist())


def label_values(labels: Any) -> Any:
    """Labels [n] as something that `encode_labels` takes.

    Raises `DataError` if they are no one-dimensional array, list or pandas column.
    """
    if isinstance(labels, NoLabels):
        return labels
    found = labels.detach().cpu().numpy() if is_tensor(labels) else labels
    known = isinstance(found, (np.ndarray, list, tuple, range)) or type(found).__module__.partition(".")[0] == "pandas"
    if not known or dimensions(found) != 1:
        shape = f" of shape {tuple(found.shape)}" if isinstance(found, np.ndarray) or dimensions(found) != 1 else ""
        raise DataError(
            f"labels{shape} ({type(labels).__name__})",
            "one label for every example: a one-dimensional array, list, tensor or pandas Series",
            "pass class numbers or names; one-hot rows become classes with argmax(axis=1)",
        )
    return found


def check_lengths(inputs: int, labels: int) -> None:
    """Raise unless there is one label for every input."""
    if inputs != labels:
        raise DataError(
            f"{inputs} inputs and {labels} labels",
            "one label for every input",
            "pass arrays of the same length",
        )
