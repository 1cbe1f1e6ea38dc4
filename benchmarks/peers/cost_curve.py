"""What more training buys: finding real label errors of images, against cost in passes over the rows.

    python -m benchmarks.peers.cost_curve --data FOLDER [--epochs 3 6 12 24 48] [--seeds 0]

Needs cifar10_human.npz in --data. The careless labelling and the network are those of benchmarks/peers/label_errors.py;
the recipe is the one that `score` chooses by itself, made shorter or longer. A finished length is appended to
results/cost_curve.csv, and skipped when it is there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

import dataaudit
from benchmarks.common import table
from benchmarks.peers.cases import Case, cases
from benchmarks.peers.cells import SCORES, Book, Row, cell, here
from benchmarks.peers.collect import Clock
from benchmarks.peers.people import pictures
from benchmarks.peers.tools import figures, ranks, spent

RESULTS = Path(__file__).parent / "results"


def rows_of(case: Case, epochs: int) -> list[Row]:
    """A row for every score of an audit whose recipe has so many epochs."""
    data = case.source.inputs, case.given
    recipe = dataaudit.recipes.auto(epochs=epochs)
    with Clock() as clock:
        audit = dataaudit.score(case.source.model, data, recipe=recipe, seed=case.seed, progress=False)
    common = {**cell(case, "dataaudit", f"{epochs} epochs"), "passes": round(float(audit.settings["passes"]), 2)}
    common |= {**spent(clock), "recipe": json.dumps(audit.settings["recipe"], default=str)}
    return [
        {
            **common,
            "score": name + (" (default)" if name == audit.default else ""),
            **figures(ranks(audit, name), case.wrong),
        }
        for name in audit.columns
    ]


def tell(rows: list[Row]) -> None:
    """The default, and the best single score in hindsight, by cost."""
    lines = []
    for trained, seed in sorted(
        {(row["trained"], row["seed"]) for row in rows}, key=lambda k: (int(k[0].split()[0]), k)
    ):
        own = [row for row in rows if (row["trained"], row["seed"]) == (trained, seed)]
        mine = next(row for row in own if row["score"].endswith("(default)"))
        single = max((row for row in own if row is not mine), key=lambda row: float(row["average_precision"]))
        lines.append(
            [
                f"{trained}, seed {seed}",
                mine["passes"],
                mine["processor"],
                *(f"{float(row['average_precision']):.4f} / {float(row['auroc']):.4f}" for row in (mine, single)),
                single["score"],
            ]
        )
    table(["careless", "passes", "processor s", "default, AP / AUROC", "best in hindsight", "which"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--epochs", type=int, nargs="+", default=[3, 6, 12, 24, 48])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", type=int, default=10000, help="the first so many images")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    here()
    book = Book(options.out / "cost_curve.csv", SCORES)
    source = pictures(options.data, "careless", n=options.rows)
    with threadpool_limits(options.threads):
        for epochs in options.epochs:
            for seed in options.seeds:
                case = next(cases(source, [seed]))
                if not book.has(cell(case, "dataaudit", f"{epochs} epochs")):
                    book.append(rows_of(case, epochs))
                    print(f"{epochs} epochs, seed {seed}", flush=True)
    tell([row for row in book.rows() if int(row["rows"]) == options.rows])


if __name__ == "__main__":
    main()
