"""Rows for the workers of a cluster: mapped files are opened by their paths, arrays in memory are handed over once."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataaudit.cluster.schedule import BlockSchedule
from dataaudit.common.digests import digest
from dataaudit.common.mapped import MappedFile
from dataaudit.common.types import AnyArray
from dataaudit.errors import StorageError
from dataaudit.representations.base import Features, GradientFactors, are_rows

Held = AnyArray | MappedFile


@dataclass(frozen=True)
class Source:
    """Representation of a data set in the form in which workers receive it.

    `held` are the rows, or delta and inputs, layer after layer, whose `biases` say if they have one (None for rows);
    `stamps` are size and time of every mapped file when the call began, None for arrays in memory.
    """

    held: tuple[Held, ...]
    biases: tuple[bool, ...] | None
    stamps: tuple[tuple[int, int] | None, ...]

    @classmethod
    def of(cls, features: Features) -> Source:
        """Source of rows, or of factors of gradients."""
        if are_rows(features):
            arrays, biases = [np.asarray(features)], None
        else:
            arrays = [np.asarray(part) for delta, inputs, _ in features for part in (delta, inputs)]
            biases = tuple(bool(bias) for _, _, bias in features)
        held = tuple(MappedFile.of(array) or np.ascontiguousarray(array) for array in arrays)
        return cls(held, biases, tuple(part.stamp() if isinstance(part, MappedFile) else None for part in held))

    @property
    def form(self) -> list[list[object]]:
        """Shape and type of every array, as JSON values."""
        return [[list(part.shape), np.dtype(part.dtype).str] for part in self.held]

    @property
    def files(self) -> list[str]:
        """Paths of mapped files."""
        return [part.path for part in self.held if isinstance(part, MappedFile)]

    def part(self, rows: slice) -> Features:
        """Rows, or factors, of a range; raises `StorageError` if a file cannot be opened here."""
        arrays = [self._open(part)[rows] for part in self.held]
        if self.biases is None:
            return arrays[0]
        pairs = zip(arrays[::2], arrays[1::2], self.biases, strict=True)
        return [GradientFactors(delta, inputs, bias) for delta, inputs, bias in pairs]

    @staticmethod
    def _open(held: Held) -> AnyArray:
        if not isinstance(held, MappedFile):
            return held
        try:
            return held.open()
        except (OSError, ValueError, TypeError) as error:
            raise StorageError(
                f"the memory-mapped file {held.path}, which cannot be opened on {socket.gethostname()} "
                f"({type(error).__name__}: {error})",
                "rows that every node finds under the same path, as on a shared file system",
                ["put the file there", "load the rows into memory, from where they are handed to the workers"],
            ) from error

    def check_unchanged(self) -> None:
        """Raise `StorageError` if a mapped file was written to since the call began, or is another one here."""
        for part, stamp in zip(self.held, self.stamps, strict=True):
            if not isinstance(part, MappedFile):
                continue
            try:
                size, written = part.stamp()
            except OSError:
                self._open(part)
                raise
            if (size, written) != stamp:
                raise changed(part.path, f"{size} bytes, last written at {written} ns", f"{stamp}")

    def digest(self, rows: slice) -> str:
        """Digest of the rows, or factors, of a range."""
        digests = []
        for part in self.held:
            array = self._open(part)[rows]
            step = max(1, 2**24 // max(1, array[:1].nbytes))
            blocks = (np.ascontiguousarray(array[first : first + step]) for first in range(0, len(array), step))
            digests.append("".join(digest(block.data) for block in blocks if block.size))
        return digest("-".join(digests).encode())

    def digests(self, schedule: BlockSchedule) -> Sequence[str]:
        """Digest of every range: one pass over all rows, on as many threads as there are cores."""
        from dataaudit_kernels.threads import in_order

        numbers = range(schedule.ranges)
        threads = min(os.cpu_count() or 1, 8)
        return list(in_order(lambda number: self.digest(schedule.slice_of(number)), numbers, threads))


LET_BE = "let nothing write to it and call again, with another folder where finished blocks are kept in one"


def changed(path: str, arrived: str, expected: str, action: str | Sequence[str] = LET_BE) -> StorageError:
    """Error about a file whose rows are not those that the call began with."""
    return StorageError(
        f"{path}, which was changed while its rows were read, or is another file on {socket.gethostname()}: {arrived}",
        f"the rows that the call began with: {expected}",
        action,
    )
