"""Search by pynndescent: a graph of near rows, made better by looking at neighbours of neighbours."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.errors import SettingError, require
from dataaudit.neighbours.rows import Rows
from dataaudit.neighbours.torch_search import Torch

MOST_ROWS = 2**24
"""Most rows: pynndescent keeps their numbers in float32 while it builds."""

BLOCK_VALUES = 2**24
"""Numbers in a block of rows that are read."""

TRIALS = 256
"""Rows whose neighbours are compared with the true ones."""

STEPS = ((30, 0.01), (60, 0.001))
"""Candidates of a row, and the share of changes at which the graph is done: the second where the first finds too few.

Chosen on clustered and isotropic rows, 100000 of each (benchmarks/scale/libraries.py).
"""


@dataclass(frozen=True)
class PyNNDescent:
    """Search by the package pynndescent: nearest-neighbour descent (Dong, Moses, Li 2011) from random projection trees.

    Each row has its neighbours when the graph is built, which happens when the first of them are asked for. Others than
    its rows are compared with all of them, for walking a graph compiles for a minute. Memory: 4 bytes a row and
    neighbour; while the graph is built, a float32 copy of the rows and about 2 kB a row
    (benchmarks/scale/libraries.py).

    Parameters
    ----------
    n_neighbors
        Neighbours of each row in the graph, at least the depth; the depth if None.
    max_candidates, delta
        Neighbours of neighbours that a step looks at, for each row, and the share of the graph of which a step changes
        less when it is done. Where either is None, 30 and .01, and 60 and .001 on top where 30 find too few.
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
        for option in ("n_neighbors", "max_candidates"):
            if getattr(self, option) is not None:
                checks.whole(option, getattr(self, option), 1, f"leave out {option}=")
        checks.whole("random_state", self.random_state, 0, "leave out random_state=", most=2**32 - 1)
        if self.delta is not None:
            checks.number("delta", self.delta, 0, 1, "left", "a share from 0 to below 1", "leave out delta=")
        checks.number("recall", self.recall, 0, 1, "right", "a share above 0, at most 1", "pass recall=0.96")

    def check(self) -> None:
        """Raise unless pynndescent is installed."""
        require("pynndescent", "pynndescent", "search 'pynndescent'")

    def open(self, rows: Rows, depth: int) -> Descent:
        """As `dataaudit.neighbours.base.NeighbourSearch.open`."""
        if len(rows) > MOST_ROWS:
            raise SettingError(
                f"{len(rows)} rows for search 'pynndescent'", f"at most {MOST_ROWS}", "pass search='ivf'"
            )
        return Descent(self, rows, depth)


class Descent:
    """Rows of which a graph is built when it is asked for; keeps `dataaudit.neighbours.base.GraphIndex`."""

    exact = False

    def __init__(self, search: PyNNDescent, rows: Rows, depth: int) -> None:
        self._search, self._rows = search, rows
        self._wide = max(depth, min(len(rows), search.n_neighbors or depth))
        self._all = Torch().open(rows, depth)
        self._built: dict[str, Any] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """As `dataaudit.neighbours.base.Index`: how the graph was built, once it is, and what answers other queries."""
        return {"index": "graph", "n_neighbors": self._wide, **self._built, "others": "all pairs", "device": "cpu"}

    def __call__(self, queries: AnyArray, depth: int) -> IntArray:
        """As `dataaudit.neighbours.base.Index`, by all pairs."""
        return self._all(queries, depth)

    def near(self, positions: IntArray, depth: int) -> IntArray:
        """As `dataaudit.neighbours.base.GraphIndex`."""
        return np.asarray(self._graph[positions, :depth], np.int64)

    @cached_property
    def _graph(self) -> IntArray:
        """Rows near each, int32 [n, wide], itself among them, -1 where none was found."""
        search, (n, d) = self._search, self._rows.shape
        package = require("pynndescent", "pynndescent", "search 'pynndescent'")
        data = np.empty((n, d), np.float32)
        step = max(1, BLOCK_VALUES // max(1, d))
        for first in range(0, n, step):
            data[first : first + step] = self._rows[first : first + step]
        trial = None if None not in (search.max_candidates, search.delta) else Trial(data, self._wide)
        graph = None
        for most, change in STEPS:
            options = {
                "max_candidates": search.max_candidates or most,
                "delta": change if search.delta is None else search.delta,
            }
            with warnings.catch_warnings():
                # Neighbours that it does not find are -1 in the answer, and told by whoever asked.
                warnings.filterwarnings("ignore", "Failed to correctly find", UserWarning)
                built = package.NNDescent(
                    data, n_neighbors=self._wide, init_graph=graph, random_state=search.random_state, **options
                )
            graph = built.neighbor_graph[0]
            self._built = options
            if trial is None:
                break
            reached = trial.recall(graph)
            self._built |= {"wanted_recall": search.recall, "tried_recall": reached, "tried_depth": self._wide}
            if reached >= search.recall:
                break
        return cast("IntArray", graph)


class Trial:
    """Some rows and how far the true `depth` neighbours of each are, the row itself among them."""

    def __init__(self, rows: AnyArray, depth: int) -> None:
        n = len(rows)
        self._rows = rows
        self._chosen = np.sort(np.random.default_rng(1).choice(n, min(n, TRIALS), replace=False))
        near = Torch().open(rows, depth)(rows[self._chosen], depth)
        self._edge = self._squares(near).max(1)

    def _squares(self, near: IntArray) -> FloatArray:
        """Squared distances of the chosen rows to others, float64; infinite where there is none."""
        squares = np.full(near.shape, np.inf)
        for query, others, found in zip(self._chosen, near, squares, strict=True):
            there = others >= 0
            found[there] = ((self._rows[others[there]].astype(np.float64) - self._rows[query]) ** 2).sum(1)
        return squares

    def recall(self, graph: IntArray) -> float:
        """Share of the neighbours in a graph [n, depth] that are no further than the true one at the depth."""
        return float((self._squares(graph[self._chosen]) <= self._edge[:, None]).mean())
