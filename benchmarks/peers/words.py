"""What texts as vectors of their words should be made of: terms, their weights, dimensions.

    python -m benchmarks.peers.words --data FOLDER

Needs trec.csv, hausa_news.csv and yoruba_news.csv in --data. Each row: ridge regression that leaves out one at a time,
on the vectors, ranks label errors (20 % symmetric ones planted in trec.csv, the real ones of the others) by its
probability of the given label; seconds are processor time of making the vectors.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Array, merit, symmetric, table, write
from benchmarks.peers.cases import texts
from benchmarks.peers.collect import Clock
from dataaudit.learners.leave_one_out import leave_one_out, row_blocks
from dataaudit.representations import words

RESULTS = Path(__file__).parent / "results"
TERMS = (("words",), ("letters",), ("words", "letters"))
DIMENSIONS = (128, 256, 512, 1024)


def confidence(vectors: Array, given: Array, classes: int) -> Array:
    outputs = leave_one_out(lambda rows: vectors[rows], given, classes)
    parts = [outputs(rows)[np.arange(rows.stop - rows.start), given[rows]] for rows in row_blocks(len(given), classes)]
    return np.concatenate(parts)


def measured(path: Path, seed: int, kinds: tuple[str, ...], dimensions: int) -> dict[str, Any]:
    lines, true, given = texts(path)
    classes = int(true.max()) + 1
    if given is None:
        given = symmetric(true, classes, 0.2, seed)
    with Clock() as clock:
        vectors = words.WordVectors(lines, dimensions, kinds).of(lines)
    auroc, average = merit(confidence(vectors, given, classes), given != true)
    return {
        "data": path.stem,
        "seed": seed,
        "terms": " + ".join(kinds),
        "dimensions": dimensions,
        "auroc": round(auroc, 5),
        "average_precision": round(average, 5),
        "processor": round(clock.processor, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    rows = []
    for kinds in TERMS:
        for dimensions in DIMENSIONS:
            for name in ("trec", "hausa_news", "yoruba_news"):
                for seed in options.seeds if name == "trec" else options.seeds[:1]:
                    rows.append(measured(options.data / f"{name}.csv", seed, kinds, dimensions))
    lines = []
    for kinds in TERMS:
        for dimensions in DIMENSIONS:
            own = [row for row in rows if row["terms"] == " + ".join(kinds) and row["dimensions"] == dimensions]
            shown = []
            for name in ("trec", "hausa_news", "yoruba_news"):
                fields = ("auroc", "average_precision", "processor")
                found = np.array([[row[field] for field in fields] for row in own if row["data"] == name])
                shown.append("{:.4f} / {:.3f}, {:.1f} s".format(*found.mean(0)))
            lines.append([" + ".join(kinds), dimensions, *shown])
    table(["terms", "dimensions", "trec, AUROC / AP", "hausa_news", "yoruba_news"], lines)
    write(options.out / "words.csv", rows)


if __name__ == "__main__":
    main()
