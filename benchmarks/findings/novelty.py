"""What is foreign to a data set, what lies far out in it, and what is in it twice.

    python -m benchmarks.findings.novelty [--mnist FILE.npz] [--fashion FOLDER] [--audited 4000] [--tested 2000]

Unseen: digits of scikit-learn (half audited, half held out) against Fashion-MNIST images shrunk to 8 x 8, and MNIST
against Fashion-MNIST; AUROC of telling foreign rows from held-out ones without labels, beside scikit-learn's detectors
in the same run. Outliers: 1 % and 5 % foreign rows among the audited ones, whose labels are drawn at random.
Duplicates: copies (one in four with another label), copies with noise, and copies shifted by a pixel, 50 of each, at
several thresholds: the share of each that is found, and the share of what is found that was planted. Medians over three
seeds; torch runs on one thread, for small networks are slower on more where others compute too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks.common import FASHION, Array, fashion, table, write
from dataaudit.data import as_examples
from dataaudit.findings import duplicates, outliers
from dataaudit.findings.novelty import novelty
from dataaudit.learners.networks import MLP
from dataaudit.learners.recipes import Recipe
from dataaudit.learners.torch import TorchLearner
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import resolve
from dataaudit.representations.collect import represent
from dataaudit.representations.spaces import Space

SEEDS = (0, 1, 2)
KINDS = ("copy", "noise 2 %", "noise 5 %", "shift 1 pixel")

SVM_ROWS = 2000
"""Rows that scikit-learn's one-class SVM and kernel density learn from: their time grows faster than the data."""


def shrunk(images: Array, size: int = 8) -> Array:
    """Images [n, 1, 28, 28] as means over blocks, [n, size * size] in [0, 1]: a border of 2 is added first."""
    padded = np.pad(images[:, 0] / 255.0, ((0, 0), (2, 2), (2, 2)))
    block = 32 // size
    small: Array = padded.reshape(len(images), size, block, size, block).mean((2, 4))
    return small.reshape(len(images), -1).astype(np.float32)


def cases(options: argparse.Namespace) -> Iterator[tuple[str, int, Array, Array, Array, Array]]:
    """Name, seed, audited rows with labels, held-out rows and foreign rows."""
    clothes, _ = fashion(options.fashion, 20000)
    digits, names = load_digits(return_X_y=True)
    digits = (digits / 16).astype(np.float32)
    small = shrunk(clothes[:5000])
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(digits))
        half = len(digits) // 2
        foreign = small[rng.choice(len(small), len(digits) - half, replace=False)]
        yield "digits", seed, digits[order[:half]], names[order[:half]], digits[order[half:]], foreign
    if options.mnist is None:
        return
    with np.load(options.mnist, allow_pickle=False) as file:
        images, labels = file["images"].reshape(-1, 784), file["labels"].astype(np.int64)
    flat = clothes.reshape(len(clothes), -1)
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(images))
        known, tested = order[: options.audited], order[options.audited : options.audited + options.tested]
        yield (
            "mnist",
            seed,
            images[known],
            labels[known],
            images[tested],
            flat[rng.choice(len(flat), options.tested, replace=False)],
        )


def trained(rows: Array, labels: Array, seed: int) -> Any:
    """A small network trained on the audited rows, and its learner."""
    examples = as_examples((rows, labels))
    recipe = Recipe(epochs=5, batch_size=64, precision="float32")
    learner = TorchLearner(lambda: MLP(rows.shape[1], 10, (256, 128)), examples, recipe, torch.device("cpu"))
    learner.check(seed)
    return learner.fit(np.arange(len(rows)), seed, None, False)


def hidden_of(fitted: Any, rows: Array) -> tuple[Any, Array]:
    """Input of the last layer [m, d], and the largest class probability [m]."""
    unlabelled = as_examples((rows, np.arange(len(rows)) % 10))
    there = fitted.on(unlabelled)
    found = represent(there, [Space("hidden")], unlabelled.labels, 0, False)[Space("hidden")][0]
    return found, there.logits(np.arange(len(rows))).softmax(1).max(1).values.numpy()


