"""Neighbours on a Ray cluster: queries in shards, each answered by a search of one machine."""

from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dataaudit.cluster.schedule import AHEAD
from dataaudit.cluster.source import Source
from dataaudit.cluster.tasks import MAPPED, refuse
from dataaudit.common import checks
from dataaudit.common.mapped import MappedFile
from dataaudit.common.ray_tasks import RayPool, TaskFailure, TaskResources
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import SettingError, require
from dataaudit.neighbours import search as searches
from dataaudit.neighbours.base import Index, NeighbourSearch
from dataaudit.neighbours.pynndescent_search import PyNNDescent
from dataaudit.neighbours.rows import CentredRows, Rows


@dataclass(frozen=True)
class RaySearch:
    """A neighbour search whose queries are sharded over the workers of a Ray cluster.

    Every worker opens the rows once: memory-mapped ones from their file, those in memory from the copy of its node.
    An approximate search is built by each of them. A shard that was lost with its worker or node is answered again,
    and no other. Shards begin at multiples of `block_queries`: answers do not depend on the number of workers.

    Parameters
    ----------
    search
        Search that answers a shard: a name, or a `dataaudit.neighbours.search.NeighbourSearch`. "pynndescent", which
        answers for its own rows, is none.
    block_queries
        Queries of a shard.
    num_cpus, num_gpus, resources
        What a shard takes; as in ``ray.remote``.
    address
        Of a cluster to connect to, as in ``ray.init``; the Ray of this process, or a local one that lives as long as
        the index, if None.
    retries
        How often a shard is answered again whose worker or node was lost.

    Raises
    ------
    SettingError
        If a number is none, or out of its range.
    """

    search: str | NeighbourSearch = "torch"
    block_queries: int = 1024
    num_cpus: float = 1
    num_gpus: float = 0
    resources: Mapping[str, float] | None = None
    address: str | None = None
    retries: int = 3
    name: str = "ray"

    def __post_init__(self) -> None:
        checks.whole("block_queries", self.block_queries, 1, "leave out block_queries=")
        _ = self._resources

    @property
    def _resources(self) -> TaskResources:
        return TaskResources(self.num_cpus, self.num_gpus, self.resources, self.address, self.retries)

    @property
    def _inner(self) -> NeighbourSearch:
        # A graph answers for its own rows, not for shards of queries.
        if self.search in ("ray", "pynndescent") or isinstance(self.search, (RaySearch, PyNNDescent)):
            raise SettingError(
                f"search={self.search!r} for shards of RaySearch",
                "a search of queries on one machine",
                "pass search='torch'",
            )
        if self.num_gpus and not isinstance(self.search, str):
            return self.search
        return searches.resolve(self.search)

    @property
    def _failed(self) -> Callable[[TaskFailure], Any]:
        return partial(refuse, "RaySearch", f"block_queries={max(1, self.block_queries // 2)}")

    def check(self) -> None:
        """Raise unless Ray is installed, and the search of shards runs."""
        require("ray", "ray", "search 'ray'")
        _ = self._inner

    def open(self, rows: Rows, depth: int) -> RayIndex:
        """As `dataaudit.neighbours.base.NeighbourSearch.open`."""
        original: Any = rows.given if isinstance(rows, CentredRows) else rows
        watched = Source.of(original) if MappedFile.of(original) is not None else None
        job = SearchJob(self._inner, MappedFile.of(rows) or rows, depth, watched, uuid.uuid4().hex)
        with ExitStack() as stack:
            pool = stack.enter_context(RayPool(self._resources, "tasks of RaySearch"))
            shared = pool.share(job, MAPPED)
            ((_, (exact, inner)),) = pool.run(shared, [None], self._failed)
            # A search that chooses names what it chose.
            inner = {"shard_search": inner.get("search", job.search.name), **inner, "block_queries": self.block_queries}
            settings = {name: value for name, value in inner.items() if name != "search"}
            index = RayIndex(exact, settings, pool, shared, self.block_queries, self._failed)
            weakref.finalize(index, stack.pop_all().close)
        return index


@dataclass(frozen=True, eq=False)
class RayIndex:
    """Rows that workers have open."""

    exact: bool
    settings: dict[str, Any]
    pool: RayPool
    shared: Any
    block: int
    failed: Callable[[TaskFailure], Any]

    def __call__(self, queries: AnyArray, depth: int) -> IntArray:
        """As `dataaudit.neighbours.base.Index`; a shard that failed or was lost too often raises `ClusterError`."""
        nearest = np.empty((len(queries), depth), np.int64)
        starts = range(0, len(queries), self.block)
        shards = [(queries[start : start + self.block], depth) for start in starts]
        with closing(self.pool.run(self.shared, shards, self.failed, AHEAD)) as answers:
            for position, answer in answers:
                nearest[starts[position] : starts[position] + self.block] = answer
        return nearest


@dataclass(frozen=True)
class SearchJob:
    """Work that every worker is handed; `key` distinguishes open rows from others.

    `depth` is the largest number of neighbours requested, `watched` the file that rows are mapped from, if any.
    """

    search: NeighbourSearch
    rows: Rows | MappedFile
    depth: int
    watched: Source | None
    key: str

    def __call__(self, shard: tuple[AnyArray, int] | None) -> Any:
        """Answer (queries, depth), int64 [m, depth]; without them, whether answers are exact, and the settings."""
        index = self._opened()
        if shard is None:
            return index.exact, index.settings
        queries, depth = shard
        answer = index(np.ascontiguousarray(queries), depth)
        if self.watched is not None:
            self.watched.check_unchanged()
        return answer

    def _opened(self) -> Index:
        """Open the rows; this process keeps them until others are needed."""
        if self.watched is not None:
            self.watched.check_unchanged()
        if _OPEN.key != self.key:
            rows = self.rows.open() if isinstance(self.rows, MappedFile) else self.rows
            _OPEN.index, _OPEN.key = self.search.open(rows, self.depth), self.key
        assert _OPEN.index is not None
        return _OPEN.index


@dataclass
class _Opened:
    key: str = ""
    index: Index | None = None


_OPEN = _Opened()
