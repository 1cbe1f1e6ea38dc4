"""Every proxy of the library against C-scores by holdout, with what each costs in training runs.

    python -m benchmarks.holdout.proxies [FASHION_FOLDER] [--runs 200] [--examples 20000] [--store FOLDER]

Fashion-MNIST (Debian package dataset-fashion-mnist), the paper's MLP and recipe (table 2), subset ratio .7. Spearman's
correlation with the C-score and with the holdout probability, beside the ceilings that the reliabilities of those two
set: sqrt(reliability). Many C-scores are exactly 1 and share a rank, which no score without ties can do: the line of
c_score itself, its ties ordered by the holdout probability, shows how far a strict order can come. The cost is time
over that of one plain training run on all examples; scores that come from one run, or one pass over the pairs, are
timed together and each carry that time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import dataaudit
from benchmarks.common import fashion, table, write
from dataaudit import scores
from dataaudit.evidence.base import Need

TRUTH = ["c_score", "holdout_probability"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--examples", type=int, default=20000)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--backend", default="joblib")
    chosen = parser.parse_args()
    data = fashion(chosen.folder, chosen.examples)
    model = dataaudit.networks.build("mlp", input_shape=(1, 28, 28), classes=10)

    def scored(names: list[str], holdout: dataaudit.Holdout | None = None) -> dataaudit.Audit:
        return dataaudit.score(model, data, names, recipe="mnist", device="cpu", holdout=holdout, progress=False)

    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "runs"
        start = time.perf_counter()
        truth = scored(TRUTH, dataaudit.Holdout(ratio=0.7, runs=chosen.runs, store=store, backend=chosen.backend))
        spent = time.perf_counter() - start
    start = time.perf_counter()
    scored(["confidence"])
    once = time.perf_counter() - start
    print(f"{chosen.runs} holdout runs in {spent:.0f} s; one training run on all examples: {once:.1f} s", flush=True)
    rows: list[dict[str, Any]] = [
        {
            "score": name,
            **{t: correlated(truth, name, truth.columns[t]) for t in TRUTH},
            "cost": round(spent / once, 2),
        }
        for name in TRUTH
    ]
    print({name: round(value, 4) for name, value in truth.reliability.items()})
    # The paper's recipe has no evaluations after its last epochs.
    others = [
        name
        for name in scores.REGISTRY.names()
        if not name.startswith(("c_score", "holdout_")) and Need.EVALUATIONS not in scores.REGISTRY.get(name).needs
    ]
    together: dict[str, list[str]] = {}
    for name in others:
        shared = "dynamics" if scores.REGISTRY.get(name).needs <= {Need.DYNAMICS} else name.rpartition("/")[2]
        together.setdefault(shared, []).append(name)
    scored(["parzen/input", "density/gradient"])  # Numba compiles now, and is not timed.
    for names in together.values():
        start = time.perf_counter()
        audit = scored(names)
        cost = round((time.perf_counter() - start) / once, 2)
        rows += [
            {"score": name, **{t: correlated(audit, name, truth.columns[t]) for t in TRUTH}, "cost": cost}
            for name in names
        ]
        print(*names, flush=True)
    ceilings = {name: round(float(np.sqrt(max(value, 0.0))), 4) for name, value in truth.reliability.items()}
    rows = sorted(rows, key=lambda row: -row["c_score"])
    rows.append({"score": "ceiling: sqrt(reliability)", **ceilings, "cost": float("nan")})
    table(list(rows[0]), [list(row.values()) for row in rows])
    write(Path(__file__).parent / "results/proxies.csv", [{**row, "runs": chosen.runs} for row in rows])


def correlated(audit: dataaudit.Audit, name: str, truth: np.ndarray) -> float:
    """Spearman over the examples that were held out; ties are ordered as the score orders them."""
    order = np.empty(len(truth))
    order[audit.ranking(name)] = np.arange(len(truth))
    values, known = order if name in audit.ties else audit.columns[name], np.isfinite(truth)
    return round(float(spearmanr(values[known], truth[known]).statistic), 4)


if __name__ == "__main__":
    main()
