"""Data sets on disk with some rows left out and some labels exchanged, written anew: all else stays as it is there."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from dataaudit.common import folders
from dataaudit.data.formats import DELIMITERS, SPELLED, SUFFIXES, TableFormat, format_of, is_blank, opened_text
from dataaudit.errors import DataError, SettingError


def rewrite_table(
    source: Path,
    target: Path,
    reading: TableFormat,
    label: str,
    removed: Set[int],
    carriers: Mapping[int, int],
    corrected: pd.DataFrame,
) -> None:
    """Write a table anew in the format that it has, compressed where `target` ends with .gz.

    Parameters
    ----------
    source, target, reading
        The file, another one, and how the first is read.
    label
        Label column.
    removed
        Rows to leave out.
    carriers
        By row that gets another label: a row that carries it.
    corrected
        The corrected table, which a Parquet file is made of.
    """
    kind = reading.format or format_of(source)
    if reading.format is None and format_of(target) != kind:
        raise SettingError(
            f"out={str(target)!r} for a table in {kind}",
            f"a file in {kind}",
            f"pass out={str(_ending(target, kind))!r}",
        )
    with folders.writing(target) as plain:
        packed = gzip.GzipFile(fileobj=plain, mode="wb", mtime=0) if target.suffix.lower() == ".gz" else None
        file: Any = plain if packed is None else packed
        if kind == "parquet":
            content = io.BytesIO()
            corrected.to_parquet(content)
            file.write(content.getvalue())
        else:
            _rewrite_text(source, file, reading, kind, label, removed, carriers)
        if packed is not None:
            packed.close()


def _ending(target: Path, kind: str) -> Path:
    """The file's name with an ending that says its format."""
    return target.with_suffix(next(suffix for suffix, known in SUFFIXES.items() if known == kind))


def _rewrite_text(
    source: Path,
    file: BinaryIO,
    reading: TableFormat,
    kind: str,
    label: str,
    removed: Set[int],
    carriers: Mapping[int, int],
) -> None:
    encoding = reading.encoding or "utf-8"
    records = _Objects() if kind == "jsonl" else _Cells(reading, kind)
    wanted, values = set(carriers.values()), dict[int, Any]()
    with opened_text(source, encoding) as text:
        for row, record in records.read(text):
            if row in wanted:
                values[row] = records.label_of(record, label)
    with opened_text(source, encoding) as text:
        for row, record in records.read(text):
            if row not in removed:
                changed = record if row not in carriers else records.relabelled(record, label, values[carriers[row]])
                file.write(changed.encode(encoding))


class _Objects:
    """Records of JSON lines."""

    def read(self, text: io.TextIOBase) -> Iterator[tuple[int, str]]:
        """Rows, and the texts of their records; blank lines are row -1."""
        row = 0
        for line in text:
            yield (row, line) if line.strip() else (-1, line)
            row += bool(line.strip())

    def label_of(self, record: str, label: str) -> Any:
        """Value of the label."""
        return json.loads(record)[label]

    def relabelled(self, record: str, label: str, value: Any) -> str:
        """The record with another label."""
        return json.dumps({**json.loads(record), label: value}, ensure_ascii=False) + "\n"


class _Cells:
    """Records of values between delimiters, in one line or several."""

    def __init__(self, reading: TableFormat, kind: str) -> None:
        self._delimiter = SPELLED.get(reading.delimiter or "", reading.delimiter) or DELIMITERS[kind]
        self._place: dict[str, int] = {}

    def read(self, text: io.TextIOBase) -> Iterator[tuple[int, str]]:
        """Rows, and the texts of their records; the head and blank lines are row -1."""
        seen: list[str] = []

        def noted() -> Iterator[str]:
            for line in text:
                seen.append(line)
                yield line

        row = -1
        for cells in csv.reader(noted(), delimiter=self._delimiter):
            record = "".join(seen)
            seen.clear()
            if row < 0 and not is_blank(cells):
                self._place = {name.removeprefix("\ufeff"): at for at, name in enumerate(cells)}
                yield -1, record
                row = 0
            elif not is_blank(cells):
                yield row, record
                row += 1
            else:
                yield -1, record

    def label_of(self, record: str, label: str) -> str:
        """Text of the label."""
        return self._cells(record)[self._place[label]]

    def relabelled(self, record: str, label: str, value: str) -> str:
        """The record with another label."""
        cells = self._cells(record)
        cells[self._place[label]] = value
        made = io.StringIO()
        end = "\r\n" if record.endswith("\r\n") else "\n"
        csv.writer(made, delimiter=self._delimiter, lineterminator=end).writerow(cells)
        return made.getvalue()

    def _cells(self, record: str) -> list[str]:
        return next(csv.reader(io.StringIO(record, newline=""), delimiter=self._delimiter))


def rewrite_images(source: Path, target: Path, files: Mapping[str, str | None]) -> None:
    """Copy images into a new folder, each below its class; `files` holds classes by path, None to leave out.

    Raises
    ------
    DataError
        If an image would take another one's place.
    """
    places = {name: target / label / Path(*Path(name).parts[1:]) for name, label in files.items() if label is not None}
    taken: dict[Path, str] = {}
    for name, place in places.items():
        if place in taken:
            raise DataError(
                f"the images {taken[place]!r} and {name!r}, which would both be {place}",
                "names that differ within a class",
                "rename one of them, and audit the folder again",
            )
        taken[place] = name
    with folders.explained(target):
        for name, place in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, place)
