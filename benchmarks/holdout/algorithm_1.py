"""The paper's algorithm 1 as a plain loop against every backend: equal bit for bit.

    python -m benchmarks.holdout.algorithm_1 [--runs 2000]

Digits and a Gaussian naive Bayes classifier, subset ratio .7. Exits with 1 if a value differs in one bit.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

import dataaudit
from benchmarks.common import Array, table, write


def algorithm_1(inputs: Array, labels: Array, ratio: float, runs: int, seed: int) -> Array:
    n, size = len(labels), round(ratio * len(labels))
    held_out, correct = np.zeros((runs, n), bool), np.zeros((runs, n), bool)
    for number in range(runs):
        order = np.random.default_rng([seed, round(ratio * 1e6), number]).permutation(n)
        train = np.sort(order[:size])
        held_out[number] = ~np.isin(np.arange(n), train)
        correct[number] = clone(GaussianNB()).fit(inputs[train], labels[train]).predict(inputs) == labels
    return np.asarray((held_out & correct).sum(0) / held_out.sum(0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    inputs, labels = load_digits(return_X_y=True)
    start = time.perf_counter()
    truth = algorithm_1(inputs, labels, 0.7, runs, 0)
    rows = [{"way": "plain loop", "runs": runs, "seconds": round(time.perf_counter() - start, 1), "differing": 0}]
    for backend in ("serial", "joblib", "ray"):
        start = time.perf_counter()
        holdout = dataaudit.Holdout(runs=runs, backend=backend)
        audit = dataaudit.score(GaussianNB(), (inputs, labels), "c_score", holdout=holdout, progress=False)
        seconds = round(time.perf_counter() - start, 1)
        differing = int((audit.columns["c_score"].view(np.int64) != truth.view(np.int64)).sum())
        rows.append({"way": backend, "runs": runs, "seconds": seconds, "differing": differing})
    table(list(rows[0]), [list(row.values()) for row in rows])
    write(Path(__file__).parent / "results/algorithm_1.csv", rows)
    return int(any(row["differing"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
