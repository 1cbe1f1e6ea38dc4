"""C-scores of MNIST by holdout at every subset ratio, against the published ones (the paper's figure 5).

    python -m benchmarks.holdout.mnist FILE.npz [--minutes 30] [--store FOLDER]

FILE.npz holds `images` uint8 [60000, 28, 28], `labels` and `cscores` [60000] in the original order: the authors'
published scores, means over nine subset ratios of 200 MLPs each. The network and recipe are the paper's (table 2).
Rounds of nine runs, one a ratio, until the time is over; then for every ratio and for their mean: Spearman's and
Kendall's correlation with the published scores, the split-half reliability of our own estimate, its square root (no
correlation with an estimate can be expected above it), and the runs that a reliability of .95 takes by Spearman-Brown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

import dataaudit
from benchmarks.common import table, write
from dataaudit.holdout.settings import GRID
from dataaudit.holdout.tally import runs_needed

NAMES = ["c_score", "c_score_integral"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--examples", type=int, default=60000)
    parser.add_argument("--backend", default="joblib")
    chosen = parser.parse_args()
    with np.load(chosen.file) as archive:
        images, labels, published = (archive[name][: chosen.examples] for name in ("images", "labels", "cscores"))
    model = dataaudit.networks.build("mlp", input_shape=(28, 28), classes=10)
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "runs"

        def scored(runs: int, ratio: float) -> dataaudit.Audit:
            holdout = dataaudit.Holdout(ratio=ratio, runs=runs, store=store, backend=chosen.backend)
            return dataaudit.score(
                model, (images, labels), NAMES, recipe="mnist", device="cpu", holdout=holdout, progress=False
            )

        start, runs = time.perf_counter(), 0
        while True:
            began = time.perf_counter()
            runs += 2
            scored(runs, 0.7)
            last = time.perf_counter() - began
            spent = time.perf_counter() - start
            print(f"{runs} runs of each ratio, {spent / 60:.1f} min", flush=True)
            if spent + last > chosen.minutes * 60:
                break
        rows = []
        for ratio in GRID:
            audit = scored(runs, ratio)
            rows.append(compared(f"{ratio:.1f}", runs, audit, "c_score", published))
        rows.append(compared("mean of all", runs, audit, "c_score_integral", published))
    print(f"{runs} runs of each of {len(GRID)} ratios in {spent / 60:.1f} minutes, backend {chosen.backend}")
    table(list(rows[0]), [list(row.values()) for row in rows])
    write(Path(__file__).parent / "results/mnist.csv", [{**row, "minutes": round(spent / 60, 1)} for row in rows])


def compared(
    ratio: str, runs: int, audit: dataaudit.Audit, name: str, published: np.ndarray
) -> dict[str, str | int | float]:
    values, reliable = audit.columns[name], audit.reliability[name]
    known = np.isfinite(values)
    return {
        "ratio": ratio,
        "runs": runs,
        "spearman": round(float(spearmanr(values[known], published[known]).statistic), 4),
        "kendall": round(float(kendalltau(values[known], published[known]).statistic), 4),
        "held_out": round(float(known.mean()), 4),
        "mean": round(float(values[known].mean()), 4),
        "reliability": round(reliable, 4),
        "ceiling": round(float(np.sqrt(max(reliable, 0.0))), 4),
        "runs_for_.95": round(runs_needed(runs, reliable, 0.95)) if 0 < reliable < 1 else float("nan"),
    }


if __name__ == "__main__":
    main()
