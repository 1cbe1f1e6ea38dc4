"""The page of all results: figures beside what the paper shows, values beside published ones, laws and costs."""

from __future__ import annotations

import base64
import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from benchmarks.paper.items import ITEMS
from benchmarks.paper.result import Law, Result
from benchmarks.paper.run import as_csv, read_all
from benchmarks.paper.setting import Setting, put

LAWS = ("data", *(field.name for field in fields(Law)))
COSTS = ("item", "data", "processor_seconds")
ROWS = 40
"""Most rows of a table on the page; the CSV file has all."""


def write(setting: Setting) -> Path:
    """Write index.html, which needs no other file, laws.csv and costs.csv."""
    results = read_all(setting)
    page = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True).get_template("index.html.j2")
    sections = [
        (item, [_shown(setting, result) for result in results if result.item == name]) for name, item in ITEMS.items()
    ]
    laws = [(result, law) for result in results for law in result.laws]
    claims = dict.fromkeys(law.claim for _, law in laws)
    content = page.render(
        sections=[(item, shown) for item, shown in sections if shown],
        claims={claim: [(result, law) for result, law in laws if law.claim == claim] for claim in claims},
        compared=[(result, one) for result in results for one in result.compared if one.published is not None],
        missing=[result for result in results if not result.made],
        seconds=sum(result.seconds for result in results),
        setting=setting,
        number=number,
        short=short,
        len=len,
    )
    put(setting.folder / "laws.csv", as_csv([_law_row(result, law) for result, law in laws], LAWS))
    put(setting.folder / "costs.csv", as_csv([_cost_row(result) for result in results if result.made], COSTS))
    path = setting.folder / "index.html"
    put(path, content.encode())
    return path


def _law_row(result: Result, law: Law) -> dict[str, object]:
    return {"data": result.data, **asdict(law)}


def _cost_row(result: Result) -> dict[str, object]:
    return {"item": result.item, "data": result.data, "processor_seconds": round(result.seconds, 1)}


def number(value: float | None) -> str:
    """Three decimals, or more where the value is smaller than that; empty for none."""
    return (
        ""
        if value is None or value != value
        else f"{value:.3f}"
        if abs(value) >= 0.01 or value == 0
        else f"{value:.2g}"
    )


def short(value: str) -> str:
    """A cell: numbers with at most four decimals, the rest as it is."""
    try:
        given = float(value)
    except ValueError:
        return value
    return value if "." not in value else f"{given:.4g}"


def _shown(setting: Setting, result: Result) -> dict[str, object]:
    place = setting.folder / result.data
    pictures = [
        base64.b64encode((place / name).read_bytes()).decode() for name in result.files if name.endswith(".png")
    ]
    rows: Sequence[dict[str, str]] = []
    for name in result.files:
        if name.endswith(".csv"):
            with (place / name).open(newline="") as file:
                rows = list(csv.DictReader(file))
    hidden = {"commit", "machine", "versions"}
    rows = [{key: value for key, value in row.items() if key not in hidden} for row in rows]
    return {"result": result, "pictures": pictures, "rows": rows[:ROWS], "more": max(0, len(rows) - ROWS)}
