"""What an example is to the rest of the library: a labelled row that can be read by index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.errors import DataError, rows


@dataclass(frozen=True)
class Origin:
    """Data set as a caller passed it, and how it is read.

    Attributes
    ----------
    dataset
        The caller's own object, after a split was chosen.
    label, inputs, transform
        As in `dataaudit.data.as_examples`.
    """

    dataset: Any
    label: Any = None
    inputs: Any = None
    transform: Callable[[Any], Any] | None = None


class Examples(ABC):
    """A labelled data set, read in batches; nothing else of the library sees where it comes from.

    What a data set has beyond labelled rows has a default here, which says that it has none.

    Laws
    ----
    - ``read(i)`` gives rows in the order of `i`, repeats included, and the same values every time unless the
      caller's own data set or transform is random.
    - ``labels`` are 0..C-1 positions in ``class_names``; both are fixed at construction.
    - Reading rows never loads the rest of a memory-mapped data set.
    """

    columns: tuple[Any, ...] = ()
    """Input columns, in order; empty where inputs are no columns."""
    class_columns: tuple[Any, ...] = ()
    """Those of them whose numbers are positions of classes."""
    label_column: Any = None
    """Label column, where there is one."""
    transform: Callable[[Any], Any] | None = None
    """Function of one input that is applied whenever a row is read."""
    origin: Origin | None = None
    """What the caller passed, by reference; not sent to other processes."""
    notes: Sequence[str] = ()
    """What was done to the inputs, for a reader of the audit."""

    @property
    @abstractmethod
    def labels(self) -> IntArray:
        """Given labels, int64 [n], positions in `class_names`."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Class names as the data set spells them, [C]."""

    @property
    @abstractmethod
    def source(self) -> str:
        """Kind of the data set in one or two words, for settings and messages."""

    @property
    def array(self) -> Any:
        """All inputs without a copy, [n, ...], where they lie in an array, or in pieces that are read like one."""
        return None

    @property
    def dropped(self) -> IntArray:
        """Rows of the caller's data set that were left out, ascending."""
        return np.zeros(0, np.int64)

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples n."""

    @abstractmethod
    def read(self, indices: IntArray) -> Any:
        """Inputs of the rows `indices` [b]: a NumPy array [b, ...], a DataFrame with b rows, or texts.

        Texts are an object array [b] of str, None where one is missing. uint8 arrays hold pixels 0..255; floats
        arrive as float32 or float64; everything else as it is stored.
        """

    @abstractmethod
    def show(self, index: int) -> Any:
        """One example for human eyes: a PIL image, a pixel array, a dict of values, a text or an array."""


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
    """Turn a label column into positions 0..C-1 and class names.

    Parameters
    ----------
    values
        Labels [n]: whole numbers (gaps allowed), strings or booleans. With `names` they must already be
        positions 0..C-1. `NoLabels` makes all examples one class without a name.
    names
        Names of all classes where the data set declares them (a ``ClassLabel`` feature). Classes that no
        example carries keep their place.
    lenient
        Whether a missing label becomes -1 instead of an error.

    Returns
    -------
    labels, class_names
        int64 [n] and [C]. Without `names` the classes are the sorted distinct values.

    Raises
    ------
    DataError
        If there are no labels, a label is missing, not a whole number, out of range, if there is one class
        only, or more classes than examples.
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
    missing, place = np.flatnonzero(empty), np.flatnonzero(~empty)
    if len(missing) and lenient and len(place):
        labels, spelled = _encode(column.iloc[place].infer_objects().reset_index(drop=True), names, place)
        every = np.full(len(column), -1, np.int64)
        every[place] = labels
        every.flags.writeable = False
        return every, spelled
    if len(missing):
        raise DataError(
            f"missing labels in {rows(missing)}",
            "one label for every example",
            "drop those rows or label them, or pass on_bad_rows='drop'",
        )
    return _encode(column, names, place)


def _encode(column: Any, names: tuple[str, ...] | None, place: IntArray) -> tuple[IntArray, tuple[str, ...]]:
    """Labels and names of a column without gaps, a pandas Series of the rows `place`."""
    import pandas as pd

    if pd.api.types.is_float_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)))
        if len(bad):
            raise DataError(
                f"label {float(numbers[bad[0]])!r} in {rows(place[bad])}",
                "classes: whole numbers, strings or booleans",
                "round or bin a regression target before auditing it as a classification",
            )
        column = column.astype(np.int64)
    elif not (
        pd.api.types.is_integer_dtype(column.dtype)
        or pd.api.types.is_bool_dtype(column.dtype)
        or pd.api.types.is_string_dtype(column)
        or isinstance(column.dtype, pd.CategoricalDtype)
        or column.map(lambda value: isinstance(value, (str, int, bool, np.integer, np.bool_))).all()
    ):
        raise DataError(
            f"labels of type {type(column.iloc[0]).__name__} ({column.dtype})",
            "classes: whole numbers, strings or booleans, one for every example",
            "pass a one-dimensional label column",
        )
    if names is not None:
        numbers = column.to_numpy(dtype=np.int64)
        bad = np.flatnonzero((numbers < 0) | (numbers >= len(names)))
        if len(bad):
            raise DataError(
                f"label {int(numbers[bad[0]])} in {rows(place[bad])}",
                f"a position in the {len(names)} declared classes (0..{len(names) - 1})",
                "correct those labels or the declared class names",
            )
        labels, spelled = numbers, tuple(names)
        present = len(np.unique(labels))
    else:
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
        labels, spelled = positions.astype(np.int64), tuple(str(value) for value in distinct.tolist())
        present = len(spelled)
    if present < 2:
        raise DataError(
            f"one class ({spelled[int(labels[0])]!r}) in all {len(labels)} examples",
            "at least two classes",
            "check the label column: a label is suspicious only against another",
        )
    if len(labels) < present or len(labels) < len(spelled):
        raise DataError(
            f"{len(labels)} examples of {len(spelled)} classes",
            "at least as many examples as classes",
            "pass more examples, or drop the classes that have none",
        )
    labels.flags.writeable = False
    return labels, spelled


def check_lengths(inputs: int, labels: int) -> None:
    """Raise unless there is one label for every input."""
    if inputs != labels:
        raise DataError(
            f"{inputs} inputs and {labels} labels",
            "one label for every input",
            "pass arrays of the same length",
        )
