"""Destinations of the rows of a representation, which arrive batch by batch: memory, or a store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from dataaudit.common.types import AnyArray


class Kept(Protocol):
    """Rows [n, d] that arrive in order."""

    @property
    @abstractmethod
    def done(self) -> int:
        """Number of rows that are there already and need not be computed again."""

    @abstractmethod
    def put(self, first: int, values: AnyArray) -> None:
        """Keep rows from `first` on, [b, d]; those that are there already are left alone."""

    @abstractmethod
    def whole(self) -> AnyArray:
        """All rows [n, d], once all have been put."""


Keep: TypeAlias = Callable[[str], Kept]
"""Part of a representation ("rows", or a layer's factor) -> where its rows go."""


class InMemory:
    """Rows in one array in memory."""

    done = 0

    def __init__(self, n: int) -> None:
        self._n = n
        self._kept: AnyArray | None = None

    def put(self, first: int, values: AnyArray) -> None:
        """As `Kept.put`."""
        if self._kept is None:
            self._kept = np.empty((self._n, values.shape[1]), values.dtype)
        self._kept[first : first + len(values)] = values

    def whole(self) -> AnyArray:
        """As `Kept.whole`."""
        assert self._kept is not None
        return self._kept


def in_memory(n: int) -> Keep:
    """All parts in memory."""
    return lambda part: InMemory(n)
