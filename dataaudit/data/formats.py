"""Files of tables: values separated by delimiters, JSON lines, Parquet, each compressed by gzip or not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from dataaudit.common import checks
from dataaudit.data.columns import listed
from dataaudit.errors import DataError, SettingError

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
DELIMITERS = {"csv": ",", "tsv": "\t"}
SPELLED = {"tab": "\t", "\\t": "\t"}
"""Delimiters that a shell does not take as they are."""
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class TableFormat:
    """How the file of a table is read: its format, delimiter and encoding; None for what its name or content says.

    `missing` holds the words that stand for a value that is missing, separated by commas, beside empty cells: "" for
    none, None for those that pandas knows, such as NA, null and None.
    """

    format: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    missing: str | None = None

    @property
    def words(self) -> dict[str, Any]:
        """Arguments of `pandas.read_csv` for missing values."""
        if self.missing is None:
            return {}
        named = [word.strip() for word in self.missing.split(",")]
        return {"keep_default_na": False, "na_values": list(dict.fromkeys(["", *named]))}

    def check(self) -> None:
        """Raise `SettingError` unless each is allowed, and goes with the others."""
        if self.format is not None:
            checks.choice(f"format={self.format!r}", self.format, FORMATS, "a known format")
        if self.delimiter is not None and len(SPELLED.get(self.delimiter, self.delimiter)) != 1:
            raise SettingError(
                f"delimiter={self.delimiter!r}", "one character", ["pass delimiter=';'", "pass delimiter='tab'"]
            )
        try:
            "".encode(self.encoding or "utf-8")
        except LookupError as error:
            raise SettingError(
                f"encoding={self.encoding!r}", "an encoding that Python knows", "pass encoding='latin-1', for example"
            ) from error


def read_table(source: Path | BinaryIO, reading: TableFormat) -> pd.DataFrame:
    """The table in a file; the index of one of lines, called ``line``, says on which of them, from 1, each row begins.

    Raises
    ------
    DataError
        If the file is no such table, or two of its columns have one name.
    SettingError
        If the reading does not apply to it.
    """
    reading.check()
    name, kind = _name(source), reading.format or format_of(source)
    _check_applies(reading, kind, name)
    try:
        if kind == "parquet":
            with _opened(source) as file:
                return pd.read_parquet(io.BytesIO(file.read()) if isinstance(file, gzip.GzipFile) else file)
        if kind == "jsonl":
            return _json_lines(source, reading.encoding or "utf-8-sig", name)
        return _delimited(source, reading, DELIMITERS[kind], name)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}, which is no text in {reading.encoding or 'utf-8'} (byte {error.start})",
            "text in the encoding named",
            "name the encoding of the file: encoding='latin-1', for example",
        ) from error
    except (ValueError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{name}, which cannot be read ({error})", f"a table ({kind})", "write the table again"
        ) from error


def _name(source: Path | BinaryIO) -> str:
    return str(source) if isinstance(source, Path) else "standard input"


def format_of(source: Path | BinaryIO) -> str:
    """Format that the name of a file says; csv of one without a name."""
    if not isinstance(source, Path):
        return "csv"
    suffixes = [suffix.lower() for suffix in source.suffixes]
    last = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])
    if last in SUFFIXES:
        return SUFFIXES[last]
    raise DataError(
        f"the file {source}",
        f"a table ({', '.join(SUFFIXES)}, each also with .gz) or a folder",
        ["convert it to one of these", "say what it is: format='csv', for example"],
    )


def _check_applies(reading: TableFormat, kind: str, name: str) -> None:
    odd = [
        option
        for option, kinds in (
            ("delimiter", ("csv", "tsv")),
            ("encoding", ("csv", "tsv", "jsonl")),
            ("missing", ("csv", "tsv")),
        )
        if getattr(reading, option) is not None and kind not in kinds
    ]
    if odd:
        raise SettingError(f"{odd[0]}= for {name}, a table in {kind}", "options that apply to it", f"drop {odd[0]}=")


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[Any]:
    """A file to read bytes from, decompressed."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            packed = file.read(2) == GZIP
        with gzip.open(source) if packed else source.open("rb") as file:
            yield file
        return
    packed = source.read(2) == GZIP
    source.seek(0)
    yield gzip.GzipFile(fileobj=source) if packed else source
    source.seek(0)


