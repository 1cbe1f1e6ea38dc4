"""A data set whose inputs also lie in one memory-mapped array, and are read from there."""

from __future__ import annotations

from typing import Any

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.labelled import LabelledExamples

STREAM = "stream"
"""Folder beside stored representations that holds a data set which arrived as a stream."""


class StoredExamples(LabelledExamples):
    """Another `Examples` with its inputs in an array.

    Parameters
    ----------
    whole
        The data set.
    array
        Its inputs as read, [n, ...].
    """

    array: AnyArray

    def __init__(self, whole: Examples, array: AnyArray) -> None:
        super().__init__(whole.labels, whole.class_names)
        self.whole, self.array = whole, array
        self.origin = getattr(whole, "origin", None)
        self.label_column = getattr(whole, "label_column", None)

    @property
    def source(self) -> str:
        """What the data set is."""
        return self.whole.source

    def show(self, index: int) -> Any:
        """Row `index` as the data set shows it."""
        return self.whole.show(index)

    def _read(self, indices: IntArray) -> AnyArray:
        return self.array[indices]
