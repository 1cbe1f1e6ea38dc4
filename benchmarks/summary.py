"""Tables of everything measured: each committed results file becomes one, by benchmarks/summary.toml.

    python -m benchmarks.summary             # names of the tables
    python -m benchmarks.summary cleaning    # one of them

An entry says how a file is read: `by` names the columns that make a row, `show` those that are merged over seeds and
repeats (`merge`: what pandas can aggregate by), `pivot` spreads one column's values over columns, `where` chooses
lines, `ours`, `theirs` and `better` compare columns, and `make` names a function that makes the table of the file. A
file without an entry is shown as it is.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
ORIGIN = ["commit", "machine", "versions"]
MOST = 400
"""Rows that a page shows; the file has the others."""


@dataclass(frozen=True)
class Table:
    """What one table shows of a results file."""

    name: str
    title: str
    page: str
    file: Path
    command: str = ""
    about: str = ""
    by: tuple[str, ...] = ()
    show: Mapping[str, str] = field(default_factory=dict)
    merge: str = "median"
    pivot: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    make: str = ""
    ours: str = ""
    theirs: tuple[str, ...] = ()
    better: str = "higher"
    digits: int = 4

    def raw(self) -> pd.DataFrame:
        """Lines of the file that `where` chooses."""
        lines = pd.read_csv(self.file, keep_default_na=False, na_values=["", "nan", "NaN"])
        for column, wanted in self.where.items():
            chosen = wanted if isinstance(wanted, list) else [wanted]
            lines = lines[lines[column].isin(chosen)]
        return lines

    def frame(self) -> pd.DataFrame:
        """The table, its figures not yet rounded."""
        lines = self.raw()
        if self.make:
            module, _, name = self.make.partition(":")
            made: pd.DataFrame = getattr(import_module(module), name)(lines)
            return made
        if not self.by:
            return lines.drop(columns=ORIGIN)
        rows = lines.groupby([*self.by, *([self.pivot] if self.pivot else [])], sort=False, dropna=False)
        merged = rows[list(self.show)].agg(self.merge).rename(columns=dict(self.show))
        if not self.pivot:
            return merged.reset_index()
        spread = merged.iloc[:, 0].unstack(self.pivot)
        spread = spread[list(dict.fromkeys(lines[self.pivot]))]
        order = pd.MultiIndex.from_frame(lines[list(self.by)].drop_duplicates())
        spread = spread.reindex(order if len(self.by) > 1 else order.get_level_values(0))
        return spread.rename_axis(columns=None).reset_index()

    def compared(self) -> pd.DataFrame:
        """The table with a last column "gain": ours beyond the best of theirs, below zero where it is behind."""
        table = self.frame()
        if self.ours:
            theirs = table[list(self.theirs)]
            table["gain"] = (
                table[self.ours] - theirs.max(axis=1)
                if self.better == "higher"
                else theirs.min(axis=1) - table[self.ours]
            )
        return table

    def origin(self) -> dict[str, list[str]]:
        """Commits, machines and versions of the lines."""
        lines = self.raw()
        return {column: sorted(map(str, lines[column].unique())) for column in ORIGIN}


def tables() -> dict[str, Table]:
    """All tables by name, in the order of benchmarks/summary.toml; files without an entry come last."""
    listed = tomllib.loads((HERE / "summary.toml").read_text("utf-8"))["table"]
    found, entries = {}, {}
    for entry in listed:
        file = HERE / entry["file"]
        name = entry.get("name", file.stem.replace("_", "-"))
        found[name] = Table(**{**entry, "name": name, "file": file, "by": tuple(entry.get("by", ())),
                               "theirs": tuple(entry.get("theirs", ()))})  # fmt: skip
        entries[file] = name
    for file in sorted(HERE.glob("**/results/*.csv")):
        if file not in entries:
            room, name = file.parts[-3], f"{file.parts[-3]}-{file.stem}".replace("_", "-")
            found[name] = Table(name, f"{room}: {file.stem.replace('_', ' ')}", "others", file)
    return found


def pages() -> dict[str, tuple[str, str]]:
    """Title and first words of each page, by name."""
    listed = tomllib.loads((HERE / "summary.toml").read_text("utf-8"))["page"]
    return {page["name"]: (page["title"], page["about"]) for page in listed}


def shown(column: pd.Series, digits: int = 4) -> list[str]:
    """Cells of a column; figures have as many decimals as the largest needs for `digits` significant ones."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return ["" if pd.isna(value) else str(value) for value in column]
    known = column[np.isfinite(column.astype(float))].astype(float)
    largest = known.abs().max() if len(known) else 0.0
    places = digits if largest < 1 else max(0, digits - len(str(int(largest))))
    rounded = [f"{value:.{places}f}" for value in known]
    while places and all(text.endswith("0") for text in rounded):
        places, rounded = places - 1, [text[:-1] for text in rounded]
    return [_figure(float(value), places) for value in column]


def _figure(value: float, places: int) -> str:
    """One figure; what would round to nothing keeps two significant digits."""
    if np.isnan(value):
        return ""
    if value and abs(value) < 10**-places / 2:
        return f"{value:.1e}"
    return f"{value:.{places}f}"


def main() -> None:
    """Print a table, or the names of all."""
    found = tables()
    if len(sys.argv) == 1:
        for name, table in found.items():
            print(f"{name:28}{table.title}")
        return
    table = found[sys.argv[1]]
    frame = table.compared()
    print(pd.DataFrame({name: shown(frame[name], table.digits) for name in frame}).to_string(index=False))


if __name__ == "__main__":
    main()