@contextmanager
def opened_text(source: Path | BinaryIO, encoding: str) -> Iterator[io.TextIOWrapper]:
    """A file to read text from, decompressed, with its line ends."""
    with _opened(source) as file:
        text = io.TextIOWrapper(file, encoding, newline="")
        yield text
        text.detach()


def _json_lines(source: Path | BinaryIO, encoding: str, name: str) -> pd.DataFrame:
    rows, lines = [], []
    with opened_text(source, encoding) as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"line {number} of {name}, which is no JSON ({error})",
                    "an object in every line",
                    "correct that line",
                ) from error
            if not isinstance(row, dict):
                raise DataError(
                    f"line {number} of {name}, which is {type(row).__name__} in JSON",
                    "an object in every line",
                    "write one object a row, in a line of its own",
                )
            rows.append(row)
            lines.append(number)
    return pd.DataFrame(rows, index=pd.Index(lines, name="line", dtype=np.int64))


def _delimited(source: Path | BinaryIO, reading: TableFormat, usual: str, name: str) -> pd.DataFrame:
    delimiter = SPELLED.get(reading.delimiter or "", reading.delimiter) or usual
    with opened_text(source, reading.encoding or "utf-8-sig") as text:
        head = next(csv.reader(text, delimiter=delimiter), [])
    twice = [column for column in dict.fromkeys(head) if column and head.count(column) > 1]
    if twice:
        raise DataError(f"several columns called {listed(twice)} in {name}", "a name for each column", "rename them")
    with _opened(source) as file:
        encoding = reading.encoding or "utf-8"
        frame: pd.DataFrame = pd.read_csv(file, sep=delimiter, encoding=encoding, low_memory=False, **reading.words)
    if frame.shape[1] == 1 and reading.delimiter is None:
        other = [sign for sign in (";", "\t", ",", "|") if sign in head[0]]
        if other:
            raise DataError(
                f"one column called {head[0]!r} in {name}",
                "columns",
                f"name what separates them: delimiter={other[0]!r}",
            )
    frame.index = _lines(source, reading, delimiter, len(frame), name)
    return frame


def words_for_missing(source: Path | BinaryIO, reading: TableFormat, frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Words of a table of text that were taken for missing values, and how often, by column; of columns of texts.

    `frame` is what `read_table` gave. None are told where the reading itself says which they are.
    """
    kind = reading.format or format_of(source)
    gaps = [name for name in frame if frame[name].isna().any() and not pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if kind not in DELIMITERS or reading.missing is not None or not gaps:
        return {}
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": reading.encoding or "utf-8"}
    delimiter = SPELLED.get(reading.delimiter or "", reading.delimiter) or DELIMITERS[kind]
    with _opened(source) as file:
        spelled = pd.read_csv(file, sep=delimiter, usecols=gaps, **options)
    found = {}
    for name in gaps:
        words = spelled[name][frame[name].isna().to_numpy()]
        counts = words[words != ""].value_counts()
        if len(counts):
            found[str(name)] = {str(word): int(count) for word, count in counts.items()}
    return found


def is_blank(cells: Sequence[str]) -> bool:
    """Tell a line that pandas leaves out, one of nothing but spaces and tabs, from a record."""
    return not cells or (len(cells) == 1 and cells[0] != "" and not cells[0].strip(" \t"))


def _lines(source: Path | BinaryIO, reading: TableFormat, delimiter: str, rows: int, name: str) -> pd.Index:
    """Line of a file, from 1, on which each row of the table in it begins."""
    breaks, last = 0, b""
    with _opened(source) as file:
        for block in iter(lambda: file.read(2**24), b""):
            breaks, last = breaks + block.count(b"\n"), block[-1:]
    first = np.arange(2, rows + 2)
    if breaks + (last != b"\n") != rows + 1:
        # Lines that are empty, or break within quotes.
        with opened_text(source, reading.encoding or "utf-8-sig") as text:
            reader = csv.reader(text, delimiter=delimiter)
            ends = [(reader.line_num, is_blank(record)) for record in reader]
        begins = [end + 1 for end, _ in [(0, 0), *ends]]
        first = np.asarray([begin for begin, (_, blank) in zip(begins, ends, strict=False) if not blank][1:])
    if len(first) != rows:
        raise DataError(
            f"{name} with {len(first)} records where pandas reads {rows} rows",
            "a table in which rows have lines",
            "write the table again, without lines of blanks",
        )
    return pd.Index(first, name="line")
