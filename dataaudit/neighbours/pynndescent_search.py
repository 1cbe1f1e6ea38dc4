"""Search by pynndescent: a graph of near rows, made better by looking at neighbours of neighbours."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.errors import require
from dataaudit.neighbours.rows import Rows
from dataaudit.neighbours.torch_search import Torch

BLOCK_VALUES = 2**24
"""Numbers in a block of rows that are read."""

QUERIES = 4096
"""Rows with too few neighbours that are compared with all at a time."""

TRIALS = 256
"""Rows whose neighbours are compared with the true ones."""

STEPS = ((30, 0.01), (60, 0.001))
"""`max_candidates` and `delta`: the second where the first finds too few, by benchmarks/scale/libraries.py."""

MOST_CANDIDATES = 100
"""Most `max_candidates`: buffers for them would take 9 GB."""


@dataclass(frozen=True)
class PyNNDescent:
    """Search by the package pynndescent: nearest-neighbour descent (Dong, Moses, Li 2011) from random projection trees.

    Each row gets its neighbours when the graph is built, which happens when the first of them are asked for; Ctrl-C
    waits for that, and a process that is forked after it must build none. Rows that it gives too few are compared with
    all, and so are queries that are none of the rows, for walking a graph compiles for a minute. Memory: 4 bytes a row
    and neighbour; while the graph is built, a float32 copy of the rows, about 1 kB a row, and buffers of up to .8 GB
    for 30 candidates and 3 GB for 60.

    Parameters
    ----------
    n_neighbors
        Neighbours of each row in the graph; the depth that is asked for if None, or if that is more.
    max_candidates, delta
        Candidates that are compared for each row in a step, at most 100, and the share of the graph of which a step
        changes less when it is the last. Where either is None, 30 and .01, and then 60 and .001 where that finds too
        few.
    recall
        Share of the true neighbours that decides it, of a seeded sample of 256 rows. The share of another sample is
        measured and recorded in any case.
    random_state
        Seed; the same gives the same graph on the same machine and number of threads.

    Raises
    ------
    SettingError
        If an option is not as described.
    """

    n_neighbors: int | None = None
    max_candidates: int | None = None
    delta: float | None = None
    recall: float = 0.96
    random_state: int = 0
    name: str = "pynndescent"

    def __post_init__(self) -> None:
        numbers = {
            "n_neighbors": (1, None, "a whole number of at least 1"),
            "max_candidates": (1, MOST_CANDIDATES, f"a whole number from 1 to {MOST_CANDIDATES}"),
            "random_state": (0, 2**32 - 1, "a whole number from 0 to 2**32 - 1"),
        }
        for option, (least, most, expected) in numbers.items():
            if (value := getattr(self, option)) is not None or option == "random_state":
                number = checks.whole(option, value, least, f"leave out {option}=", most=most, expected=expected)
                object.__setattr__(self, option, number)
        if self.delta is not None:
            share = checks.number("delta", self.delta, 0, 1, "left", "a share from 0 to below 1", "leave out delta=")
            object.__setattr__(self, "delta", float(share))
        recall = checks.number("recall", self.recall, 0, 1, "right", "a share above 0, at most 1", "pass recall=0.96")
        object.__setattr__(self, "recall", recall)

    def check(self) -> None:
        """Raise unless pynndescent is installed."""
        require("pynndescent", "pynndescent", "search 'pynndescent'")

    def open(self, rows: Rows, depth: int) -> DescentIndex:
        """As `dataaudit.neighbours.base.NeighbourSearch.open`."""
        return DescentIndex(self, rows, depth)


class DescentIndex:
    """Rows of which a graph is built when it is asked for; keeps `dataaudit.neighbours.base.GraphIndex`."""

    exact = False

    def __init__(self, search: PyNNDescent, rows: Rows, depth: int) -> None:
        self._search, self._rows = search, rows
        self._n_neighbors = max(depth, min(len(rows), search.n_neighbors or depth))
        self._exact = Torch().open(rows, depth)
        self._built: dict[str, Any] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """As `dataaudit.neighbours.base.Index`: of the graph once it is built, and of all pairs before."""
        return self._built or self._exact.settings

    def __call__(self, queries: AnyArray, depth: int) -> IntArray:
        """As `dataaudit.neighbours.base.Index`, by all pairs."""
        return self._exact(queries, depth)

    def neighbours(self, positions: IntArray, depth: int) -> IntArray:
        """As `dataaudit.neighbours.base.GraphIndex`."""
        return np.asarray(self._graph[positions, :depth], np.int64)

    @cached_property
    def _graph(self) -> IntArray:
        """Rows near each, int32 [n, n_neighbors], itself among them."""
        from numba import get_num_threads

        search, wide = self._search, self._n_neighbors
        package = require("pynndescent", "pynndescent", "search 'pynndescent'")
        rows = self._in_memory()
        sample = None if None not in (search.max_candidates, search.delta) else TrueNeighbours(rows, wide)
        fixed = {"index": "graph", "n_neighbors": wide, "threads": get_num_threads(), "device": "cpu"}
        graph = None
        for most, change in STEPS:
            options = {
                "max_candidates": search.max_candidates or most,
                "delta": change if search.delta is None else search.delta,
            }
            with warnings.catch_warnings():
                # Neighbours that it does not find are -1 in the answer, and searched for below.
                warnings.filterwarnings("ignore", "Failed to correctly find", UserWarning)
                # What else the package holds is not kept while the next step runs.
                graph = package.NNDescent(
                    rows, n_neighbors=wide, init_graph=graph, random_state=search.random_state, **options
                ).neighbor_graph[0]
            self._built = {**fixed, **options}
            if sample is None:
                break
            reached = sample.recall(graph)
            self._built |= {"wanted_recall": search.recall, "tried_recall": reached, "tried_depth": wide}
            if reached >= search.recall:
                break
        return self._completed(cast("IntArray", graph), rows)

    def _completed(self, graph: IntArray, rows: AnyArray) -> IntArray:
        """The graph, with the true neighbours of rows that lack some."""
        short = np.flatnonzero((graph < 0).any(1))
        for first in range(0, len(short), QUERIES):
            part = short[first : first + QUERIES]
            graph[part] = self._exact(rows[part], graph.shape[1])
        return graph

    def _in_memory(self) -> AnyArray:
        """The rows as an array, float32 [n, d]."""
        if isinstance(self._rows, np.ndarray):
            return np.ascontiguousarray(self._rows, np.float32)
        n, d = self._rows.shape
        rows = np.empty((n, d), np.float32)
        step = max(1, BLOCK_VALUES // max(1, d))
        for first in range(0, n, step):
            rows[first : first + step] = self._rows[first : first + step]
        return rows


class TrueNeighbours:
    """How far the true `depth` neighbours of some rows are, each row itself among them."""

    def __init__(self, rows: AnyArray, depth: int) -> None:
        n = len(rows)
        self._rows = rows
        self._chosen = np.sort(np.random.default_rng(1).choice(n, min(n, TRIALS), replace=False))
        near = Torch().open(rows, depth)(rows[self._chosen], depth)
        self._furthest = self._squares(near).max(1)

    def _squares(self, near: IntArray) -> FloatArray:
        """Squared distances of the chosen rows to others, float64; infinite where there is none."""
        squares = np.full(near.shape, np.inf)
        for query, others, found in zip(self._chosen, near, squares, strict=True):
            there = others >= 0
            found[there] = ((self._rows[others[there]].astype(np.float64) - self._rows[query]) ** 2).sum(1)
        return squares

    def recall(self, graph: IntArray) -> float:
        """Share of the neighbours in a graph [n, depth] that are no further than the true one at the depth."""
        return float((self._squares(graph[self._chosen]) <= self._furthest[:, None]).mean())
