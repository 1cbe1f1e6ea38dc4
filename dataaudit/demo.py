"""Label errors planted in scikit-learn's digits, and found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import dataaudit
from dataaudit.common.types import BoolArray, IntArray

SHARE = 0.05


@dataclass(frozen=True)
class DemoResult:
    """Figures of every run [r]: precision is that among as many suspects as errors were planted."""

    seeds: tuple[int, ...]
    auroc: tuple[float, ...]
    average_precision: tuple[float, ...]
    precision: tuple[float, ...]
    planted: int
    folder: Path


def plant_label_errors(labels: IntArray, classes: int, share: float, seed: int) -> tuple[IntArray, BoolArray]:
    """Replace a share of the labels, each by another class drawn uniformly; returns them and a mask of these.

    >>> noisy, wrong = plant_label_errors(np.arange(100) % 5, 5, 0.1, seed=0)
    >>> int(wrong.sum()), bool((noisy[wrong] != np.flatnonzero(wrong) % 5).all())
    (10, True)
    """
    rng = np.random.default_rng(seed)
    wrong = np.zeros(len(labels), bool)
    wrong[rng.choice(len(labels), round(share * len(labels)), replace=False)] = True
    noisy = np.array(labels, np.int64)
    noisy[wrong] = (noisy[wrong] + rng.integers(1, classes, wrong.sum())) % classes
    return noisy, wrong


def run(out: str | Path, seeds: Sequence[int] = (0, 1, 2), progress: bool = True) -> DemoResult:
    """Audit the digits once a seed, of planting and training alike; save the first audit and its report in `out`."""
    from sklearn.datasets import load_digits
    from sklearn.metrics import average_precision_score, roc_auc_score

    out = Path(out)
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    model = dataaudit.networks.build("mlp", images.shape[1:], 10)
    auroc, average, precision = [], [], []
    for number, seed in enumerate(seeds):
        noisy, wrong = plant_label_errors(digits.target, 10, SHARE, seed)
        audit = dataaudit.score(model, (images, noisy), seed=seed, progress=progress)
        if number == 0:
            audit.save(out / "audit")
            audit.report(out / "report.html")
        ranking = audit.ranking()
        suspicion = np.empty(len(ranking))
        suspicion[ranking] = -np.arange(len(ranking))
        auroc.append(float(roc_auc_score(wrong, suspicion)))
        average.append(float(average_precision_score(wrong, suspicion)))
        precision.append(float(wrong[ranking[: wrong.sum()]].mean()))
    planted = round(SHARE * len(images))
    return DemoResult(tuple(seeds), tuple(auroc), tuple(average), tuple(precision), planted, out)
