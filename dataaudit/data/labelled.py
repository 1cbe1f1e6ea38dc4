"""What all adapters share: fixed labels, and reading no rows at all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.examples import Examples, NoLabels
from dataaudit.data.kinds import is_tensor
from dataaudit.errors import DataError


@dataclass(frozen=True)
class Origin:
    """What a caller passed as a data set, and how it is read.

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


class LabelledExamples(Examples):
    """Base of the adapters: labels and class names, fixed at construction.

    Parameters
    ----------
    labels
        int64 [n], positions in `class_names`.
    class_names
        [C].
    """

    origin: Origin | None = None
    """What the caller passed, by reference; not sent to other processes."""
    label_column: Any = None
    """Label column, where there is one."""

    def __init__(self, labels: IntArray, class_names: tuple[str, ...]) -> None:
        self._labels = labels
        self._class_names = class_names

    def __getstate__(self) -> dict[str, Any]:
        """State for another process, which reads rows and needs nothing else."""
        return {name: value for name, value in self.__dict__.items() if name != "origin"}

    @property
    def labels(self) -> IntArray:
        """Given labels, int64 [n], positions in `class_names`; read-only."""
        return self._labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names as the data set spells them, [C]."""
        return self._class_names

    def __len__(self) -> int:
        """Number of examples n."""
        return len(self._labels)

    def read(self, indices: IntArray) -> Any:
        """Inputs of the rows `indices` [b]: a NumPy array [b, ...], or a DataFrame with b rows.

        Raises
        ------
        DataError
            If a row cannot be read; it is named.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        # No rows still have a shape and a type, which only a row can tell.
        return self._read(wanted) if len(wanted) else self._read(np.zeros(1, dtype=np.int64))[:0]

    @abstractmethod
    def _read(self, indices: IntArray) -> Any:
        """`read` for at least one row."""


def label_values(labels: Any) -> Any:
    """Labels [n] as something that `encode_labels` takes.

    Raises
    ------
    DataError
        If they are no one-dimensional array, list or pandas column.
    """
    if isinstance(labels, NoLabels):
        return labels
    found = labels.detach().cpu().numpy() if is_tensor(labels) else labels
    known = isinstance(found, (np.ndarray, list, tuple, range)) or type(found).__module__.partition(".")[0] == "pandas"
    if not known or getattr(found, "ndim", 1) != 1:
        shape = f" of shape {tuple(found.shape)}" if hasattr(found, "shape") else ""
        raise DataError(
            f"labels{shape} ({type(labels).__name__})",
            "one label for every example: a one-dimensional array, list, tensor or pandas Series",
            "pass class numbers or names; one-hot rows become classes with argmax(axis=1)",
        )
    return found
