"""Single-label classification: one class an example, predicted by softmax."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.ma.core import MaskedConstant

from dataaudit.common.spelling import class_name, escaped
from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.errors import DataError, rows
from dataaudit.tasks.base import DAMAGED, MISSING, Task

if TYPE_CHECKING:
    from torch import Tensor


class Classification(Task):
    """One class an example: the example is the unit, and the classes are its outcomes."""

    name = "classification"

    def encode(
        self, values: Any, names: tuple[str, ...] | None = None, lenient: bool = False
    ) -> tuple[IntArray, tuple[str, ...]]:
        """Turn a label column [n] into positions 0..C-1, int64 [n], and class names [C], the sorted distinct values.

        Labels are whole numbers (gaps allowed), strings, bytes or booleans. Where the data set declares the `names` of
        all classes (a ``ClassLabel`` feature), labels must be positions in them, -1 means none, and classes that no
        example carries keep theirs. There must be two classes at least, and no more than examples.
        """
        import pandas as pd

        column = label_column(values)
        if len(column) == 0:
            raise DataError("an empty data set", "at least two examples of two classes", "pass a data set with rows")
        empty = column.isna().to_numpy()
        if names is not None:
            # Hugging Face's "no label" of a ClassLabel.
            numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
            empty = empty | (numbers == -1)
        if empty.all():
            raise DataError(
                f"no label in any of {len(column)} rows",
                "labels of at least two classes",
                ["name the column of labels with label=", "leave out of unlabelled= what is a class"],
            )
        known = np.flatnonzero(~empty)
        labels = np.full(len(column), MISSING, np.int64)
        labels[known], spelled = _encode(_narrowed(column.iloc[known]), names, known, lenient)
        labels.flags.writeable = False
        return labels, spelled

    def units(self, examples: Any) -> Any:
        """The examples themselves."""
        return examples

    def unit_labels(self, labels: Any) -> Any:
        """The labels themselves."""
        return labels

    def outcomes(self, classes: int) -> int:
        """The classes."""
        return classes

    def loss(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Mean softmax cross-entropy."""
        from torch.nn import functional

        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)

    def measure(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Measurements of `Task.measure` float32 [b, 7] and softmax probabilities [b, C]."""
        import torch

        log_probabilities = logits.log_softmax(1)
        probabilities = log_probabilities.exp()
        label = labels.unsqueeze(1)
        given = logits.gather(1, label)
        other, rival = logits.scatter(1, label, -torch.inf).max(1, keepdim=True)
        confidence = probabilities.gather(1, label)
        margin = given - other
        # As argmax: the lowest class wins a tie.
        right = (margin > 0) | ((margin == 0) & (label < rival))
        error = probabilities.scatter_add(1, label, torch.full_like(confidence, -1.0))
        columns = (
            margin,
            confidence,
            torch.maximum(confidence, probabilities.gather(1, rival)),
            error.norm(dim=1, keepdim=True),
            -log_probabilities.gather(1, label),
            right.to(logits.dtype),
            torch.where(right, label, rival).to(logits.dtype),
        )
        return torch.cat(columns, 1), probabilities

    def outcome(self, logits: FloatArray, labels: IntArray) -> tuple[BoolArray, FloatArray]:
        """Correctness of the largest logit, the first among equals, and the label's softmax probability."""
        from scipy.special import log_softmax

        probability = np.exp(log_softmax(logits, axis=1)[np.arange(len(labels)), labels])
        return logits.argmax(axis=1) == labels, probability

    def groups(self, labels: IntArray) -> IntArray:
        """The classes."""
        return labels

    def aggregate(self, values: FloatArray) -> FloatArray:
        """The values themselves."""
        return values

    def feeds(self, part: str) -> bool:
        """All of the evidence."""
        return True


CLASSIFICATION = Classification()

ONE_HOT = "pass class numbers or names; one-hot rows become classes with numpy.asarray(labels).argmax(axis=1)"
AS_TEXT = "pass each label as text: [str(label) for label in labels]"
"""Advice on labels of other kinds, for whatever container they are in."""


def label_column(values: Any) -> Any:
    """A pandas Series of labels as they are, bytes decoded, members named, lists of one label taken for it.

    Strings of lists and arrays stay Python's.
    """
    import pandas as pd

    if isinstance(values, np.ndarray) and values.dtype.kind == "S":
        values = values.astype(object)
    if isinstance(values, (list, tuple)) and any(isinstance(value, (str, *SPELLED)) for value in values):
        # Typed columns have no place for all that a string may hold.
        values = pd.Series(list(values), dtype=object)
    column = pd.Series(values).reset_index(drop=True)
    stored: Any = column.dtype
    if str(stored).startswith("dictionary"):
        column = column.astype(pd.ArrowDtype(stored.pyarrow_dtype.value_type))
    if "list<" in str(stored):
        column = column.astype(object)
    if column.dtype == object and len(column) and all(map(_is_one, column)):
        column = pd.Series([value[0] for value in column], dtype=object)
    if column.dtype.kind == "O" and any(isinstance(value, SPELLED) for value in column):
        column = pd.Series([_spelled(value) for value in column], dtype=object)
    return column


SPELLED = (bytes, Enum, MaskedConstant)
"""Labels that are not taken as they are."""


def _spelled(value: Any) -> Any:
    """Bytes as text, a member of an enumeration by its name, what is masked as missing."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, MaskedConstant):
        return None
    return class_name(value) if isinstance(value, bytes) else value


def _is_one(value: Any) -> bool:
    """Tell whether that is a list, tuple or array of one value."""
    return (
        value.shape == (1,) if isinstance(value, np.ndarray) else isinstance(value, (list, tuple)) and len(value) == 1
    )


def _narrowed(column: Any) -> Any:
    """The column, numbers that are Python's objects as an array holds them."""
    column = column.reset_index(drop=True)
    strings = column.dtype == object and column.map(lambda value: isinstance(value, str)).any()
    return column if strings else column.infer_objects()


def _encode(
    column: Any, names: tuple[str, ...] | None, known: IntArray, lenient: bool
) -> tuple[IntArray, tuple[str, ...]]:
    """Labels and names of a column without gaps, a pandas Series of the rows `known`."""
    column, right = _as_classes(column, known, lenient)
    labels = np.full(len(column), DAMAGED, np.int64)
    if names is None:
        labels[right], spelled = _distinct(column[right])
    else:
        labels, spelled = _positions(column, names, known, lenient), tuple(map(escaped, names))
    present = np.unique(labels[labels >= 0])
    if len(present) < 2:
        only = f"one class ({spelled[int(present[0])]!r})" if len(present) else "no class that is declared"
        raise DataError(
            f"{only} in all {len(labels)} examples",
            "at least two classes",
            "name another column of labels with label=: a label is suspicious only against another",
        )
    if len(labels) < len(spelled):
        raise DataError(
            f"{len(labels)} examples of {len(spelled)} classes",
            "at least as many examples as classes",
            ["pass more examples", "declare those classes alone that some example has"],
        )
    return labels, spelled


def _as_classes(column: Any, known: IntArray, lenient: bool) -> tuple[Any, BoolArray]:
    """The column, whole numbers stored as floats as integers, and which labels can be right."""
    import pandas as pd

    kinds = pd.api.types
    right = np.ones(len(column), bool)
    if kinds.is_float_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64)
        right = np.isfinite(numbers) | (not lenient)
        bad = np.flatnonzero(right & (~np.isfinite(numbers) | (numbers != np.floor(numbers))))
        if len(bad) or not right.any():
            first = bad[0] if len(bad) else 0
            infinite = not np.isfinite(numbers[bad]).any() and right.any() and not lenient
            raise DataError(
                f"label {float(numbers[first])!r} in {rows(known[bad] if len(bad) else known)}",
                "classes: whole numbers, strings or booleans",
                "pass on_bad_rows='drop'" if infinite else "make classes of the numbers first, such as bins",
            )
        large = np.flatnonzero(right & (np.abs(numbers) >= 2.0**63))
        if len(large):
            raise DataError(
                f"label {float(numbers[large[0]])!r} in {rows(known[large])}",
                "classes: whole numbers of at most 64 bits, strings or booleans",
                AS_TEXT,
            )
        return pd.Series(np.where(right, numbers, 0.0)).astype(np.int64), right
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
            ONE_HOT if isinstance(column.iloc[0], (list, tuple, np.ndarray)) else AS_TEXT,
        )
    return column, right


