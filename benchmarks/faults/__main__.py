"""Faults of every kind at seeded moments and places: what they cost.

    python -m benchmarks.faults [--only KIND ...] [--seed 0] [--out CSV] [--quick]

Prints how each trial ended: as if nothing had been (fine), with an error of the library that says so (refused), or in
one of three ways that must not be: something that was there before is gone (lost), a result is another without a word
(silent), an exception is no error of the library (bare). A case whose row is in the CSV file is not run again. Exits
with 1 unless the three columns are zero.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
import zlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from benchmarks.faults.base import Case

KINDS = ("saves", "interrupts", "damage", "forged", "links", "kills", "disks", "threads", "guests")
BAD = ("lost", "silent", "bare")


def run(case: Case, seed: int, quick: bool) -> dict[str, Any]:
    """Row of a case: how its trials ended, and the first that ended badly."""
    rng = np_random(seed, case)
    counts = dict.fromkeys(("fine", "refused", *BAD), 0)
    first, start = "", time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for outcome in case.run(rng, case.brief if quick else case.trials, Path(folder)):
            counts[outcome.verdict] += 1
            if outcome.verdict in BAD and not first:
                first = f"{outcome.verdict}: " + " ".join(outcome.detail.split())[:200].replace(folder, "FOLDER")
    seconds = round(time.perf_counter() - start, 1)
    total = sum(counts.values())
    return {"kind": case.kind, "case": case.name, "seed": seed, "trials": total, **counts, "s": seconds, "first": first}


def np_random(seed: int, case: Case) -> Any:
    """Generator of a case, the same whichever other cases run."""
    import numpy as np

    return np.random.default_rng([seed, zlib.crc32(f"{case.kind} {case.name}".encode())])


def summary(rows: list[dict[str, Any]]) -> list[list[Any]]:
    """Sums by kind."""
    columns = ("trials", "fine", "refused", *BAD)
    lines = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        mine = [row for row in rows if row["kind"] == kind]
        sums = [sum(int(row[column]) for row in mine) for column in columns]
        lines.append([kind, *sums, f"{sum(float(row['s']) for row in mine):.0f} s"])
    return [*lines, ["all", *(sum(line[column] for line in lines) for column in range(1, 7)), ""]]


def main(arguments: list[str] | None = None) -> int:
    """Run, continue or extend a campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, metavar="KIND")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="CSV file that rows are added to; none without")
    parser.add_argument("--quick", action="store_true", help="few trials of each case")
    chosen = parser.parse_args(arguments)

    from benchmarks.common import append, kept, machine, table

    here = machine()
    rows: list[dict[str, Any]] = list(kept(chosen.out)) if chosen.out else []
    done = {(row["kind"], row["case"], int(row["seed"])) for row in rows}
    for kind in chosen.only:
        for case in import_module(f"benchmarks.faults.{kind}").cases():
            if (kind, case.name, chosen.seed) in done:
                continue
            row = run(case, chosen.seed, chosen.quick)
            rows.append(row)
            print(", ".join(f"{name} {value}" for name, value in row.items() if value and name != "seed"), flush=True)
            if chosen.out:
                append(chosen.out, [*row, *here], [{**row, **here}])
    table(["kind", "trials", "fine", "refused", *BAD, "time"], summary(rows))
    return int(any(int(row[column]) for row in rows for column in BAD))


if __name__ == "__main__":
    sys.exit(main())
