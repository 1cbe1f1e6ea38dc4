"""Engine "faiss" against "sampled" and all pairs: from which n, d and bandwidth it pays to take neighbours out first.

    python -m benchmarks.scale.near [--rows 5000 20000] [--features 16 64] [--bandwidths 1x 0.5x 0.25x 0.1x]

Rows are clustered (20 Gaussian classes, standard deviation 1, centres of standard deviation 2), or heavy-tailed (the
same, each row times a Pareto variable of exponent 1.2), float32. Both engines get samples of the same size (1024) and
sum no class exactly, so that what differs is the neighbours: 50 of each row. "apart" is 1 - Spearman with the exact
density, "error" the root of the mean squared relative error of the sums, "covered" the share of exact sums within 1.96
standard errors. Seconds are those of the processor; those of the graph are told apart, for neighbour scores share it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from dataaudit.density import bandwidth
from dataaudit.density.base import Context
from dataaudit.density.exact import CpuEngine
from dataaudit.density.near import FaissEngine
from dataaudit.density.sampled import SampledEngine
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import Auto
from dataaudit.representations.spaces import Space
from dataaudit_kernels.agreement import spearman

RESULTS = Path(__file__).parent / "results/near.csv"
CLASSES, SAMPLE, DEPTH = 20, 1024, 50


def rows_of(data: str, n: int, d: int) -> tuple[common.Array, common.Array]:
    """Rows and labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=n)
    x = 2 * rng.normal(size=(CLASSES, d))[labels] + rng.normal(size=(n, d))
    if data == "heavy-tailed":
        x *= rng.pareto(1.2, size=(n, 1))
    return x.astype(np.float32), labels


def main() -> None:
    """Measure every case, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[5000, 20000])
    parser.add_argument("--features", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--bandwidths", nargs="+", default=["1x", "0.5x", "0.25x", "0.1x"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    # Compilation first.
    x, labels = rows_of("clustered", 3000, 8)
    near, sampled = FaissEngine(DEPTH, None, SAMPLE, 0), SampledEngine(None, SAMPLE, 0)
    for engine in (near, sampled, CpuEngine()):
        engine.sums(x, labels, 3.0)
    found: list[dict[str, Any]] = []
    for data in ("clustered", "heavy-tailed"):
        for n in arguments.rows:
            for d in arguments.features:
                x, labels = rows_of(data, n, d)
                start = time.process_time()
                graph = neighbour_graph(NeighbourNeed(Space("input"), depth=DEPTH), x, {}, Auto(), 0, False)
                searched = time.process_time() - start
                for rule in arguments.bandwidths:
                    h = bandwidth.find(x, rule, 0).value
                    start = time.process_time()
                    exact = CpuEngine().sums(x, labels, h).total
                    all_pairs = time.process_time() - start
                    case: dict[str, Any] = {"data": data, "n": n, "d": d, "bandwidth": rule}
                    case["all_pairs_s"] = f"{all_pairs:.2f}"
                    case["graph_s"] = f"{searched:.2f}"
                    for engine in (sampled, near):
                        start = time.process_time()
                        made = engine.sums(x, labels, h, Context(graph=graph))
                        seconds = time.process_time() - start
                        assert made.errors is not None
                        stderr = np.hypot(made.errors.same, made.errors.other)
                        off = np.abs(made.total - exact)
                        some = exact > 0
                        name = engine.name
                        case[f"{name}_s"] = f"{seconds:.2f}"
                        case[f"{name}_apart"] = f"{1 - spearman(made.total, exact):.5f}"
                        case[f"{name}_error"] = f"{np.sqrt(np.mean((off[some] / exact[some]) ** 2)):.4f}"
                        case[f"{name}_covered"] = f"{np.mean(off <= 1.96 * stderr + 1e-5 * exact):.3f}"
                    found.append(case)
                    print(" ".join(f"{key}={value}" for key, value in case.items()), flush=True)
    common.table(list(found[0]), [list(row.values()) for row in found])
    common.write(arguments.results, found)


if __name__ == "__main__":
    main()
