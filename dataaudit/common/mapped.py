"""Memory-mapped arrays by the paths of their files, for other processes."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray


@dataclass(frozen=True)
class MappedFile:
    """Memory-mapped array, or a view of one, by the absolute path of its file: other processes get it, and no copy.

    `start` is the byte of the file where the array begins.
    """

    path: str
    dtype: Any
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, inputs: Any) -> MappedFile | None:
        """File of an array that is mapped from one; None for others, and for copies that are written on."""
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
        """Map the array, read-only."""
        whole = np.memmap(self.path, np.uint8, "r")
        return np.ndarray(self.shape, self.dtype, whole, self.start, self.strides)

    def stamp(self) -> tuple[int, int]:
        """Bytes of the file, and when it was last written to, in nanoseconds."""
        stat = Path(self.path).stat()
        return stat.st_size, stat.st_mtime_ns
