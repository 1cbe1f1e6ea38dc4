"""Runs items: what is there already is kept, what cannot be made is said, and the rest is made."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence

from benchmarks.common import machine
from benchmarks.paper.item import Item
from benchmarks.paper.result import NotMade, Result
from benchmarks.paper.setting import ABOUT, Data, Setting, put
from dataaudit.errors import DataAuditError, MissingPackageError


def made(item: Item, setting: Setting, data: Data) -> Result:
    """One item on one data set: read where an earlier call made it, made and written otherwise."""
    try:
        place = setting.place(data)
    except NotMade as reason:
        return Result(item.name, data.name, str(reason), made=False)
    description = place / f"{item.name}.json"
    if is_made(item, setting, data):
        return Result.from_dict(json.loads(description.read_text()))
    before = processor_seconds()
    try:
        result = item.make(setting, data)
    except (NotMade, DataAuditError) as reason:
        result = Result(item.name, data.name, _sentence(reason), made=False)
    result.seconds = processor_seconds() - before
    _write(result, setting)
    return result


def is_made(item: Item, setting: Setting, data: Data) -> bool:
    """Whether an earlier call made the item of these data."""
    try:
        setting.check(data)
    except NotMade:
        return False
    description = setting.folder / data.name / f"{item.name}.json"
    return description.exists() and bool(json.loads(description.read_text())["made"])


def _sentence(reason: Exception) -> str:
    return str(reason).strip().replace("\n", " ")


def _write(result: Result, setting: Setting) -> None:
    """Rows, then the figure, then the description: whoever finds it finds the others."""
    place = setting.folder / result.data
    if result.rows:
        # Columns of all rows, in the order in which they appear.
        columns = list(dict.fromkeys(name for row in result.rows for name in row))
        put(place / f"{result.item}.csv", as_csv(result.rows, columns))
        result.files.append(f"{result.item}.csv")
    if result.draw is not None:
        place.mkdir(parents=True, exist_ok=True)
        try:
            result.draw(place / f"{result.item}.png")
            result.files.append(f"{result.item}.png")
        except MissingPackageError as reason:
            result.sentence += f" Not drawn: {_sentence(reason)}"
    put(place / f"{result.item}.json", json.dumps(result.to_dict(), indent=1).encode())


def as_csv(rows: Sequence[dict[str, object]], columns: Sequence[str]) -> bytes:
    """Rows as CSV, with the machine beside each."""
    here = machine()
    file = io.StringIO()
    writer = csv.DictWriter(file, [*columns, *here], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, **here} for row in rows)
    return file.getvalue().encode()


def read_all(setting: Setting) -> list[Result]:
    """Results that lie in the folder, of the data sets of this call; one that says so where they are of others."""
    found = []
    for data in setting.data:
        try:
            place = setting.place(data)
        except NotMade as reason:
            found.append(Result("all", data.name, str(reason), made=False))
            continue
        for path in sorted(place.glob("*.json")):
            if path.name != ABOUT:
                found.append(Result.from_dict(json.loads(path.read_text())))
    return found


def processor_seconds() -> float:
    """Processor time of this process and of its children that have ended; workers that go on are not in it."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
