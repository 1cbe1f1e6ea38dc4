"""Single-label classification: one class an example, predicted by softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.errors import DataError, rows
from dataaudit.tasks.base import Task

if TYPE_CHECKING:
    from torch import Tensor


class Classification(Task):
    """One class an example: the example is the unit, and the classes are its outcomes."""

    name = "classification"

    def encode(
        self, values: Any, names: tuple[str, ...] | None = None, lenient: bool = False
    ) -> tuple[IntArray, tuple[str, ...]]:
        """Turn a label column [n] into positions 0..C-1, int64 [n], and class names [C], the sorted distinct values.

        Labels are whole numbers (gaps allowed), strings or booleans. Where the data set declares the `names` of all
        classes (a ``ClassLabel`` feature), labels must be positions in them, and classes that no example carries keep
        theirs. There must be two classes at least, and no more than examples. A missing label becomes -1 if `lenient`.
        """
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
