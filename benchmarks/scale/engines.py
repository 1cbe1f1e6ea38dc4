"""From how many rows on a sample pays: both engines on the same rows, for the choice of "auto".

    python -m benchmarks.scale.engines [--sizes 10000 20000 40000] [--features 64 256]

Rows are those of `benchmarks.scale.growth`, with 10 classes. Seconds are of all cores together, which other work on the
machine hardly changes; both engines are warm. "apart" is the largest 1 - Spearman of the four densities.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import table, write
from dataaudit.density import bandwidth
from dataaudit.density.engines import CpuEngine, DensityEngine
from dataaudit.density.sampled import SampledEngine
from dataaudit_kernels.agreement import SCORES, spearman

CLASSES = 10


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 20_000, 40_000, 80_000])
    parser.add_argument("--features", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--tolerance", type=float, default=1e-3)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for d in options.features:
        rng = np.random.default_rng(d)
        spectrum = np.arange(1, d + 1) ** -0.4
        centres = rng.normal(size=(CLASSES, d)) * spectrum * 0.7
        for n in options.sizes:
            labels = rng.integers(CLASSES, size=n)
            x = centres[labels] + np.exp(0.3 * rng.normal(size=(n, 1))) * spectrum * rng.normal(size=(n, d))
            x = x.astype(np.float32)
            h = bandwidth.find(x, "1x", 0).value
            engines: dict[str, DensityEngine] = {"cpu": CpuEngine(), "sampled": SampledEngine(options.tolerance)}
            row: dict[str, Any] = {"d": d, "n": n}
            found = {}
            for name, engine in engines.items():
                engine.sums(x[:3000], labels[:3000], h, lambda share: None)
                start = time.process_time()
                found[name] = engine.sums(x, labels, h, lambda share: None)
                row[f"{name} core seconds"] = round(time.process_time() - start, 2)
            exact, estimated = found["cpu"], found["sampled"]
            apart = []
            for score in SCORES.values():
                ours, theirs = (score(total - same, same) for total, same in (estimated, exact))
                apart.append(1 - spearman(ours, theirs))
            ratio = row["sampled core seconds"] / row["cpu core seconds"]
            rows.append({**row, "ratio": round(ratio, 2), "apart": max(apart)})
            print(rows[-1], flush=True)
    table(list(rows[0]), [list(row.values()) for row in rows])
    write(Path(__file__).parent / "results/engines.csv", rows)


if __name__ == "__main__":
    main()
