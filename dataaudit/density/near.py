"""Kernel sums of millions of rows at small bandwidths: neighbours exactly, all others from a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.base import DensitySums, SumErrors
from dataaudit.density.sampled import SampledEngine, WrittenOut
from dataaudit.errors import require
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.search import resolve
from dataaudit.representations.base import Features, GradientFactors, are_rows


@dataclass(frozen=True)
class FaissEngine:
    """Sums over the nearest rows exactly, from the graph that neighbour scores use, and over all others from a sample.

    The graph is the one that neighbour scores of the same representation share, by the ``search=`` of
    `dataaudit.score`; that of gradients, which are written out, is made by search "auto". Neighbours that were missed
    are among those sampled, so that sums are unbiased whatever the recall. It is meant for
    sums of which few neighbours hold most: at small bandwidths, and for rows of very different density;
    benchmarks/scale/near.py compares it with engine "sampled". Engine "auto" never takes it. Classes of at most four
    samples are summed exactly, as by engine "sampled".

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

    def describe(self, represented: Features) -> dict[str, Any]:
        """Precision, and what was asked for; `estimates` records how many neighbours there were."""
        return {"precision": "float32", "tolerance": self.tolerance, "most_members": self.sample, "near": self.depth}

    def check(self) -> None:
        """Raise `SettingError` unless all settings are as described, and `MissingPackageError` without FAISS."""
        require("faiss", "cpu", "engine 'faiss'")
        checks.whole("depth", self.depth, 1, "leave depth out")
        SampledEngine(self.tolerance, self.sample, self.exact_class, True, self.seed, self.threads).check()

    def sums(
        self, represented: Features, labels: IntArray, bandwidth: float, advance: Callable[[float], Any]
    ) -> tuple[FloatArray, FloatArray]:
        """As `DensityEngine.sums`; seed 0 where the engine has none."""
        found = self.estimates(represented, labels, bandwidth, 0, advance)
        return found.total, found.same

    def estimates(
        self,
        represented: Features,
        labels: IntArray,
        bandwidth: float,
        seed: int,
        advance: Callable[[float], Any],
        graph: Neighbours | None = None,
    ) -> DensitySums:
        """As `dataaudit.density.engines.NearEngine.estimates`.

        Raises
        ------
        SettingError
            If a gradient holds over 16384 numbers.
        ValueError
            If rows hold NaN or infinity (they are named), or change while they are read.
        """
        from dataaudit_kernels.rbf_near import near_sums

        seed = seed if self.seed is None else self.seed
        factors = cast("Sequence[GradientFactors]", represented)
        rows: Any = represented if are_rows(represented) else WrittenOut(factors, self.name)
        if graph is None and len(rows) > 1:
            graph = neighbour_graph(NeighbourNeed("input", depth=self.depth), rows, {}, resolve("auto"), seed, False)
        depth = min(self.depth, graph.depth) if graph is not None else 0
        found = near_sums(
            rows,
            labels,
            bandwidth,
            np.empty((len(rows), 0), np.int64) if graph is None else graph.indices[:, :depth],
            np.empty((len(rows), 0)) if graph is None else graph.distances[:, :depth],
            tolerance=self.tolerance,
            sample=self.sample,
            exact_class=self.exact_class,
            seed=seed,
            threads=self.threads,
            advance=advance,
        )
        reached = 1 - min(found.agreement.values())
        made: dict[str, Any] = {} if graph is None else graph.settings
        settings: dict[str, Any] = {
            **{name: made[name] for name in ("search", "index", "recall", "recall_depth") if name in made},
            "near": depth,
            "sample": found.sample,
            "exact_class": found.exact_class,
            "spearman": found.agreement,
            "tolerance_met": None if self.tolerance is None else bool(reached <= self.tolerance),
        }
        errors = SumErrors(found.other_stderr, found.same_stderr, found.members, found.agreement)
        return DensitySums(found.total, found.same, settings, errors)


faiss = FaissEngine()
