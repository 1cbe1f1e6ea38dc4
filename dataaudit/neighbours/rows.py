"""Rows for a search: in a random order, centred, float32, computed block by block from where they lie."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol

import numpy as np

from dataaudit.common.mapped import MappedFile
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.common.units import centre_and_unit
from dataaudit.errors import DataError, rows
from dataaudit.representations.base import NOT_FINITE

VALUES = 2**22
"""Values of the given rows that are held in float64 at a time."""


class Rows(Protocol):
    """Rows [n, d] of which a part is read at a time; a float32 array is one."""

    @property
    @abstractmethod
    def shape(self) -> Any:
        """(n, d)."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows n."""

    @abstractmethod
    def __getitem__(self, wanted: Any, /) -> AnyArray:
        """Rows of a slice or at positions, float32 [b, d]."""


class CentredRows:
    """Rows in a random order, less their centre and in a unit of their own; squared norms then lose least to rounding.

    Nothing is copied but what is read: one pass at construction takes the mean of `given` [n, d] (an array, mapped or
    not, or rows in pieces), and raises `DataError` where a row holds NaN or infinity, or as
    `dataaudit.common.units.centre_and_unit`. Row i is row `order`[i] of `given`. About `block_values` numbers are read
    at a time.
    """

    def __init__(self, given: Any, order: IntArray, block_values: int = VALUES) -> None:
        self.given, self._order = given, order
        n, d = given.shape
        self.shape: tuple[int, int] = (n, d)
        self._step = step = max(1, block_values // max(1, d))
        total, low, high = np.zeros(d), np.full(d, np.inf), np.full(d, -np.inf)
        bad: list[int] = []
        for first in range(0, n, step):
            block = given[first : first + step]
            total += block.sum(0, dtype=np.float64)
            # Neither the least nor the largest value of a column hides a NaN.
            least, most = block.min(0), block.max(0)
            if not (np.isfinite(least).all() and np.isfinite(most).all()):
                bad.extend((np.flatnonzero(~np.isfinite(block).all(1)) + first).tolist())
            low, high = np.minimum(low, least), np.maximum(high, most)
        if bad:
            raise DataError(f"NaN or infinite values in {rows(bad)}", "finite rows, for distances", NOT_FINITE)
        mean = total / n
        largest = float(np.maximum(high - mean, mean - low).max(initial=0.0))
        self._centre, self._unit = centre_and_unit(given, mean, largest, block_values)

    def __getstate__(self) -> dict[str, Any]:
        """State for another process: a memory-mapped file goes by its name, and is mapped there, not copied."""
        return {**self.__dict__, "given": MappedFile.of(self.given) or self.given}

    def __setstate__(self, state: dict[str, Any]) -> None:
        given = state["given"]
        self.__dict__.update(state, given=given.open() if isinstance(given, MappedFile) else given)

    def __len__(self) -> int:
        """Number of rows n."""
        return self.shape[0]

    def __getitem__(self, wanted: slice | IntArray, /) -> AnyArray:
        """Rows of a slice or at positions, float32 [b, d], a new array."""
        positions = self._order[wanted]
        block = np.empty((len(positions), self.shape[1]), np.float32)
        for first in range(0, len(positions), self._step):
            part = slice(first, first + self._step)
            block[part] = (self.given[positions[part]] - self._centre) / self._unit
        return block


class ConvertedRows:
    """Rows [n, d] of a type that distances are not compiled for, converted to `dtype` as they are read."""

    def __init__(self, given: Any, dtype: Any) -> None:
        self._given, self._dtype = given, dtype
        self.shape = given.shape

    def __len__(self) -> int:
        """Number of rows n."""
        return len(self._given)

    def __getitem__(self, wanted: slice | IntArray, /) -> AnyArray:
        """Rows of a slice or at positions."""
        return np.asarray(self._given[wanted]).astype(self._dtype)
