"""What all adapters share: fixed labels, and reading no rows at all."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.examples import Examples, NoLabels
from dataaudit.data.kinds import dimensions, is_tensor
from dataaudit.errors import DataError


class LabelledExamples(Examples):
    """Base of the adapters: labels and class names, fixed at construction.

    Parameters
    ----------
    labels
        int64 [n], positions in `class_names`.
    class_names
        [C].
    """

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


class DerivedExamples(LabelledExamples):
    """Rows of another `Examples`, which keep what it says of itself.

    Parameters
    ----------
    whole
        The data set.
    labels
        int64 [n], positions in its class names.
    """

    def __init__(self, whole: Examples, labels: IntArray) -> None:
        super().__init__(labels, whole.class_names)
        self.whole = whole
        self.columns, self.class_columns, self.label_column = whole.columns, whole.class_columns, whole.label_column
        self.transform, self.origin, self.notes = whole.transform, whole.origin, whole.notes

    @property
    def source(self) -> str:
        """Kind of the data set."""
        return self.whole.source

    @property
    def dropped(self) -> IntArray:
        """Rows of the caller's data set that were left out, ascending."""
        return self.whole.dropped


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
    if not known or dimensions(found) != 1:
        shape = f" of shape {tuple(found.shape)}" if isinstance(found, np.ndarray) or dimensions(found) != 1 else ""
        raise DataError(
            f"labels{shape} ({type(labels).__name__})",
            "one label for every example: a one-dimensional array, list, tensor or pandas Series",
            "pass class numbers or names; one-hot rows become classes with argmax(axis=1)",
        )
    return found
