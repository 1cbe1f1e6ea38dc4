"""What finds nearest neighbours: the protocol, the searches that come with it, and their choice."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dataaudit.errors import MissingPackageError, SettingError, did_you_mean, require
from dataaudit.neighbours.base import is_whole
from dataaudit.registry import Registry
from dataaudit.types import AnyArray, IntArray

REGISTRY = Registry(
    "search",
    {name: f"dataaudit.neighbours.search:{name}" for name in ("faiss", "torch")},
    group="dataaudit.searches",
)

QUERIES = 4096
"""Queries that FAISS answers at a time."""

INDICES = ("exact", "hnsw", "ivf")

Advance = Callable[[int], Any]
Ask = Callable[[AnyArray, int], IntArray]
"""(queries float32 [b, d], depth) -> indices of the rows nearest to each, int64 [b, depth], -1 where none is found."""


@runtime_checkable
class NeighbourSearch(Protocol):
    """Rows near each row.

    Laws
    ----
    - ``find`` gives the same indices for the same arguments on the same machine, and does not change them.
    - Where ``exact``, no row that is left out is nearer than one that is found, to float32 rounding of squared norms.
    - Whatever it cannot do, it refuses; it never hands over to another search.

    Distances are computed anew in float64 for what is found: rounding here can only swap a neighbour at the depth's
    edge. `dataaudit.testing.SearchContract` checks the laws. A package registers searches (instances) in the
    entry-point group ``dataaudit.searches``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name, for the audit's settings."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether every neighbour is found; where not, recall is measured and recorded."""

    @abstractmethod
    def describe(self, rows: AnyArray) -> dict[str, Any]:
        """What else an audit records of a search among `rows`; JSON values."""

    @abstractmethod
    def check(self) -> None:
        """Raise `SettingError` or `MissingPackageError` where this machine cannot run it."""

    @abstractmethod
    def find(self, rows: AnyArray, depth: int, advance: Advance) -> IntArray:
        """Indices of the `depth` rows nearest to each, itself among them, int64 [n, depth] in any order.

        Parameters
        ----------
        rows
            Centred, float32 [n, d], contiguous.
        depth
            At most n. Where an approximate search finds fewer, -1 stands in their place.
        advance
            Called with numbers of rows done that add up to n.
        """

    @abstractmethod
    def open(self, rows: AnyArray, depth: int) -> Ask:
        """Search among `rows`, float32 [n, d], for queries that may be others; answers come nearest first.

        Parameters
        ----------
        rows
            As in `find`.
        depth
            The largest that will be asked for.
        """


@dataclass(frozen=True)
class Faiss:
    """Search by FAISS: all pairs, or an index that leaves most of them out.

    Parameters
    ----------
    index
        "exact" (all pairs), "hnsw" (a graph that is walked; built on one thread, for a graph built on several
        differs from run to run) or "ivf" (cells of k-means, of which the nearest few are searched).
    links, effort
        Of "hnsw": links a row, and candidates that a walk keeps, at least the depth.
    cells, probes
        Of "ivf": cells (four times the square root of n if None), and how many are searched.
    gpu
        Whether the exact search runs on the first CUDA device; where FAISS has one if None.

    Raises
    ------
    SettingError
        If an option is not as described.
    """

    index: str = "exact"
    links: int = 32
    effort: int = 200
    cells: int | None = None
    probes: int = 16
    gpu: bool | None = None
    name: str = "faiss"

    def __post_init__(self) -> None:
        if self.index not in INDICES:
            raise SettingError(f"index {self.index!r}", "a known one", did_you_mean(self.index, INDICES))
        for option in ("links", "effort", "cells", "probes"):
            value = getattr(self, option)
            if (value is not None or option != "cells") and (not is_whole(value) or value < 1):
                raise SettingError(f"{option}={value!r}", "a whole number of at least 1", f"leave out {option}=")
        if self.gpu not in (None, True, False) or (self.gpu and self.index != "exact"):
            raise SettingError(
                f"gpu={self.gpu!r} for index {self.index!r}", "True or False, True for 'exact' alone", "pass gpu=None"
            )

    @property
    def exact(self) -> bool:
        """Whether all pairs are compared."""
        return self.index == "exact"

    def describe(self, rows: AnyArray) -> dict[str, Any]:
        """Index, its options and the device."""
        options = {"hnsw": {"links": self.links, "effort": self.effort}, "ivf": {"cells": self._cells(len(rows))}}
        if self.index == "ivf":
            options["ivf"]["probes"] = min(self.probes, self._cells(len(rows)))
        return {"index": self.index, **options.get(self.index, {}), "device": "cuda" if self._on_gpu() else "cpu"}

    def check(self) -> None:
        """Raise unless FAISS is installed, with a GPU if one is asked for."""
        faiss = require("faiss", "cpu", "search 'faiss'")
        if self.gpu and not getattr(faiss, "get_num_gpus", int)():
            raise SettingError(
                "gpu=True where FAISS has no CUDA device", "faiss-gpu and a CUDA device", "pass gpu=None"
            )

    def _cells(self, n: int) -> int:
        return min(n, self.cells or max(1, round(4 * n**0.5)))

    def _on_gpu(self) -> bool:
        faiss = require("faiss", "cpu", "search 'faiss'")
        has = bool(getattr(faiss, "get_num_gpus", int)())
        return self.index == "exact" and (has if self.gpu is None else self.gpu)

    def find(self, rows: AnyArray, depth: int, advance: Advance) -> IntArray:
        """As `NeighbourSearch.find`. Memory: the answer, and for "hnsw" and "ivf" a copy of the rows."""
        ask = self.open(rows, depth)
        found = np.empty((len(rows), depth), np.int64)
        for start in range(0, len(rows), QUERIES):
            part = slice(start, start + QUERIES)
            found[part] = ask(rows[part], depth)
            advance(len(rows[part]))
        return found

    def open(self, rows: AnyArray, depth: int) -> Ask:
        """As `NeighbourSearch.open`."""
        faiss = require("faiss", "cpu", "search 'faiss'")
        return self._all_pairs(faiss, rows) if self.exact else self._index(faiss, rows, depth)

    def _all_pairs(self, faiss: Any, rows: AnyArray) -> Ask:
        if self._on_gpu():
            resources = faiss.StandardGpuResources()
            return lambda queries, depth: faiss.knn_gpu(resources, queries, rows, depth)[1]
        return lambda queries, depth: faiss.knn(queries, rows, depth)[1]

    def _index(self, faiss: Any, rows: AnyArray, depth: int) -> Ask:
        d = rows.shape[1]
        if self.index == "ivf":
            index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, self._cells(len(rows)))
            index.own_fields = False
            index.cp.min_points_per_centroid = 1
            index.train(rows)
            index.add(rows)
            index.nprobe = min(self.probes, self._cells(len(rows)))
        else:
            index = faiss.IndexHNSWFlat(d, self.links)
            threads = faiss.omp_get_max_threads()
            try:
                faiss.omp_set_num_threads(1)
                index.add(rows)
            finally:
                faiss.omp_set_num_threads(threads)
            index.hnsw.efSearch = max(self.effort, depth)
        return lambda queries, depth: index.search(queries, depth)[1]


