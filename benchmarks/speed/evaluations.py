"""Audits of networks that are evaluated in bfloat16, as they are trained, and in float32: ranks, errors found, time.

    python -m benchmarks.speed.evaluations --data FOLDER [--case NAME ...] [--seeds 0 1 2]

Training is the same to the bit; what differs is the evaluation after some epochs, the pass for predictions and hidden
layers, and what follows from them. Cases of `CHOICE` decide; those of `REPORT` are what is reported. For each seed: the
average precision with which the consensus finds the wrong labels both ways, Spearman's correlation of one with the
other, that of the probabilities of the labels, the share of the ten nearest hidden neighbours that both have, and the
seconds of evaluations and of the pass. Needs a processor that multiplies bfloat16 natively.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from scipy.stats import spearmanr

import dataaudit
from benchmarks.common import Array, append, machine, merit
from dataaudit.learners.fitted import TorchFitted
from dataaudit.learners.networks import BlockCNN
from dataaudit.learners.precisions import native_bfloat16

NEIGHBOURS = 10
ROWS = 5000
"""Of a half of the images."""
BLOCK = 1000

Case = tuple[tuple[Any, Any], Array]
"""Model and data set, and whether the label is wrong [n]."""


def images(folder: Path, labelling: str, start: int) -> Case:
    """Natural images, labelled by people."""
    with np.load(folder / "cifar10_human.npz") as data:
        rows = slice(start, start + ROWS)
        pictures, labels, clean = (data[name][rows] for name in ("images", labelling, "clean_label"))
    return (partial(BlockCNN, 3, 10), (pictures, labels.astype(np.int64))), labels != clean


CHOICE: dict[str, Callable[[Path], Case]] = {
    "images, first half, careless": lambda folder: images(folder, "careless", 0),
}
REPORT: dict[str, Callable[[Path], Case]] = {
    "images, second half, very_careless": lambda folder: images(folder, "very_careless", ROWS),
}


@contextmanager
def float32() -> Iterator[None]:
    """Evaluations in float32, whatever the precision of training."""

    with mock.patch.object(TorchFitted, "rounds", False):
        yield


def nearest(rows: Array) -> Array:
    """Places of the nearest others [n, `NEIGHBOURS`], by float64 distances in blocks."""
    rows = np.asarray(rows, np.float64)
    squares, found = (rows**2).sum(1), []
    for start in range(0, len(rows), BLOCK):
        block = slice(start, min(start + BLOCK, len(rows)))
        distances = squares[None] - 2 * rows[block] @ rows.T
        distances[np.arange(block.stop - start), np.arange(start, block.stop)] = np.inf
        found.append(np.argpartition(distances, NEIGHBOURS, 1)[:, :NEIGHBOURS])
    return np.concatenate(found)


def audited(case: Case, seed: int) -> tuple[dataaudit.Audit, Array]:
    """The audit, and the hidden representation float32 [n, d] that it read."""
    (model, data), _ = case
    audit = dataaudit.score(model, data, seed=seed, progress=False)
    assert audit._model is not None
    assert audit._model.hidden is not None
    return audit, np.asarray(audit._model.hidden)


def correlation(score: str, one: dataaudit.Audit, other: dataaudit.Audit) -> float:
    """Spearman of a score in two audits."""
    return float(spearmanr(one.columns[score], other.columns[score]).statistic)


def main() -> None:
    """Print and keep a line for each case and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = {**CHOICE, **REPORT}
    parser.add_argument("--data", required=True, type=Path, help="holds cifar10_human.npz")
    parser.add_argument("--case", nargs="+", choices=cases, default=list(cases))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "evaluations.csv")
    options = parser.parse_args()
    if not native_bfloat16(torch.device("cpu")):
        raise SystemExit("this processor does not multiply bfloat16 natively: nothing would be compared")
    for name in options.case:
        case = cases[name](options.data)
        wrong = case[1]
        for seed in options.seeds:
            rounded, rows = audited(case, seed)
            with float32():
                exact, exact_rows = audited(case, seed)
            same = float((nearest(rows)[:, :, None] == nearest(exact_rows)[:, None]).any(2).mean())
            quality = [audit.columns["consensus"] for audit in (exact, rounded)]
            row: dict[str, Any] = {
                "part": "choice" if name in CHOICE else "report",
                "case": name,
                "examples": len(wrong),
                "errors": int(wrong.sum()),
                "seed": seed,
                "trained_in": rounded.settings["precision"],
                "precision_float32": merit(quality[0], wrong)[1],
                "precision_bfloat16": merit(quality[1], wrong)[1],
                "spearman": correlation("consensus", exact, rounded),
                "spearman_confidence": correlation("confidence", exact, rounded),
                "neighbours_shared": same,
            }
            for arm, audit in (("float32", exact), ("bfloat16", rounded)):
                seconds = sum(audit.timings.get(stage, 0.0) for stage in ("evaluate", "represent"))
                row[f"seconds_{arm}"] = seconds
            print(row, flush=True)
            row |= machine()
            append(options.results, list(row), [row])


if __name__ == "__main__":
    main()
