"""The paper from one command: every table and figure, on data that you name.

    python -m benchmarks.paper all DIR --mnist FILE.npz --images FILE.npz --fashion      # a short run, about 20 minutes
    python -m benchmarks.paper all DIR --mnist FILE.npz --full                          # the paper's sizes
    python -m benchmarks.paper figure-9 DIR --images FOLDER                             # one item

Writes a CSV file and a figure for each item and data set, and DIR/index.html, which shows them beside what the paper
shows, the published values, the paper's claims with their verdicts, and what everything cost. A call that stops is gone
on with by the same call. Exits with 1 where a value that should be reproduced is not.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.common import FASHION, table
from benchmarks.paper import index, run
from benchmarks.paper.datasets import of_fashion, of_file, of_folder
from benchmarks.paper.item import Item
from benchmarks.paper.items import ITEMS, NAMES
from benchmarks.paper.result import Result
from benchmarks.paper.setting import FULL, QUICK, Data, Setting
from dataaudit.errors import DataAuditError, DataError
from dataaudit.learners.devices import resolve_device

HOLDOUT = "figure-2"
"""The item whose holdout runs estimate C-scores."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("item", choices=["all", *NAMES], metavar="ITEM", help=f"all, or one of {', '.join(NAMES)}")
    made.add_argument("folder", type=Path, metavar="DIR", help="where results go")
    made.add_argument("--mnist", type=Path, metavar="FILE.npz", help="images, labels and, if known, cscores")
    made.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.npz|FOLDER",
        help="further data: such a file, or a folder of images for each class; may come again",
    )
    made.add_argument("--fashion", nargs="?", const=FASHION, metavar="FOLDER", help=f"Fashion-MNIST; {FASHION}")
    made.add_argument("--pixels", type=positive, default=32, help="pixels a side of images in folders")
    size = made.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a short run of everything: the default")
    size.add_argument("--full", action="store_true", help="the paper's sizes; says what it will cost, and starts")
    made.add_argument("--estimate", action="store_true", help="say what it will cost, and stop")
    made.add_argument("--examples", type=positive, help="most examples of a training run")
    made.add_argument("--runs", type=positive, help="holdout runs of each subset ratio")
    made.add_argument("--epochs", type=positive, help="most epochs of networks that convolve")
    kinds = 'of holdout runs: "serial", "joblib" or "ray"; "joblib" trains schedules side by side as well'
    made.add_argument("--backend", default="joblib", help=kinds)
    made.add_argument("--device", default="auto", help="auto, cpu or cuda")
    made.add_argument("--seed", type=int, default=0)
    return made


def positive(text: str) -> int:
    """A whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: a whole number above 0 is needed")
    return value


def data_of(options: argparse.Namespace) -> tuple[Data, ...]:
    """Data sets that the user named."""
    found = [] if options.mnist is None else [of_file(options.mnist, "mnist")]
    for path in options.images:
        found.append(of_folder(path, options.pixels) if path.is_dir() else of_file(path))
    if options.fashion is not None:
        found.append(of_fashion(options.fashion))
    names = [data.name for data in found]
    if len(set(names)) < len(names):
        raise DataError(
            f"data sets of the names {', '.join(names)}",
            "another name for each, for results of a data set go into a folder of its name",
            "rename a file or a folder",
        )
    return tuple(data.mixed() for data in found)


def setting_of(options: argparse.Namespace, data: tuple[Data, ...]) -> Setting:
    sizes = FULL if options.full else QUICK
    if options.examples is not None:
        sizes = replace(sizes, examples=options.examples, held=min(options.examples, sizes.held or options.examples))
    sizes = replace(sizes, runs=options.runs or sizes.runs, epochs=options.epochs or sizes.epochs)
    return Setting(options.folder, data, sizes, options.full, options.backend, options.device, options.seed)


def shared(chosen: list[Item], data: Data) -> list[Item]:
    """The items and all whose trainings they share, in the paper's order."""
    found: dict[str, Item] = {}
    waiting = list(chosen)
    while waiting:
        item = waiting.pop()
        if item.name not in found:
            found[item.name] = item
            estimated = item.scored and data.published is None
            waiting += [ITEMS[name] for name in (*item.after, *([HOLDOUT] if estimated else []))]
    return [item for name, item in ITEMS.items() if name in found]


def say_cost(setting: Setting, chosen: list[Item]) -> None:
    """Print what is to come, in processor hours of this machine, by short trainings."""
    rows, total = [], 0.0
    for data in setting.data:
        for item in shared(chosen, data):
            seconds = 0.0 if run.is_made(item, setting, data) else item.cost(setting, data)
            total += seconds
            if seconds >= 1:
                rows.append([item.name, data.name, f"{seconds / 60:.1f}", f"{seconds / 3600:.2f}"])
    table(["to come", "data", "processor minutes", "hours"], rows)
    cores = os.cpu_count() or 1
    print(f"in all {total / 3600:.2f} processor hours: {total / 3600 / cores:.2f} hours on {cores} cores", flush=True)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        data = data_of(options)
        resolve_device(options.device)
        options.folder.mkdir(parents=True, exist_ok=True)
    except (DataAuditError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if not data:
        print("no data: name some by --mnist FILE.npz, --images FILE.npz or FOLDER, or --fashion", file=sys.stderr)
        return 2
    setting = setting_of(options, data)
    chosen = list(ITEMS.values()) if options.item == "all" else [NAMES[options.item]]
    try:
        if options.full or options.estimate:
            say_cost(setting, chosen)
        if options.estimate:
            return 0
        results = make_all(setting, chosen)
    except KeyboardInterrupt:
        print("\nstopped: what was made is kept, and the same call goes on", file=sys.stderr)
        return 130
    print(f"\nwritten: {index.write(setting)}")
    wrong = [(result, value) for result in results for value in result.compared if not value.reproduced]
    for result, value in wrong:
        print(f"not reproduced: {result.item}, {result.data}, {value.what}: {value.ours:.4f} for {value.published:.4f}")
    return int(bool(wrong))


def make_all(setting: Setting, chosen: list[Item]) -> list[Result]:
    """Results of the items on all data sets, each said as soon as it is there."""
    results = []
    for item in chosen:
        for one in setting.data:
            result = run.made(item, setting, one)
            results.append(result)
            print(f"{item.name}, {one.name}{'' if result.made else ', not made'}: {result.sentence}", flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
