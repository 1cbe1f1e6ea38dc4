"""Kernel sums of millions of rows at small bandwidths: neighbours exactly, all others from a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import IntArray
from dataaudit.density.base import PLAIN, Context, DensityEngine
from dataaudit.density.sampled import SampledEngine, as_rows, estimated
from dataaudit.density.sums import DensitySums
from dataaudit.errors import require
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import resolve
from dataaudit.representations.base import Features
from dataaudit.representations.spaces import Space

RECORDED = ("search", "index", "recall", "recall_depth")
"""Settings of the graph that are recorded with the sums."""


@dataclass(frozen=True)
class FaissEngine(DensityEngine):
    """Sums over the nearest rows exactly, from the graph that neighbour scores use, and over all others from a sample.

    The graph is the one that neighbour scores of the same representation share, by the ``search=`` of
    `dataaudit.score`; that of gradients, which are written out, comes from search "auto". Neighbours that were missed
    are among those sampled, so that sums are unbiased whatever the recall. It is meant for sums of which few neighbours
    hold most: at small bandwidths, and for rows of very different density; benchmarks/scale/near.py compares it with
    engine "sampled". Engine "auto" never takes it. Classes of at most four samples are summed exactly, as by engine
    "sampled".

    Parameters
    ----------
    depth
        Neighbours that are summed exactly.
    tolerance, sample, exact_class, seed, threads
        As in `dataaudit.density.sampled.SampledEngine`.

    Examples
    --------
    >>> FaissEngine(depth=100).name
    'faiss'
    """

    depth: int = 50
    tolerance: float | None = 1e-3
    sample: int = 65536
    exact_class: int | None = None
    seed: int | None = None
    threads: int | None = None
    name: str = "faiss"

    @property
    def reads_pieces(self) -> bool:
        """As `DensityEngine.reads_pieces`."""
        return True

    def check(self) -> None:
        """Raise `SettingError` unless all settings are as described, and `MissingPackageError` without FAISS."""
        require("faiss", "cpu", "engine 'faiss'")
        checks.whole("depth", self.depth, 1, "leave depth out")
        SampledEngine(self.tolerance, self.sample, self.exact_class, True, self.seed, self.threads).check()

    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """As `SampledEngine.sums`; with a graph of its own where none is handed over."""
        rows, graph = as_rows(features, self.name), context.graph
        if graph is None and len(rows) > 1:
            need, seed = NeighbourNeed(Space("input"), self.depth), context.seed if self.seed is None else self.seed
            graph = neighbour_graph(need, rows, {}, resolve("auto"), seed, False)
        depth = min(self.depth, graph.depth) if graph is not None else 0
        neighbours = np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0))
        if graph is not None:
            neighbours = graph.indices[:, :depth], graph.distances[:, :depth]
        sums = estimated(self, rows, labels, bandwidth, context, neighbours=neighbours)
        search: dict[str, Any] = {} if graph is None else graph.settings
        kept: dict[str, Any] = {name: search[name] for name in RECORDED if name in search}
        return replace(sums, settings={**sums.settings, "near": depth, **kept})
