"""Decisions in a CSV file, as a spreadsheet saves them and `DataFrame.to_csv` writes them: every cell is a text."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd

from dataaudit.data.columns import listed
from dataaudit.errors import StorageError
from dataaudit.review.rows import COLUMNS, DECISION_FILE, WORDS

NEEDED = ("row", "decision")
NUMBERS = ("row", "place", "seconds", "chance")
_WHOLE = re.compile(r"[0-9]{1,18}(?:\.0+)?")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")


def table_of(content: bytes, path: Path) -> pd.DataFrame:
    """Columns of decisions in a CSV file; others are left out, and numbers that are none stay texts.

    Raises
    ------
    StorageError
        If it is no such file, or has no column for rows or for decisions.
    """
    head, *lines = _lines(content, path)
    if not set(NEEDED) <= set(head):
        raise StorageError(
            f"{path} with the columns {listed(head)}",
            f"the columns {' and '.join(NEEDED)}, others of {', '.join(COLUMNS)}, and commas between cells",
            [
                DECISION_FILE,
                "add a column row with the number of each row, from 0, and a column decision with one of "
                f"{', '.join(WORDS)} in each row that is decided",
            ],
        )
    frame = pd.DataFrame(lines, columns=head, dtype=object)
    frame = frame.loc[:, [name in COLUMNS for name in head]]
    # Names that come twice are refused with all other tables.
    for name in NUMBERS if frame.columns.is_unique else ():
        if name in frame.columns:
            frame[name] = pd.Series([_number(cell) for cell in frame[name]], dtype=object)
    return frame


def _lines(content: bytes, path: Path) -> list[list[str]]:
    """Cells of all lines that are not blank, the names of columns first."""
    again = "save it as CSV in UTF-8, with commas between cells"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}, which is no text in UTF-8 (byte {error.start})", "a CSV file", again) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[list[str]] = []
    try:
        for line in reader:
            if found and line and len(line) != len(found[0]):
                cells = f"line {reader.line_num} of {path} with {len(line)} cells"
                raise StorageError(cells, f"{len(found[0])}, as in its first line", again)
            found += [line] if line else []
    except csv.Error as error:
        raise StorageError(f"line {reader.line_num} of {path} ({error})", "cells of a CSV file", again) from error
    return found or [[]]


def _number(cell: str) -> Any:
    plain = cell.strip()
    if _WHOLE.fullmatch(plain):
        return int(plain.partition(".")[0])
    return float(plain) if _NUMBER.fullmatch(plain) else plain
