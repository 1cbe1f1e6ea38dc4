"""What more training buys: finding real label errors of images, against cost in passes over the rows.

    python -m benchmarks.peers.cost_curve --data FOLDER [--epochs 3 6 12 24 48] [--repeats 2 3] [--both]

Needs cifar10_human.npz in --data. The careless labelling and the network are those of benchmarks/peers/label_errors.py;
the recipe is the one that `score` chooses by itself, made shorter or longer (--epochs), or left as it is and run more
than once (--repeats). A finished call is appended to results/cost_curve.csv, and skipped when it is there. With
``--labelling very_careless --rows 5000`` it looks at the half on which recipes are chosen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

import dataaudit
from benchmarks.common import table
from benchmarks.peers.cases import Case, plant
from benchmarks.peers.cells import SCORES, Book, Row, cell, here
from benchmarks.peers.collect import Clock
from benchmarks.peers.people import pictures
from benchmarks.peers.tools import figures, ranks, spent

RESULTS = Path(__file__).parent / "results"


def called(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Arguments of `score` by what a row calls them."""
    longer = {f"{epochs} epochs": {"recipe": dataaudit.recipes.auto(epochs=epochs)} for epochs in options.epochs}
    often = {f"{repeats} runs": {"repeats": repeats} for repeats in options.repeats}
    if not options.both:
        return longer | often
    return {f"{one}, {two}": longer[one] | often[two] for one in longer for two in often}


def rows_of(case: Case, name: str, arguments: dict[str, Any]) -> list[Row]:
    """A row for every score of an audit by that call."""
    data = case.source.inputs, case.given
    with Clock() as clock:
        audit = dataaudit.score(case.source.model, data, seed=case.seed, progress=False, **arguments)
    common = {**cell(case, "dataaudit", name), "passes": round(float(audit.settings["passes"]), 2)}
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
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: (float(row["passes"]), row["seed"])):
        cells.setdefault((row["trained"], row["seed"]), []).append(row)
    for (trained, seed), own in cells.items():
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
    table(["trained", "passes", "processor s", "default, AP / AUROC", "best in hindsight", "which"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--epochs", type=int, nargs="*", default=[3, 6, 12, 24, 48])
    parser.add_argument("--repeats", type=int, nargs="*", default=[2, 3])
    parser.add_argument("--both", action="store_true", help="every length as often as every number of runs")
    parser.add_argument("--labelling", default="careless")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", type=int, default=10000, help="the first so many images")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    here()
    book = Book(options.out / "cost_curve.csv", SCORES)
    source = pictures(options.data, options.labelling, n=options.rows)
    with threadpool_limits(options.threads):
        for name, arguments in called(options).items():
            for seed in options.seeds:
                case = Case(source, options.labelling, seed, plant(source, options.labelling, seed))
                if not book.has(cell(case, "dataaudit", name)):
                    book.append(rows_of(case, name, arguments))
                    print(f"{name}, seed {seed}", flush=True)
    shown = [row for row in book.rows() if (row["rows"], row["noise"]) == (str(options.rows), options.labelling)]
    tell(shown)


if __name__ == "__main__":
    main()
