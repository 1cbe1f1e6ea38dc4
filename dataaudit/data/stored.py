"""A data set whose inputs also lie in one memory-mapped array, and are read from there."""

from __future__ import annotations

from typing import Any

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.labelled import DerivedExamples

STREAM = "stream"
"""Folder beside stored representations that holds a data set which arrived as a stream."""


class StoredExamples(DerivedExamples):
    """Another `Examples` with its inputs in an array.

    Parameters
    ----------
    whole
        The data set.
    array
        Its inputs as read, [n, ...].
    """

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

    def _read(self, indices: IntArray) -> AnyArray:
        return self._array[indices]
