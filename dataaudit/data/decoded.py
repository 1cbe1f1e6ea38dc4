"""Pixels of images that are read again and again, decoded once."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.common.versions import cores
from dataaudit_kernels.threads import in_order

MEMORY = 2**30
"""Most bytes of pixels that are kept in memory."""

ROWS = 16
"""Images that a thread decodes at a time."""


class Decoded:
    """Rows of images as they were first read, on as many threads as there are processors.

    Memory: those rows, up to `memory` bytes; beyond, they lie in a file of `folder`, memory-mapped, which goes with the
    process. Without a folder, or where that has no room, each row is decoded whenever it is read, and `notes` say so.

    Parameters
    ----------
    n
        Number of rows.
    folder
        Folder that the caller named for what takes room; None without one.
    memory
        Most bytes kept in memory.
    """

    def __init__(self, n: int, folder: str | Path | None = None, memory: int = MEMORY) -> None:
        self._n, self.folder, self._memory = n, folder, memory
        self._rows: AnyArray | None = None
        self._known = np.zeros(0, bool)
        self._lock = Lock()
        self._settled = False
        self.notes: list[str] = []
        """Notes for a reader of the audit."""

    def read(self, indices: IntArray, decode: Callable[[IntArray], AnyArray]) -> AnyArray:
        """Rows `indices` [b]; those that were not read before are decoded.

        Rows of another shape or type than the first are given as they are: whoever looks at them refuses them.
        """
        with self._lock:
            if not self._settled:
                self._settle(decode(indices[:1]))
        rows = self._rows
        if rows is None:
            return _on_threads(indices, decode)
        missing = np.unique(indices[~self._known[indices]])
        if len(missing):
            found = _on_threads(missing, decode)
            if found.shape[1:] != rows.shape[1:] or found.dtype != rows.dtype:
                return decode(indices)
            with self._lock:
                rows[missing] = found
                self._known[missing] = True
        return np.asarray(rows[indices])

    def _settle(self, first: AnyArray) -> None:
        """Make room for all rows, by the first."""
        self._settled = True
        size = self._n * first[0].nbytes
        shape = (self._n, *first.shape[1:])
        if size <= self._memory:
            self._rows = np.empty(shape, first.dtype)
        elif self.folder is None:
            self.notes.append(
                f"images are decoded in every pass: their {size / 2**30:.1f} GiB of pixels are more than the "
                f"{self._memory / 2**30:.1f} GiB that are kept in memory; cache= keeps them in a folder"
            )
        else:
            try:
                self._rows = _mapped(Path(self.folder), shape, first.dtype)
            except OSError as error:
                self.notes.append(
                    f"images are decoded in every pass: cache= has no room for their {size / 2**30:.1f} GiB of pixels "
                    f"({error.strerror})"
                )
        if self._rows is not None:
            self._known = np.zeros(self._n, bool)


def _mapped(folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> AnyArray:
    """An array in a file of a folder, which has room for all of it and no name."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder, prefix="decoded-") as file:
        # What is mapped and does not fit ends the process when it is written.
        _reserve(file, math.prod(shape) * dtype.itemsize)
        return np.memmap(file, dtype, "r+", shape=shape)


def _reserve(file: IO[bytes], size: int) -> None:
    """Have a file take `size` bytes; an `OSError` where there is no room."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    # macOS has no such call: what was written has its room.
    zeros = bytes(2**20)
    for start in range(0, size, len(zeros)):
        file.write(zeros[: size - start])
    file.flush()


def _on_threads(indices: IntArray, decode: Callable[[IntArray], AnyArray]) -> AnyArray:
    """Rows `indices`, decoded in parts; the first part that cannot be is the one whose error is raised."""
    threads = cores()
    parts = [indices[start : start + ROWS] for start in range(0, len(indices), ROWS)]
    if threads == 1 or len(parts) == 1:
        return decode(indices)
    decoded = list(in_order(decode, parts, threads))
    if len({(part.shape[1:], part.dtype) for part in decoded}) > 1:
        # Images of several sizes: reading them together says which.
        return decode(indices)
    return np.concatenate(decoded)
