"""From how many rows on each engine pays: all on the same rows, for the choice of "auto".

    python -m benchmarks.scale.engines [--sizes 10000 20000 40000] [--features 64 256] [--engines cpu sampled faiss]

Rows are those of `benchmarks.scale.growth`, with 10 classes, and the bandwidth is the paper's times each of
--bandwidths. "cpu" and "triton" sum all pairs. Core seconds are of all cores together, which other work on the machine
hardly changes; seconds are those of the clock, and the ones that count on a device. Engines are warm. "apart" is the
largest 1 - Spearman of the four densities from those of "cpu".
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import table, write
from dataaudit.density import bandwidth
from dataaudit.density.base import DensityEngine
from dataaudit.density.engines import resolve
from dataaudit_kernels.agreement import SCORES, spearman

CLASSES = 10


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 20_000, 40_000, 80_000])
    parser.add_argument("--features", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--bandwidths", type=float, nargs="+", default=[1.0])
    parser.add_argument("--engines", nargs="+", default=["cpu", "sampled"], help="beside cpu, which is always run")
    parser.add_argument("--results", default="engines.csv")
    options = parser.parse_args()
    engines: dict[str, DensityEngine] = {name: resolve(name) for name in dict.fromkeys(["cpu", *options.engines])}
    rows: list[dict[str, Any]] = []
    for d in options.features:
        rng = np.random.default_rng(d)
        spectrum = np.arange(1, d + 1) ** -0.4
        centres = rng.normal(size=(CLASSES, d)) * spectrum * 0.7
        for n in options.sizes:
            labels = rng.integers(CLASSES, size=n)
            x = centres[labels] + np.exp(0.3 * rng.normal(size=(n, 1))) * spectrum * rng.normal(size=(n, d))
            x = x.astype(np.float32)
            for times in options.bandwidths:
                h = times * bandwidth.find(x, "1x", 0).value
                exact: dict[str, Any] = {}
                for name, engine in engines.items():
                    engine.sums(x[:3000], labels[:3000], h)
                    busy, start = time.process_time(), time.perf_counter()
                    sums = engine.sums(x, labels, h)
                    row = {
                        "d": d,
                        "n": n,
                        "bandwidth": times,
                        "engine": name,
                        "seconds": round(time.perf_counter() - start, 2),
                        "core_seconds": round(time.process_time() - busy, 2),
                    }
                    found = {score: by(sums.total - sums.same, sums.same) for score, by in SCORES.items()}
                    exact = exact or found
                    row["apart"] = max(1 - spearman(found[score], exact[score]) for score in SCORES)
                    rows.append(row)
                    print(row, flush=True)
    table(list(rows[0]), [list(row.values()) for row in rows])
    write(Path(__file__).parent / "results" / options.results, rows)


if __name__ == "__main__":
    main()
