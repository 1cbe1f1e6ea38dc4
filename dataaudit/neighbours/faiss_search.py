"""Search by FAISS: all pairs in blocks, or cells of k-means.

On the CPU the rows of cells are compared by our own kernel, `dataaudit.neighbours.cells`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import SettingError, require
from dataaudit.neighbours.base import FunctionIndex
from dataaudit.neighbours.cells import LINKS, PER_CELL, CellIndex
from dataaudit.neighbours.rows import Rows

INDICES = ("exact", "ivf")

VALUES = 2**24
"""Values of the rows that are held at a time beside an index: 64 MiB."""

TRIALS = 256
"""Rows on which the number of probes is tried."""

LINKED_ROWS = 200_000
"""Fewest rows of which "ivf" on the CPU follows links as well: below, cells alone are searched in seconds."""

GPU_MOST = 2048
"""Most neighbours, and most cells, that FAISS's kernels for CUDA search for a query."""

GPU_ROOM = 2**31
"""Bytes of a device that are left to FAISS's own buffers."""


@dataclass(frozen=True)
class Faiss:
    """Search by FAISS: all pairs, or an index that leaves most of them out.

    Memory: "exact" holds two blocks of 64 MiB and the answers, however many rows there are; rows that are memory-mapped
    stay on disk. "ivf" holds a float32 copy of the rows, with 12 bytes a row, and is filled block by block; on a device
    where the search runs there. From 200000 rows on it holds links on the CPU, 200 bytes a row, and 200 more while it
    builds them.

    Parameters
    ----------
    index
        "exact" (all pairs), or "ivf" (cells of k-means, of which the nearest few are searched).
    cells, probes
        Of "ivf": cells (four times the square root of n if None), and how many are searched; as few as `recall` takes
        if None.
    recall
        Share of the true neighbours that `probes`, if None, must find of a seeded sample of 256 rows. The share of
        another sample is measured and recorded in any case.
    gpu
        Whether "exact" and "ivf" run on the first CUDA device. If None, where FAISS has one, at most 2048 neighbours
        are searched and the copy of "ivf" fits in its free memory; the settings recorded name the device.
    linked_rows
        Fewest rows of which "ivf" on the CPU follows links.
    block_values
        Numbers in a block of rows, about.

    Raises
    ------
    SettingError
        If an option is not as described.
    """

    index: str = "exact"
    cells: int | None = None
    probes: int | None = None
    recall: float = 0.96
    gpu: bool | None = None
    linked_rows: int = LINKED_ROWS
    block_values: int = VALUES
    name: str = "faiss"

    def __post_init__(self) -> None:
        checks.choice(f"index {self.index!r}", self.index, INDICES, "a known one")
        for option in ("cells", "probes"):
            value = getattr(self, option)
            if value is not None:
                checks.whole(option, value, 1, f"leave out {option}=")
        checks.whole("block_values", self.block_values, 1, "leave out block_values=")
        recall = checks.number("recall", self.recall, 0, 1, "right", "a share above 0, at most 1", "pass recall=0.96")
        object.__setattr__(self, "recall", recall)
        if self.gpu not in (None, True, False):
            raise SettingError(f"gpu={self.gpu!r}", "True, False or None", "pass gpu=None")

    def check(self) -> None:
        """Raise unless FAISS is installed, with a GPU if `gpu` is True."""
        faiss = require("faiss", "cpu", "search 'faiss'")
        if self.gpu and not gpus(faiss):
            raise SettingError(
                "gpu=True where FAISS has no CUDA device", "faiss-gpu and a CUDA device", "pass gpu=None"
            )

    def open(self, rows: Rows, depth: int) -> FunctionIndex:
        """As `dataaudit.neighbours.base.NeighbourSearch.open`."""
        faiss = require("faiss", "cpu", "search 'faiss'")
        index, resources = self.index, self._resources(faiss, rows, depth)
        device = "cpu" if resources is None else "cuda"
        if index == "exact":
            settings = {"index": index, "device": device}
            return FunctionIndex(
                True, settings, lambda queries, depth: self._nearest(faiss, rows, queries, depth, resources)[1]
            )
        opened, chosen = self._cells(faiss, rows, depth, resources)
        settings = {"index": index, **chosen, "device": device}
        return FunctionIndex(False, settings, lambda queries, depth: cast("IntArray", opened.search(queries, depth)[1]))

    def _resources(self, faiss: Any, rows: Rows, depth: int) -> Any:
        """FAISS's hold on a CUDA device, or None for the CPU."""
        index = self.index
        if self.gpu is False or not gpus(faiss):
            return None
        probes = self.probes or 1
        if max(depth, probes) > GPU_MOST:
            wrong = f"gpu=True, {depth} neighbours, {probes} probes", f"at most {GPU_MOST} of each on a CUDA device"
        elif index == "ivf" and (needed := 4 * rows.shape[0] * (rows.shape[1] + 2) + GPU_ROOM) > (
            free := free_memory()
        ):
            wrong = f"gpu=True for rows that take {needed} bytes", f"rows that fit in the {free} bytes that are free"
        else:
            return faiss.StandardGpuResources()
        if self.gpu:
            raise SettingError(*wrong, "pass gpu=None")
        return None

    def _cells(self, faiss: Any, rows: Rows, depth: int, resources: Any) -> tuple[Any, dict[str, Any]]:
        n = rows.shape[0]
        cells = min(n, self.cells or max(1, round(4 * n**0.5)))
        sample = _sample(n, min(n, PER_CELL * cells), 0)
        index: Any
        if resources is None:
            linked = n >= self.linked_rows
            index, most = CellIndex(faiss, rows, cells, sample, self._blocks(rows, 1), linked), cells
        else:
            index, most = (
                _cells_on_device(faiss, rows, cells, sample, self._blocks(rows, 1), resources),
                min(cells, GPU_MOST),
            )
        settings: dict[str, Any] = {"cells": cells, "trained_on": len(sample)}
        if resources is None and linked:
            settings["links"] = LINKS
        if self.probes is not None:
            index.nprobe = min(self.probes, most)
            return index, {**settings, "probes": index.nprobe}
        reached = self._probe(faiss, index, rows, depth, most, resources)
        tried = {"wanted_recall": self.recall, "tried_recall": reached, "tried_depth": depth}
        return index, {**settings, "probes": index.nprobe, **tried}

    def _blocks(self, rows: Rows, least: int) -> Iterator[slice]:
        n, d = rows.shape
        step = max(least, self.block_values // max(1, d))
        return (slice(first, min(first + step, n)) for first in range(0, n, step))

    def _nearest(
        self, faiss: Any, rows: Rows, queries: AnyArray, depth: int, resources: Any
    ) -> tuple[AnyArray, IntArray]:
        """Squared distances float32 [b, depth], ascending, and rows of all pairs, the rows block by block."""
        squares: AnyArray = np.empty((len(queries), 0), np.float32)
        nearest: IntArray = np.empty((len(queries), 0), np.int64)
        for block in self._blocks(rows, depth):
            part = np.ascontiguousarray(rows[block])
            few = min(depth, len(part))
            search = faiss.knn if resources is None else partial(faiss.knn_gpu, resources)
            apart, near = search(queries, part, few)
            if not block.start and block.stop == len(rows):
                return apart, near
            squares, nearest = np.concatenate([squares, apart], 1), np.concatenate([nearest, near + block.start], 1)
            order = np.argsort(squares, axis=1, kind="stable")[:, :depth]
            squares, nearest = np.take_along_axis(squares, order, 1), np.take_along_axis(nearest, order, 1)
        return squares, nearest

    def _probe(self, faiss: Any, index: Any, rows: Rows, depth: int, most: int, resources: Any) -> float:
        """Raise the probes of `index` until a sample has the wanted recall, at most to `most`; the recall there."""
        chosen = _sample(len(rows), min(len(rows), TRIALS), 1)
        queries = np.ascontiguousarray(rows[chosen])
        edge = self._nearest(faiss, rows, queries, depth, resources)[0][:, depth - 1]
        # Scans and matrix products round squared distances differently.
        room = 1e-5 * (edge + (queries.astype(np.float64) ** 2).sum(1))
        probes = 1
        while True:
            index.nprobe = probes
            squares, nearest = index.search(queries, depth)
            reached = float(((squares <= (edge + room)[:, None]) & (nearest >= 0)).mean())
            if reached >= self.recall or probes == most:
                return reached
            probes = min(most, max(probes + 1, round(probes * 2**0.5)))


def gpus(faiss: Any) -> int:
    """Number of CUDA devices that FAISS has."""
    # Builds without CUDA may lack the function.
    return int(getattr(faiss, "get_num_gpus", int)())


def _sample(n: int, count: int, seed: int) -> IntArray:
    return np.sort(np.random.default_rng(seed).choice(n, count, replace=False))


def _cells_on_device(
    faiss: Any, rows: Rows, cells: int, sample: IntArray, blocks: Iterator[slice], resources: Any
) -> Any:
    """FAISS's own index of cells, on the first CUDA device."""
    d = rows.shape[1]
    index = faiss.index_cpu_to_gpu(resources, 0, faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, cells))
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = PER_CELL
    index.train(np.ascontiguousarray(rows[sample]))
    for block in blocks:
        index.add(np.ascontiguousarray(rows[block]))
    return index


def free_memory() -> int:
    """Free bytes of the first CUDA device."""
    import torch

    return int(torch.cuda.mem_get_info(0)[0])