def _positions(column: Any, names: tuple[str, ...], known: IntArray, lenient: bool) -> IntArray:
    """Labels that are positions in the declared `names`; others are damaged."""
    try:
        numbers: IntArray = column.to_numpy(dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"labels of type {type(column.iloc[0]).__name__} beside declared class names",
            f"positions in the {len(names)} declared classes",
            "pass the names as labels, without declared names",
        ) from error
    bad = np.flatnonzero((numbers < 0) | (numbers >= len(names)))
    if len(bad) and not lenient:
        raise DataError(
            f"label {int(numbers[bad[0]])} in {rows(known[bad])}",
            f"a position in the {len(names)} declared classes (0..{len(names) - 1})",
            ["correct those labels, or the declared names", "pass on_bad_rows='drop'"],
        )
    numbers = numbers.copy()
    numbers[bad] = DAMAGED
    return numbers


def _distinct(column: Any) -> tuple[IntArray, tuple[str, ...]]:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype)
    kinds = {_kind(value) for value in column.unique()} if column.dtype == object else set()
    if len(kinds) > 1:
        raise DataError(
            f"labels of several types ({', '.join(sorted(kind.__name__ for kind in kinds))})",
            "labels of one type",
            AS_TEXT,
        )
    distinct, positions = np.unique(column.to_numpy(), return_inverse=True)
    return positions.astype(np.int64), tuple(class_name(value) for value in distinct.tolist())


def _kind(value: Any) -> type:
    """Type of a label; strings and whole numbers of NumPy are those of Python."""
    return next((kind for kind, alike in ALIKE.items() if isinstance(value, alike)), type(value))


ALIKE: dict[type, tuple[type, ...]] = {bool: (bool, np.bool_), str: (str,), int: (int, np.integer)}
