"""Evaluations of a trained network in float32 and in bfloat16: time, ranks, and errors found.

    python -m benchmarks.speed.evaluations --images FILE [--examples 10000] [--epochs 14] [--seeds 3]

`BlockCNN` is trained once a seed, in the precision that the rules choose, and all rows are evaluated both ways. For the
probability of the label and its margin: Spearman of bfloat16's with float32's, and the average precision with which
each finds the wrong labels. Lines are appended to results/evaluations.csv. Where the processor does not multiply
bfloat16 natively its times mean nothing.
"""

from __future__ import annotations

import argparse
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from benchmarks.common import Array, append, machine, merit
from dataaudit.data import as_examples
from dataaudit.learners.networks import BlockCNN
from dataaudit.learners.recipes import auto
from dataaudit.learners.torch import TorchFitted, TorchLearner

PASSES = 3
"""Of which the fastest is timed, by the processor's time."""


def evaluated(fitted: TorchFitted, rows: int, precision: str) -> tuple[Tensor, float]:
    """Logits float32 [n, C], and seconds of the processor."""
    taken = []
    for _ in range(PASSES):
        context: AbstractContextManager[Any] = nullcontext()
        if precision == "bfloat16":
            context = torch.autocast("cpu", torch.bfloat16)
        start = time.process_time()
        with context:
            logits = fitted.logits(np.arange(rows))
        taken.append(time.process_time() - start)
    return logits.float(), min(taken)


def of_label(logits: Tensor, labels: Array) -> dict[str, Array]:
    """Probability of the label, and its logit less the largest other's, [n] each."""
    index = torch.from_numpy(labels)[:, None]
    others = logits.scatter(1, index, -torch.inf).amax(1)
    return {
        "probability": logits.double().softmax(1).gather(1, index)[:, 0].numpy(),
        "margin": (logits.gather(1, index)[:, 0] - others).numpy(),
    }


def main() -> None:
    """Print and keep a line for each seed and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, type=Path, help="npz with images, labels careless and clean_label")
    parser.add_argument("--examples", type=int, default=10000)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    n = options.examples
    with np.load(options.images) as data:
        images, labels, clean = (data[name][:n] for name in ("images", "careless", "clean_label"))
    labels = labels.astype(np.int64)
    wrong, device = labels != clean, torch.device("cpu")
    for seed in options.seeds:
        examples = as_examples((images, labels))
        learner = TorchLearner(partial(BlockCNN, 3, 10), examples, auto(epochs=options.epochs), device)
        learner.check(seed)
        fitted = learner.fit(np.arange(n), seed, None, False)
        both = {precision: evaluated(fitted, n, precision) for precision in ("float32", "bfloat16")}
        scores = {precision: of_label(logits, labels) for precision, (logits, _) in both.items()}
        for name, exact in scores["float32"].items():
            rounded = scores["bfloat16"][name]
            row: dict[str, Any] = {
                "examples": n,
                "epochs": options.epochs,
                "seed": seed,
                "trained_in": learner.precision,
                "score": name,
                "spearman": float(spearmanr(exact, rounded).statistic),
                "precision_float32": merit(exact, wrong)[1],
                "precision_bfloat16": merit(rounded, wrong)[1],
                "seconds_float32": both["float32"][1],
                "seconds_bfloat16": both["bfloat16"][1],
            }
            print(row, flush=True)
            row |= machine()
            append(Path(__file__).parent / "results" / "evaluations.csv", list(row), [row])


if __name__ == "__main__":
    main()