def ours(rows: Array, labels: Array, queries: Array, seed: int) -> Iterator[tuple[str, Array, float]]:
    """Our scores of new rows, higher = more foreign, with the seconds of what they take."""
    start = time.perf_counter()
    fitted = trained(rows, labels, seed)
    base, (found, largest) = hidden_of(fitted, rows)[0], hidden_of(fitted, queries)
    seconds = time.perf_counter() - start
    yield "1 - max_confidence", 1 - largest, seconds
    for space, known, new, before in (("input", rows, queries, 0.0), ("hidden", base, found, seconds)):
        for k in (1, 10):
            start = time.perf_counter()
            placed = novelty(new, known, labels, 10, k, "0.5x", seed, False)
            took = before + time.perf_counter() - start
            yield f"distance/{space} k={k}", placed.distance, took
            yield f"ratio/{space} k={k}", placed.ratio, took
        yield f"density/{space} h=0.5x", -placed.density, took
        start = time.perf_counter()
        placed = novelty(new, known, labels, 10, 10, "1x", seed, False)
        yield f"density/{space} h=1x", -placed.density, before + time.perf_counter() - start


def peers(case: str, seed: int) -> Iterator[tuple[str, Any, int | None]]:
    """Detectors of scikit-learn, and how many rows they learn from (None: all)."""
    yield "sklearn IsolationForest", IsolationForest(random_state=seed), None
    yield "sklearn LocalOutlierFactor", LocalOutlierFactor(novelty=True), None
    yield "sklearn OneClassSVM", make_pipeline(StandardScaler(), OneClassSVM()), SVM_ROWS
    yield (
        "sklearn GaussianMixture",
        make_pipeline(PCA(30, random_state=seed), GaussianMixture(10, random_state=seed)),
        None,
    )
    yield (
        "sklearn EllipticEnvelope",
        make_pipeline(PCA(30, random_state=seed), EllipticEnvelope(random_state=seed)),
        None,
    )
    if case == "digits":
        yield "sklearn KernelDensity", KernelDensity(bandwidth="scott"), None


def _row(part: str, case: str, seed: int, method: str, value: Any, seconds: float = float("nan")) -> dict[str, Any]:
    return {"part": part, "case": case, "seed": seed, "method": method, "value": float(value), "seconds": seconds}


def unseen(options: argparse.Namespace) -> list[dict[str, Any]]:
    """AUROC of foreign rows among new ones, by case, seed and method."""
    found = []
    for case, seed, rows, labels, held, foreign in cases(options):
        queries = np.concatenate([held, foreign])
        truth = np.repeat([0, 1], [len(held), len(foreign)])
        for name, values, seconds in ours(rows, labels, queries, seed):
            found.append(_row("unseen", case, seed, name, roc_auc_score(truth, values), seconds))
        for name, detector, most in peers(case, seed):
            start = time.perf_counter()
            chosen = np.random.default_rng(seed).permutation(len(rows))[:most]
            detector.fit(rows[chosen].astype(np.float32))
            values = -detector.score_samples(queries.astype(np.float32))
            seconds = time.perf_counter() - start
            found.append(_row("unseen", case, seed, name, roc_auc_score(truth, values), seconds))
        print(f"unseen {case} seed {seed} done", flush=True)
    return found


def graph_of(rows: Array, depth: int, seed: int, space: str = "input") -> Any:
    """Neighbours within the rows."""
    return neighbour_graph(NeighbourNeed(Space(space), depth=depth), rows, {}, resolve("auto"), seed, False)


