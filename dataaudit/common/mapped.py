"""Where a memory-mapped array lies: what other processes are told in place of a copy."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray


@dataclass(frozen=True)
class MappedFile:
    """A memory-mapped array, or a view of one, by the name of its file.

    Attributes
    ----------
    path
        Of the file, absolute.
    dtype, shape, strides
        Of the array.
    start
        Byte of the file where it begins.
    """

    path: str
    dtype: Any
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, inputs: Any) -> MappedFile | None:
        """Place of an array that is mapped from a file; None for others, and for copies that are written on."""
        root = inputs
        while isinstance(root, np.ndarray) and not (isinstance(root, np.memmap) and isinstance(root.base, mmap)):
            root = root.base
        if not isinstance(root, np.memmap) or root.filename is None or root.mode not in ("r", "r+", "w+"):
            return None
        root.flush()
        first, begin = (array.__array_interface__["data"][0] for array in (inputs, root))
        path = str(Path(root.filename).absolute())
        return cls(path, inputs.dtype, root.offset + first - begin, inputs.shape, inputs.strides)

    def open(self) -> AnyArray:
        """The array, read-only."""
        whole = np.memmap(self.path, np.uint8, "r")
        return np.ndarray(self.shape, self.dtype, whole, self.start, self.strides)

    def stamp(self) -> tuple[int, int]:
        """Bytes of the file, and when it was last written to, in nanoseconds."""
        stat = Path(self.path).stat()
        return stat.st_size, stat.st_mtime_ns
