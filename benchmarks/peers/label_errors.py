"""Who finds planted label errors, and at what cost: this library, cleanlab and the aum package in one run.

    python -m benchmarks.peers.label_errors [--fashion FOLDER] [--seeds 0 1 2 3 4 5]

Digits with 5 % planted errors, and the first 20000 images of Fashion-MNIST with 20 % noise, symmetric or inside
confusable pairs, with an MLP and a small CNN; every setting of `score` is the default. Seeds 0-2 chose the
defaults, seeds 3-5 confirm them. cleanlab gets 5-fold predictions of the same network and recipe, and its best
score counts; the aum package rides along in a training run of its own.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aum import AUMCalculator
from cleanlab.rank import get_label_quality_scores
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

import dataaudit
from benchmarks.common import FASHION, PAIRS, Array, fashion, merit, paired, symmetric, table, write
from dataaudit.data import as_examples
from dataaudit.learners.recipes import DEFAULT
from dataaudit.learners.torch import TorchLearner

Row = dict[str, Any]
Factory = Callable[[], torch.nn.Module]
CLEANLAB = [
    ("self_confidence", False),
    ("self_confidence", True),
    ("normalized_margin", False),
    ("normalized_margin", True),
    ("confidence_weighted_entropy", False),
]


class Aum:
    """The aum package as a recorder."""

    def __init__(self, folder: str) -> None:
        self.calculator = AUMCalculator(folder)

    def update(self, indices: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.calculator.update(logits.detach(), labels, indices.tolist())

    def end_epoch(self) -> None:
        pass

    def discard_epoch(self) -> None:
        pass


def ours(factory: Factory, inputs: Array, labels: Array, seed: int) -> Iterator[tuple[str, str, Array, float]]:
    start = time.perf_counter()
    audit = dataaudit.score(factory, (inputs, labels), seed=seed, progress=False)
    seconds = time.perf_counter() - start
    for name, values in audit.columns.items():
        # Ranks, because ties are broken as `ranking` breaks them.
        ranks = np.empty(len(values))
        ranks[audit.ranking(name)] = np.arange(len(values))
        yield "dataaudit", name + (" (default)" if name == audit.default else ""), ranks, seconds
        if name == "learning_speed":
            yield "dataaudit", "learning_speed, ties left", values, seconds


def cleanlab(factory: Factory, inputs: Array, labels: Array, seed: int) -> Iterator[tuple[str, str, Array, float]]:
    start = time.perf_counter()
    learner = TorchLearner(factory, as_examples((inputs, labels)), DEFAULT, torch.device("cpu"))
    probabilities = np.empty((len(labels), labels.max() + 1))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(np.zeros(len(labels)), labels):
        probabilities[test] = learner.fit(train, seed, None, False).logits(test).softmax(1).numpy()
    for method, adjust in CLEANLAB:
        values = get_label_quality_scores(labels, probabilities, method=method, adjust_pred_probs=adjust)
        yield "cleanlab", method + (" adjusted" if adjust else ""), values, time.perf_counter() - start


def aum(factory: Factory, inputs: Array, labels: Array, seed: int) -> Iterator[tuple[str, str, Array, float]]:
    start = time.perf_counter()
    learner = TorchLearner(factory, as_examples((inputs, labels)), DEFAULT, torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        recorder = Aum(folder)
        learner.fit(np.arange(len(labels)), seed, recorder, False)
    sums, counts = recorder.calculator.sums, recorder.calculator.counts
    values = np.array([sums[i] / counts[i] for i in range(len(labels))])
    yield "aum", "aum", values, time.perf_counter() - start


def cases(folder: str, seed: int, n: int) -> Iterator[tuple[str, str, Factory, Array, Array, Array]]:
    """Data set, noise, factory, inputs, noisy labels, wrong [n]."""
    digits = load_digits()
    small = (digits.data / 16).astype(np.float32)
    noisy = symmetric(digits.target, 10, 0.05, seed)
    yield "digits mlp", "5% symmetric", dataaudit.networks.build("mlp", (64,), 10), small, noisy, noisy != digits.target
    images, labels = fashion(folder, n)
    for noise in ("20% symmetric", "20% pairs"):
        noisy = symmetric(labels, 10, 0.2, seed) if "symm" in noise else paired(labels, PAIRS, 0.2, seed)
        for network in ("mlp", "small_cnn"):
            factory = dataaudit.networks.build(network, (1, 28, 28), 10)
            yield f"fashion {network}", noise, factory, images, noisy, noisy != labels


def run(folder: str, n: int, seed: int) -> list[Row]:
    rows: list[Row] = []
    for data, noise, factory, inputs, labels, wrong in cases(folder, seed, n):
        for tool in (ours, cleanlab, aum):
            for name, score, values, seconds in tool(factory, inputs, labels, seed):
                auroc, precision = merit(values, wrong)
                rows.append(
                    {
                        "data": data,
                        "noise": noise,
                        "seed": seed,
                        "tool": name,
                        "score": score,
                        "auroc": round(auroc, 5),
                        "average_precision": round(precision, 5),
                        "seconds": round(seconds, 2),
                    }
                )
        print(f"seed {seed}: {data}, {noise}", flush=True)
    return rows


def summarise(rows: list[Row], seeds: list[int], title: str) -> None:
    rows = [row for row in rows if int(row["seed"]) in seeds]
    if not rows:
        return
    print(f"\n{title}: medians of AUROC / average precision over seeds {sorted({int(row['seed']) for row in rows})}")
    columns = list(dict.fromkeys((row["data"], row["noise"]) for row in rows))
    scores = list(dict.fromkeys((row["tool"], row["score"]) for row in rows))

    def median(column: tuple[str, str], score: tuple[str, str], field: str) -> float:
        key = (*column, *score)
        found = [row[field] for row in rows if (row["data"], row["noise"], row["tool"], row["score"]) == key]
        return float(np.median(np.array(found, np.float64)))

    lines = []
    for score in scores:
        cells = [f"{median(c, score, 'auroc'):.4f} / {median(c, score, 'average_precision'):.3f}" for c in columns]
        lines.append([" ".join(score), *cells])
    ratios = []
    for column in columns:
        mine = median(column, next(score for score in scores if "(default)" in score[1]), "seconds")
        theirs = median(column, ("cleanlab", "self_confidence"), "seconds")
        ratios.append(f"{mine:.1f} s / {theirs:.1f} s = {mine / theirs:.2f}")
    table(["", *(f"{data} {noise}" for data, noise in columns)], [*lines, ["time, ours / cleanlab", *ratios]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time, each on one thread if more than one")
    parser.add_argument("--examples", type=int, default=20000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "label_errors.csv")
    parser.add_argument("--table", action="store_true", help="print the tables of an earlier run's CSV")
    options = parser.parse_args()
    if options.table:
        with options.out.open(newline="") as file:
            rows: list[Row] = list(csv.DictReader(file))
        summarise(rows, [0, 1, 2], "chosen on")
        summarise(rows, [3, 4, 5], "confirmed on")
        return
    one = partial(run, options.fashion, options.examples)
    if options.jobs == 1:
        rows = [row for seed in options.seeds for row in one(seed)]
    else:
        torch.set_num_threads(1)
        start = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.jobs, start, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            rows = [row for part in pool.map(one, options.seeds) for row in part]
    summarise(rows, [0, 1, 2], "chosen on")
    summarise(rows, [3, 4, 5], "confirmed on")
    write(options.out, rows)


if __name__ == "__main__":
    main()