def planted(options: argparse.Namespace) -> list[dict[str, Any]]:
    """AUROC of 1 % and 5 % foreign rows with random labels among those audited."""
    found = []
    for (name_, seed, known, known_labels, _, foreign), share in product(cases(options), (0.01, 0.05)):
        case = f"{name_} {share:.0%}"
        rng = np.random.default_rng(seed)
        few = round(len(known) * share)
        rows = np.concatenate([known, foreign[:few]])
        labels = np.concatenate([known_labels, rng.integers(0, 10, few)])
        truth = np.arange(len(rows)) >= len(known)
        fitted = trained(rows, labels, seed)
        for space, where in (("input", rows), ("hidden", hidden_of(fitted, rows)[0])):
            graph = graph_of(where, 100, seed, space)
            scores: dict[str, Array] = {}
            for k in (1, 10, 50, 100):
                own = outliers.mean_distance(graph.distances, k)
                scores[f"distance/{space} k={k}"] = own
                scores[f"ratio/{space} k={k}"] = outliers.local_ratio(own, graph.indices[:, :k], own)
            for name, values in scores.items():
                found.append(_row("planted", case, seed, name, roc_auc_score(truth, values)))
        for name, detector in (
            ("sklearn IsolationForest", IsolationForest(random_state=seed)),
            ("sklearn LocalOutlierFactor", LocalOutlierFactor()),
        ):
            detector.fit(rows.astype(np.float32))
            inside = hasattr(detector, "negative_outlier_factor_")
            low = detector.negative_outlier_factor_ if inside else detector.score_samples(rows.astype(np.float32))
            found.append(_row("planted", case, seed, name, roc_auc_score(truth, -low)))
        print(f"planted {case} seed {seed} done", flush=True)
    return found


def copies(options: argparse.Namespace, each: int = 50) -> list[dict[str, Any]]:
    """Share of planted duplicates found, by kind, and precision, at several thresholds."""
    found = []
    for case, seed, known, known_labels, _, _ in cases(options):
        rng = np.random.default_rng(seed)
        size = 8 if case == "digits" else 28
        top = 1.0 if case == "digits" else 255.0
        chosen = rng.choice(len(known), 4 * each, replace=False)
        images: Array = known[chosen].reshape(4, each, size, size).astype(np.float64)
        for noisy, spread in ((1, 0.02), (2, 0.05)):
            images[noisy] += rng.normal(0, spread * top, images[noisy].shape)
        images[3] = np.roll(images[3], 1, axis=2)
        new = np.clip(images, 0, top).reshape(4 * each, -1)
        rows = np.concatenate([known, np.rint(new).astype(np.uint8) if top > 1 else new.astype(np.float32)])
        other = rng.random(4 * each) < 0.25
        labels = np.concatenate([known_labels, np.where(other, (known_labels[chosen] + 1) % 10, known_labels[chosen])])
        graph = graph_of(rows, duplicates.DEPTH, seed)
        for share in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            grouped = duplicates.groups(graph, labels, share)
            inside = np.full(len(rows), -1)
            inside[grouped.index] = grouped.group
            for number, kind in enumerate(KINDS):
                part = slice(number * each, (number + 1) * each)
                copy_of, original = inside[len(known) :][part], inside[chosen[part]]
                hit = float(np.mean((copy_of >= 0) & (copy_of == original)))
                found.append(_row("copies", case, seed, f"{share} {kind}", hit))
            right = np.isin(grouped.index, np.concatenate([chosen, np.arange(len(known), len(rows))]))
            precision = float(right.mean()) if len(right) else float("nan")
            found.append(_row("copies", case, seed, f"{share} precision", precision))
        print(f"copies {case} seed {seed} done", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, help="the published C-scores of MNIST, with its images")
    parser.add_argument("--fashion", default=FASHION)
    parser.add_argument("--audited", type=int, default=4000)
    parser.add_argument("--tested", type=int, default=2000)
    parser.add_argument(
        "--parts", nargs="+", choices=("unseen", "planted", "copies"), default=["copies", "planted", "unseen"]
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "novelty.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = {"unseen": unseen, "planted": planted, "copies": copies}
    rows = [row for name in options.parts for row in parts[name](options)]
    for part in options.parts:
        names = list(dict.fromkeys(row["method"] for row in rows if row["part"] == part))
        which = list(dict.fromkeys(row["case"] for row in rows if row["part"] == part))
        print(f"\n{part}")
        lines = []
        for name in names:
            line: list[Any] = [name]
            for case in which:
                same = [row for row in rows if (row["part"], row["case"], row["method"]) == (part, case, name)]
                line += (
                    ["", ""]
                    if not same
                    else [
                        f"{np.median([row['value'] for row in same]):.4f}",
                        f"{np.median([row['seconds'] for row in same]):.2f}",
                    ]
                )
            lines.append(line)
        table(["method", *(head for case in which for head in (case, "seconds"))], lines)
    write(options.out, rows)


if __name__ == "__main__":
    main()
