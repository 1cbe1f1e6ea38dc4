"""The cells of the label-error tables: CSV files that grow by a cell at a time, and tell which are there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from benchmarks.peers.cases import Case

Row = dict[str, Any]
KEY = ("data", "noise", "rows", "model", "seed", "tool", "trained")
SCORES = ("score", "auroc", "average_precision", "missed", "passes", "wall", "processor", "recipe")
DECISIONS = (
    *("rate", "estimated", "lower", "upper", "estimates", "flagged", "precision", "recall"),
    *("suggestion_right", "reachable_90", "flagged_90", "precision_90"),
)


@lru_cache(maxsize=1)
def here() -> dict[str, str]:
    """Machine and commit as the run began."""
    return machine()


def cell(case: Case, tool: str, trained: str = "") -> Row:
    """What a row is about."""
    source = case.source
    rows = {"data": source.data, "noise": case.noise, "rows": len(case.given), "model": source.network}
    return {**rows, "seed": case.seed, "tool": tool, "trained": trained}


def key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEY)


class Book:
    """A CSV file of cells.

    Parameters
    ----------
    path
        The file; made by the first `append`.
    columns
        Its columns, after those that say which cell it is and before those of the machine.

    Raises
    ------
    ValueError
        If the file has other columns.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, [*KEY, *columns]
        found = list(self.rows()[:1])
        if found and not set(self.columns) <= set(found[0]):
            raise ValueError(f"{path} has other columns than {self.columns}: move it away")

    def rows(self) -> list[Row]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def has(self, what: Row) -> bool:
        """Whether a cell is there, perhaps by another process by now."""
        return key(what) in {key(row) for row in self.rows()}

    def append(self, rows: Sequence[Row]) -> None:
        """Add a finished cell, in one piece."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*self.columns, *here()], restval="", lineterminator="\n")
        if not self.path.exists():
            writer.writeheader()
        writer.writerows({**row, **here()} for row in rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="") as file:
            file.write(text.getvalue())


def chosen_recipe(rows: Sequence[Row], case: Case) -> dict[str, Any] | None:
    """What `score` trained this case by, from its cell; None before it is there."""
    what = key(cell(case, "dataaudit"))
    for row in rows:
        if row["recipe"] and key(row) == what:
            found: dict[str, Any] | None = json.loads(row["recipe"])
            return found
    return None