@dataclass(frozen=True)
class Torch:
    """Search over all pairs by torch, in blocks of queries.

    Parameters
    ----------
    device
        Torch device; the CPU if None.
    block
        Squared distances that are held at a time; 2**26 take 256 MiB.
    """

    device: str | None = None
    block: int = 2**26
    name: str = "torch"
    exact: bool = True

    def describe(self, rows: AnyArray) -> dict[str, Any]:
        """Where it runs."""
        return {"index": "exact", "device": self.device or "cpu"}

    def check(self) -> None:
        """Raise unless torch has that device."""
        import torch

        if not is_whole(self.block) or self.block < 1:
            raise SettingError(f"block={self.block!r}", "a whole number of at least 1", "leave out block=")
        try:
            torch.empty(0, device=self.device or "cpu")
        except (RuntimeError, AssertionError) as error:
            raise SettingError(f"device={self.device!r}: {error}", "a torch device", "pass device=None") from error

    def find(self, rows: AnyArray, depth: int, advance: Advance) -> IntArray:
        """As `NeighbourSearch.find`. Memory: the answer, `block` distances and, on a device, a copy of the rows."""
        import torch

        with torch.no_grad():
            data = torch.from_numpy(rows).to(self.device or "cpu")
            squares = (data * data).sum(1)
            found = np.empty((len(rows), depth), np.int64)
            step = max(1, self.block // len(rows))
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                # The query's own norm moves all its distances alike.
                apart = torch.addmm(squares, data[part], data.T, alpha=-2.0)
                found[part] = apart.topk(depth, dim=1, largest=False, sorted=False).indices.cpu().numpy()
                advance(len(rows[part]))
        return found

    def open(self, rows: AnyArray, depth: int) -> Ask:
        """As `NeighbourSearch.open`."""
        import torch

        data = torch.from_numpy(rows).to(self.device or "cpu")
        squares = (data * data).sum(1)

        @torch.no_grad()
        def ask(queries: AnyArray, wanted: int) -> IntArray:
            found = np.empty((len(queries), wanted), np.int64)
            step = max(1, self.block // len(rows))
            for start in range(0, len(queries), step):
                part = torch.from_numpy(queries[start : start + step]).to(data.device)
                apart = torch.addmm(squares, part, data.T, alpha=-2.0)
                found[start : start + step] = apart.topk(wanted, dim=1, largest=False).indices.cpu().numpy()
            return found

        return ask


faiss, torch = Faiss(), Torch()


def resolve(search: str | NeighbourSearch) -> NeighbourSearch:
    """Search by name or instance, checked.

    "auto" is FAISS where it is installed, and torch otherwise.

    Raises
    ------
    SettingError
        If the name is unknown, the object is no search, or this machine cannot run it.
    MissingPackageError
        If its package is not installed.
    """
    if isinstance(search, str) and search == "auto":
        try:
            require("faiss", "cpu", "search 'faiss'")
        except MissingPackageError:
            search = "torch"
        else:
            search = "faiss"
    found = REGISTRY.get(search) if isinstance(search, str) else search
    if not isinstance(found, NeighbourSearch) or isinstance(found, type):
        names = ["auto", *REGISTRY.names()]
        raise SettingError(f"search={search!r}", "the name of a search, or one", did_you_mean(search, names))
    found.check()
    return found
