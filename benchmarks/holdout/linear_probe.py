"""Ten thousand ridge regressions on subsets of 50000 x 512 features, against scikit-learn's Ridge.

    python -m benchmarks.holdout.linear_probe           # the published figures
    python -m benchmarks.holdout.linear_probe --quick   # a few hundred rows, for a test

First the outputs of random subsets are compared with those of Ridge in float64 on the same features; if they differ
by more than 1e-5, nothing is timed and the exit status is 1. Then 1112 runs of each of nine subset ratios, 10 to 90 %,
of the nested plan are timed (556 permutations, each read in both directions: 10008 subsets), with outcomes counted by
row and ratio. The peer fits one subset of each ratio, in float32 as it is given and including its predictions; the
mean over ratios times the number of subsets is its time, which nobody waits for. The floor is the time of the Gram
products alone, one matrix product of 5000 rows with itself on each core, for the nine tenths of the rows that need it.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.common import Array, table, write
from dataaudit.data import as_examples
from dataaudit.holdout.plan import Plan, Run
from dataaudit.learners.linear_probe import LinearProbe, LinearProbeLearner
from dataaudit.learners.ridge import RidgeFitPredict

RATIOS = [share / 10 for share in range(1, 10)]
TOLERANCE = 1e-5
CLASSES = 10


def made(n: int, d: int, seed: int) -> tuple[Array, Array]:
    """Features [n, d] of unit scale whose spread falls off like 1 / axis, and labels that they explain in part."""
    rng = np.random.default_rng(seed)
    spread = np.arange(1, d + 1.0) ** -1.0
    spread *= np.sqrt(d / (spread**2).sum())
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    hidden = rng.normal(size=(n, d)) * spread
    noise = np.sqrt(d) * rng.normal(size=(n, CLASSES))
    labels = (hidden @ rng.normal(size=(d, CLASSES)) + noise).argmax(1)
    return (hidden @ turn + rng.normal(size=d)).astype(np.float32), labels.astype(np.int64)


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def count(held: Array, correct: Array, held_counts: Array, correct_counts: Array) -> None:
    place = 0
    for row in range(len(held)):
        if held[row]:
            held_counts[row] += 1
            correct_counts[row] += correct[place]
            place += 1


def equality(trial: RidgeFitPredict, features: Array, labels: Array, plan: Plan) -> tuple[list[dict[str, Any]], bool]:
    """Outputs of random subsets and outcomes of the nested plan against Ridge in float64."""
    exact, onehot = features.astype(np.float64), np.eye(CLASSES)[labels]
    rows: list[dict[str, Any]] = []
    good = True
    for number, ratio in ((0, 0.1), (1, 0.1), (2, 0.3), (3, 0.5), (4, 0.7), (5, 0.9)):
        run = Run(ratio, number)
        train, held = plan.train(run), np.flatnonzero(plan.held_out(run))
        wanted = Ridge(alpha=trial.alpha).fit(exact[train], onehot[train]).predict(exact[held])
        outputs = float(np.abs(trial.outputs(trial.fit(train), held) - wanted).max())
        order = plan.order(Run(ratio, number - number % 2))
        sizes = [plan.size(share) for share in RATIOS]
        found = {(direction, size): outcome for direction, size, outcome in trial.nested(order, sizes)}
        outcome = found[number % 2, plan.size(ratio)]
        given = np.clip(wanted[np.arange(len(held)), labels[held]], 0, 1)
        probability = float(np.abs(outcome.probability - given).max())
        differ = int((outcome.correct != (wanted.argmax(1) == labels[held])).sum())
        top = np.sort(wanted, axis=1)
        near = int((top[:, -1] - top[:, -2] <= 2 * TOLERANCE).sum())
        good &= outputs <= TOLERANCE and probability <= TOLERANCE and differ <= near
        rows.append(
            {
                "case": f"equality, ratio {ratio}, run {number}",
                "subsets": 1,
                "seconds": "",
                "cpu_seconds": "",
                "note": f"outputs differ by {outputs:.1e}, nested probabilities by {probability:.1e}, "
                f"{differ} of {len(held)} predictions",
            }
        )
    return rows, good


def timed(trial: RidgeFitPredict, plan: Plan, permutations: int) -> tuple[dict[str, Any], Array, Array]:
    """Every ratio of `permutations` permutations in both directions, counted by ratio and row."""
    sizes = [plan.size(ratio) for ratio in RATIOS]
    held_counts, correct_counts = (np.zeros((len(sizes), plan.n), np.int64) for _ in range(2))
    place = np.empty(plan.n, np.int64)
    subsets = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for number in range(permutations):
        order = plan.order(Run(RATIOS[0], 2 * number))
        place[order] = np.arange(plan.n)
        for direction, size, outcome in trial.nested(order, sizes):
            held = place < plan.n - size if direction else place >= size
            ratio = sizes.index(size)
            count(held, outcome.correct, held_counts[ratio], correct_counts[ratio])
            subsets += 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    row = {
        "case": "LinearProbe, nested",
        "subsets": subsets,
        "seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "note": f"{permutations} permutations; mean accuracy {correct_counts.sum() / held_counts.sum():.3f}",
    }
    return row, held_counts, correct_counts


def floor(features: Array, permutations: int, threads: int) -> dict[str, Any]:
    """Time of the Gram products alone: rows of a tenth, timed five times on every core at once."""
    n, d = features.shape
    part = features[: n // 10]
    taken, used = [], []
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for _ in range(6):
            wall, cpu = time.perf_counter(), time.process_time()
            list(pool.map(lambda _: part.T @ part, range(10 * threads)))
            taken.append((time.perf_counter() - wall) / (10 * threads))
            used.append((time.process_time() - cpu) / (10 * threads))
    best = float(min(taken[1:]))
    return {
        "case": "floor: Gram products alone",
        "subsets": 18 * permutations,
        "seconds": round(9 * permutations * best, 1),
        "cpu_seconds": round(9 * permutations * min(used[1:]), 1),
        "note": f"{len(part) * d * (d + 1) / best / 1e9:.0f} GFLOP/s on {threads} threads, best of 5",
    }


def peer(features: Array, labels: Array, plan: Plan, subsets: int) -> dict[str, Any]:
    """Ridge on one subset of each ratio."""
    onehot = np.eye(CLASSES, dtype=np.float32)[labels]
    seconds, used = [], []
    for ratio in RATIOS:
        train, held = plan.train(Run(ratio, 0)), np.flatnonzero(plan.held_out(Run(ratio, 0)))
        taken = []
        for _ in range(2):
            wall, cpu = time.perf_counter(), time.process_time()
            predicted = Ridge(alpha=1.0).fit(features[train], onehot[train]).predict(features[held]).argmax(1)
            assert (predicted == labels[held]).any()
            taken.append((time.perf_counter() - wall, time.process_time() - cpu))
        seconds.append(min(taken)[0])
        used.append(min(taken)[1])
    return {
        "case": "scikit-learn Ridge, subset by subset",
        "subsets": subsets,
        "seconds": round(float(np.mean(seconds)) * subsets),
        "cpu_seconds": round(float(np.mean(used)) * subsets),
        "note": f"scaled up from one subset of each ratio, better of 2: {np.mean(seconds):.3f} s a subset",
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few hundred rows; writes no file")
    quick = parser.parse_args(arguments).quick
    n, d, permutations = (600, 24, 4) if quick else (50000, 512, 556)
    features, labels = made(n, d, 0)
    plan = Plan(labels, seed=0, design="nested")
    wall, cpu = time.perf_counter(), time.process_time()
    trial = LinearProbeLearner(LinearProbe(), as_examples((features, labels))).fit_predict()
    assert isinstance(trial, RidgeFitPredict)
    setup = {
        "case": "LinearProbe, once a data set",
        "subsets": 0,
        "seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "note": "principal axes and the Gram matrix of all rows",
    }
    found, good = equality(trial, features, labels, plan)
    for row in found:
        print(f"{row['case']}: {row['note']}")
    if not good:
        print(f"not equal to Ridge within {TOLERANCE:g}: nothing is timed")
        return 1
    threads = max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
    timed(trial, plan, 1)
    before = floor(features, permutations, threads)
    row, held_counts, _ = timed(trial, plan, permutations)
    assert (held_counts.sum(1) == [2 * permutations * (n - plan.size(ratio)) for ratio in RATIOS]).all()
    found += [setup, row, before, peer(features, labels, plan, row["subsets"])]
    print()
    table(
        ("", "subsets", "seconds", "CPU seconds", "note"),
        [list(row.values()) for row in found if row["seconds"] != ""],
    )
    if not quick:
        write(Path(__file__).parent / "results/linear_probe.csv", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
