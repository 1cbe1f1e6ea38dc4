"""What every benchmark shares: data by path, noise, figures of merit, the machine's name, tables and CSV files."""

from __future__ import annotations

import csv
import gzip
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

Array = NDArray[Any]

FASHION = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package dataset-fashion-mnist puts the images."""

PAIRS = {0: 6, 6: 0, 2: 4, 4: 2, 1: 3, 3: 1, 5: 7, 7: 9, 9: 7}
"""Fashion-MNIST classes that are mistaken for each other; bags (8) for none."""


def fashion(folder: str, n: int) -> tuple[Array, Array]:
    """First `n` training images uint8 [n, 1, 28, 28] and labels int64 [n] of Fashion-MNIST."""
    with gzip.open(Path(folder) / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(Path(folder) / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images[:n], labels[:n].astype(np.int64)


def fashion_test(folder: str) -> tuple[Array, Array]:
    """The 10000 test images uint8 [n, 1, 28, 28] and labels int64 [n] of Fashion-MNIST."""
    with gzip.open(Path(folder) / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(Path(folder) / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels.astype(np.int64)


def symmetric(labels: Array, classes: int, share: float, seed: int) -> Array:
    """Labels of which exactly a `share` is replaced by another class, uniformly."""
    rng = np.random.default_rng(seed)
    noisy = labels.copy()
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    noisy[wrong] = (labels[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return noisy


def paired(labels: Array, partner: Mapping[int, int], share: float, seed: int) -> Array:
    """Labels of which each is replaced by its class's partner with probability `share`."""
    rng = np.random.default_rng(seed)
    moved = rng.random(len(labels)) < share
    return np.array(
        [partner.get(int(label), int(label)) if m else label for label, m in zip(labels, moved, strict=True)]
    )


def merit(scores: Array, wrong: Array) -> tuple[float, float]:
    """AUROC and average precision of finding `wrong` by the lowest `scores`."""
    return float(roc_auc_score(wrong, -scores)), float(average_precision_score(wrong, -scores))


def missed(scores: Array, wrong: Array) -> float:
    """Share of the errors not among the lowest `scores` when as many are looked at as there are errors.

    Of equal scores at the limit it is unknown which are looked at: each counts by its chance.
    """
    looked = int(wrong.sum())
    limit = np.partition(scores, looked - 1)[looked - 1]
    below, at = scores < limit, scores == limit
    found = wrong[below].sum() + wrong[at].mean() * (looked - below.sum())
    return float(1 - found / looked)


def machine() -> dict[str, str]:
    """Machine, commit and versions, for every row of a results file; results files are no changes."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    status = ["git", "status", "--porcelain", "--", ":/", ":(top,exclude,glob)**/results/*"]
    changed = subprocess.run(status, capture_output=True, text=True, check=False).stdout
    return {
        "commit": commit.stdout.strip() + ("+changes" if changed.strip() else ""),
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()} threads",
        "versions": " ".join(f"{name} {version(name)}" for name in ("dataaudit", "torch", "numpy")),
    }


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, with the machine beside each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    here = machine()
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *here], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **here} for row in rows)
    print(f"\nwritten: {path}")


def kept(path: Path) -> list[dict[str, str]]:
    """Lines of a CSV file that earlier runs appended to; none without it."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, fields: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines to a CSV file with these columns, which is made by the first."""
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerows(lines)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table of left-aligned first and right-aligned other columns."""
    cells = [list(map(str, head)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        first, *rest = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))
