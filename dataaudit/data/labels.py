"""Labels as a caller has them: positions of classes and class names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.kinds import dimensions, is_tensor
from dataaudit.errors import DataError
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION


@dataclass(frozen=True)
class NoLabels:
    """Stand-in for the labels of `count` examples that have none."""

    count: int

    def __len__(self) -> int:
        """Number of examples."""
        return self.count


def encode_labels(
    values: Any, names: tuple[str, ...] | None = None, lenient: bool = False, task: Task = CLASSIFICATION
) -> tuple[IntArray, tuple[str, ...]]:
    """Labels and names of a label column by ``task.encode``; `NoLabels` makes all one class without a name."""
    if isinstance(values, NoLabels):
        return np.zeros(len(values), np.int64), ("",)
    return task.encode(values, names, lenient)


def label_values(labels: Any, task: Task = CLASSIFICATION) -> Any:
    """Labels [n, *label_shape], an array, list, tensor or pandas column, as something that `encode_labels` takes."""
    if isinstance(labels, NoLabels):
        return labels
    values = labels.detach().cpu().numpy() if is_tensor(labels) else labels
    known = isinstance(values, (np.ndarray, list, tuple, range)) or type(values).__module__.split(".")[0] == "pandas"
    if not known or dimensions(values) != 1 + len(task.label_shape):
        shape = f" of shape {tuple(values.shape)}" if isinstance(values, np.ndarray) or dimensions(values) != 1 else ""
        raise DataError(
            f"labels{shape} ({type(labels).__name__})",
            "one label for every example: a one-dimensional array, list, tensor or pandas Series",
            "pass class numbers or names; one-hot rows become classes with argmax(axis=1)",
        )
    return values


def check_lengths(inputs: int, labels: int) -> None:
    """Raise unless there is one label for every input."""
    if inputs != labels:
        raise DataError(
            f"{inputs} inputs and {labels} labels",
            "one label for every input",
            "pass arrays of the same length",
        )
