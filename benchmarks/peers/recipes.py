"""Which recipe finds label errors among images: candidates on one half of the data, the choice printed.

    python -m benchmarks.peers.recipes --data FOLDER [--fashion FOLDER] [--only CANDIDATE ...] [--table]

The recipe of deep networks is judged by the first 5000 images of cifar10_human.npz with `very_careless` labels and the
network of blocks, that of shallow ones by Fashion-MNIST (10000 images, small convolutional network) with planted noise;
what is published is measured on other images and labels. Every cell is appended to the results, and skipped when it is
there. Cost is counted in passes over the images: 1 a training pass, a third an evaluation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

import dataaudit
from benchmarks.common import FASHION, merit, missed, table
from benchmarks.peers.cases import Case, Source, cases, fashion_cnn
from benchmarks.peers.cells import Book, Row, cell
from benchmarks.peers.collect import Clock
from benchmarks.peers.people import pictures
from dataaudit.learners.recipes import PLAIN, CropFlip, Recipe

RESULTS = Path(__file__).parent / "results"
COLUMNS = ("score", "auroc", "average_precision", "missed", "passes", "wall", "processor", "recipe")
HALF = 5000
THIRD = 16.12
"""A third of the passes that cross-validation of 12 epochs takes: (48 + 1/3) / 3."""

SHIPPED, LEAST = ("base", "crops of 1"), 0.001
"""What ships, and how much better another candidate has to be to take its place."""

BASE = Recipe(epochs=14, evaluations=3, batch_size=64, learning_rate=0.05, weight_decay=2e-3, label_smoothing=0.1)
CROPS = CropFlip(4, True)
DEEP: dict[str, Recipe] = {
    "plain": PLAIN,
    "base": replace(BASE, augment=CROPS),
    "twelve epochs, six evaluated": replace(BASE, epochs=12, evaluations=6, augment=CROPS),
    "without smoothing": replace(BASE, label_smoothing=0.0, augment=CROPS),
    "smoothing .2": replace(BASE, label_smoothing=0.2, augment=CROPS),
    "weight decay 5e-4": replace(BASE, weight_decay=5e-4, augment=CROPS),
    "batches of 128, rate .1": replace(BASE, batch_size=128, learning_rate=0.1, augment=CROPS),
    "batches of 32, rate .025": replace(BASE, batch_size=32, learning_rate=0.025, augment=CROPS),
}
LARGE = replace(BASE, batch_size=128, learning_rate=0.1, weight_decay=5e-4)
SHALLOW: dict[str, Recipe] = {
    "plain": PLAIN,
    "as deep ones": replace(BASE, augment=CropFlip(3, False)),
    "crops of 3": replace(LARGE, augment=CropFlip(3, False)),
    "crops of 1": replace(LARGE, augment=CropFlip(1, False)),
    "no crops": LARGE,
    "crops of 1, without smoothing": replace(LARGE, label_smoothing=0.0, augment=CropFlip(1, False)),
}
CANDIDATES = {"natural half": DEEP, "fashion": SHALLOW}


def sources(options: argparse.Namespace) -> dict[str, Callable[[], Source]]:
    """By name."""
    return {
        "natural half": lambda: pictures(Path(options.data), "very_careless", n=HALF),
        "fashion": lambda: fashion_cnn(options.fashion, 10000),
    }


def rows_of(case: Case, name: str, recipe: Recipe) -> list[Row]:
    """One row a score of an audit by a candidate."""
    with Clock() as clock:
        data = (case.source.inputs, case.given)
        audit = dataaudit.score(case.source.model, data, recipe=recipe, seed=case.seed, progress=False)
    lines = []
    for score, values in audit.columns.items():
        auroc, average = merit(values, case.wrong)
        lines.append(
            {
                **cell(case, "dataaudit", name),
                "score": score,
                "auroc": round(auroc, 5),
                "average_precision": round(average, 5),
                "missed": round(missed(values, case.wrong), 4),
                "passes": audit.settings["passes"],
                "wall": round(clock.wall, 1),
                "processor": round(clock.processor, 1),
                "recipe": str(audit.settings["recipe"]),
            }
        )
    return lines


def tell(rows: list[Row]) -> None:
    """Average precision by case and candidate, and the candidate that is chosen, for each data set."""
    for data in dict.fromkeys(row["data"] for row in rows):
        tell_of([row for row in rows if row["data"] == data and row["score"] == "consensus"])


def tell_of(led: list[Row]) -> None:
    names = list(dict.fromkeys(row["trained"] for row in led))
    where = list(dict.fromkeys((row["data"], row["noise"], row["seed"]) for row in led))
    values = np.full((len(where), len(names)), np.nan)
    passes = dict.fromkeys(names, 0.0)
    for row in led:
        place = where.index((row["data"], row["noise"], row["seed"])), names.index(row["trained"])
        values[place] = float(row["average_precision"])
        passes[row["trained"]] = float(row["passes"])
    table(
        ["average precision", *names],
        [[" ".join(at), *(f"{v:.4f}" for v in line)] for at, line in zip(where, values, strict=True)],
    )
    print("passes: " + ", ".join(f"{name} {passes[name]:.2f}" for name in names))
    # Of cells that every candidate has, for the seeds may differ.
    mean = values[~np.isnan(values).any(1)].mean(0)
    allowed = [place for place, name in enumerate(names) if passes[name] <= THIRD and not np.isnan(mean[place])]
    if allowed:
        best = max(allowed, key=lambda place: mean[place])
        ships = [place for place in allowed if names[place] in SHIPPED and mean[best] - mean[place] <= LEAST]
        chosen = ships[0] if ships else best
        print(f"best, of at most {THIRD} passes: {names[best]} ({mean[best]:.4f})")
        print(f"chosen, for {LEAST} is not told from what ships: {names[chosen]} ({mean[chosen]:.4f})\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data", metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="CANDIDATE")
    parser.add_argument("--data-sets", nargs="+", metavar="NAME", help='"natural half", "fashion"')
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    book = Book(RESULTS / "recipes.csv", COLUMNS)
    for name, make in {} if options.table else sources(options).items():
        if options.data_sets and name not in options.data_sets:
            continue
        source = make()
        for case in cases(source, list(range(options.seeds))):
            for candidate, recipe in CANDIDATES[name].items():
                if (options.only and candidate not in options.only) or book.has(cell(case, "dataaudit", candidate)):
                    continue
                book.append(rows_of(case, candidate, recipe))
                print(f"{source.name}, {case.noise}, {candidate}: there", flush=True)
    tell(book.rows())


if __name__ == "__main__":
    main()
