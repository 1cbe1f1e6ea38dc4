"""Rows that lie in several pieces of memory, or of a memory-mapped file, read as if they were one array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray


class ChunkedRows:
    """Arrays [b, ...] of one type and shape of rows below each other, never joined except by ``numpy.asarray``.

    Rows are flat, whatever the arrays' axes and their order in memory.

    Slices and arrays of positions give new arrays of these rows; nothing else is copied.
    """

    ndim = 2

    def __init__(self, chunks: Sequence[AnyArray]) -> None:
        self._chunks = list(chunks)
        self._ends = np.cumsum([len(chunk) for chunk in self._chunks])
        self.shape = (int(self._ends[-1]), math.prod(self._chunks[0].shape[1:]))
        self.dtype = self._chunks[0].dtype

    def __len__(self) -> int:
        """Number of rows n."""
        return self.shape[0]

    def __getitem__(self, wanted: slice | IntArray) -> AnyArray:
        """Rows of a slice or at positions, [b, d], a new array."""
        positions = np.arange(*wanted.indices(len(self))) if isinstance(wanted, slice) else np.asarray(wanted)
        taken = np.empty((len(positions), self.shape[1]), self.dtype)
        owner = np.searchsorted(self._ends, positions, side="right")
        order = np.argsort(owner, kind="stable")
        present, starts = np.unique(owner[order], return_index=True)
        stops = [*starts[1:], len(order)]
        for number, start, stop in zip(present.tolist(), starts, stops if len(order) else [], strict=True):
            part = order[start:stop]
            chunk = self._chunks[number]
            found = chunk[positions[part] - (self._ends[number] - len(chunk))]
            taken[part] = found.reshape(len(part), self.shape[1])
        return taken

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        """All rows in one new array."""
        if copy is False:
            raise ValueError("rows in several pieces cannot be one array without a copy")
        joined = np.empty(self.shape, self.dtype)
        for chunk, end in zip(self._chunks, self._ends, strict=True):
            joined[end - len(chunk) : end].reshape(chunk.shape)[:] = chunk
        return joined if dtype is None else joined.astype(dtype, copy=False)
