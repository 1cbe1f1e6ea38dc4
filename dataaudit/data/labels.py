"""Labels as a caller has them: positions of classes and class names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.spelling import class_name
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.containers import as_hugging_face, is_column, is_columns, listing
from dataaudit.data.kinds import dimensions, is_table, is_tensor
from dataaudit.errors import DataError, SettingError
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION, ONE_HOT, label_column


@dataclass(frozen=True)
class NoLabels:
    """Stand-in for the labels of `count` examples that have none."""

    count: int

    def __len__(self) -> int:
        """Number of examples."""
        return self.count


@dataclass(frozen=True)
class Declared:
    """Labels that are positions in declared class names."""

    values: Any
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Number of labels."""
        return len(self.values)


def no_label_values(unlabelled: Any) -> tuple[Any, ...] | None:
    """Values that mean "no label", of ``unlabelled=``: one value or several; None for none."""
    if unlabelled is None:
        return None
    several = isinstance(unlabelled, (list, tuple, set, frozenset, np.ndarray))
    values = tuple(
        np.asarray(unlabelled).tolist()
        if isinstance(unlabelled, np.ndarray)
        else unlabelled
        if several
        else [unlabelled]
    )
    if not values or not all(isinstance(value, (str, bytes, int, float, bool, np.generic)) for value in values):
        raise SettingError(
            f"unlabelled={unlabelled!r}",
            "a value, or a list of values, that stand where a label is missing",
            ["pass unlabelled=-1, for example", "pass unlabelled='unknown', for example"],
        )
    return values


def encode_labels(
    values: Any,
    names: tuple[str, ...] | None = None,
    lenient: bool = False,
    task: Task = CLASSIFICATION,
    unlabelled: tuple[Any, ...] | None = None,
) -> tuple[IntArray, tuple[str, ...]]:
    """Labels and names of a label column by ``task.encode``; `NoLabels` makes all one class without a name.

    Values among `unlabelled` are taken for missing; where there are `names`, they may name one.
    """
    if isinstance(values, NoLabels):
        return np.zeros(len(values), np.int64), ("",)
    if isinstance(values, Declared):
        values, names = values.values, values.names
    if unlabelled is not None and not task.label_shape:
        column = label_column(values)
        meant = [class_name(value) if isinstance(value, bytes) else value for value in unlabelled]
        meant += [position for position, name in enumerate(names or ()) if name in meant]
        values = column.astype(object).where(~column.isin(meant), None)
    return task.encode(values, names, lenient)


def label_values(labels: Any, task: Task = CLASSIFICATION) -> Any:
    """Labels [n, *label_shape], in a container of any kind, as something that `encode_labels` takes.

    One column [n, 1] is taken for [n], and so is whatever else has one label a row.
    """
    if isinstance(labels, NoLabels):
        return labels
    values = _plain(labels)
    if isinstance(values, Declared):
        return values
    if not task.label_shape and is_table(values) and values.shape[1] == 1:
        values = values.iloc[:, 0]
    elif not task.label_shape and isinstance(values, np.ndarray) and values.ndim > 1 and values.size in values.shape:
        values = np.asarray(values).reshape(-1)
    known = isinstance(values, (np.ndarray, list, tuple, range)) or type(values).__module__.split(".")[0] == "pandas"
    fields = values.dtype.names if isinstance(values, np.ndarray) else None
    if not known or fields or dimensions(values) != 1 + len(task.label_shape):
        shape = f" of shape {tuple(values.shape)}" if isinstance(values, np.ndarray) or dimensions(values) != 1 else ""
        raise DataError(
            f"labels{shape} ({type(labels).__name__})",
            "one label for every example: a one-dimensional array, list, tensor or column",
            f"pass one of their fields: labels[{fields[0]!r}]" if fields else listing(labels, "labels") or ONE_HOT,
        )
    return values


def unmasked(values: Any) -> AnyArray:
    """Values of a masked array, None where one is masked."""
    plain: AnyArray = np.asarray(values.data)
    if np.ma.is_masked(values):
        plain = plain.astype(object)
        plain[np.ma.getmaskarray(values)] = None
    return plain


def _plain(labels: Any) -> Any:
    """Labels of tensors, columns of other packages and masked arrays, as NumPy, Python or pandas hold them."""
    if is_tensor(labels):
        return labels.detach().cpu().numpy()
    if isinstance(labels, np.ma.MaskedArray):
        return unmasked(labels)
    if is_column(labels) or (is_columns(labels) and labels.shape[1] == 1):
        dataset = as_hugging_face(labels)
        name = dataset.column_names[0]
        values = dataset.with_format("arrow")[:][name].to_pandas()
        names = getattr(dataset.features[name], "names", None)
        return values if names is None else Declared(values, tuple(names))
    if isinstance(labels, (list, tuple)) and any(is_tensor(label) and label.ndim == 0 for label in labels):
        return [label.item() if is_tensor(label) and label.ndim == 0 else label for label in labels]
    return labels


def check_lengths(inputs: int, labels: int) -> None:
    """Raise unless there is one label for every input."""
    if inputs != labels:
        raise DataError(
            f"{inputs} inputs and {labels} labels",
            "one label for every input",
            "pass arrays of the same length",
        )
