"""Decisions about labels, of one reviewer or several, in a table and in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from dataaudit.common import checks, folders
from dataaudit.common.json_text import spelled
from dataaudit.data.columns import listed
from dataaudit.errors import DataError, StorageError, rows
from dataaudit.review.csv_file import table_of
from dataaudit.review.rows import COLUMNS, DECISION_FILE, checked, lines_of

FORMAT, VERSION = "dataaudit decisions", 1
HEADER = ("format", "version", "fingerprint", "class_names")
LARGEST = 2**30
"""Bytes of the largest file that is read."""
RESOLUTIONS = ("majority", "unsure")


def header_of(fingerprint: str | None, class_names: Sequence[str]) -> dict[str, Any]:
    """First line of a decision file."""
    return dict(zip(HEADER, (FORMAT, VERSION, fingerprint, list(class_names)), strict=True))


@dataclass(frozen=True, eq=False, repr=False)
class Decisions:
    """Decisions of people about the labels of an audit's rows; `dataaudit.Audit.review` makes undecided ones.

    Attributes
    ----------
    table
        One row a decision: ``row`` and ``key`` (its number and its name in the data set), ``unit`` (of the row; empty
        for all of it), ``given`` and ``suggested`` label, ``decision`` (keep, relabel, remove, unsure; blank:
        undecided), ``label`` (to give; blank: the suggested one), ``reviewer``, ``time``, ``seconds``, ``place`` (in
        the queue) and ``chance`` (with which the row was drawn for that place, 1 where it was chosen before anything
        was decided); place and chance are blank of a row that the reviewer chose.
    fingerprint
        Fingerprint of the audited data; None where that has none, or is not known.
    class_names
        Labels that can be given; empty if they are not known.

    Examples
    --------
    >>> import pandas as pd
    >>> from dataaudit import Decisions
    >>> first = pd.DataFrame({"row": [3, 5], "decision": ["keep", "relabel"], "label": ["", "cat"], "reviewer": "a"})
    >>> second = first.assign(decision="keep", label="", reviewer="b")
    >>> both = Decisions.of(pd.concat([first, second]))
    >>> len(both), both.decided
    (4, 4)
    """

    table: pd.DataFrame
    fingerprint: str | None = None
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        fingerprint: str | None = None,
        class_names: tuple[str, ...] = (),
        source: str = "decisions",
    ) -> Decisions:
        """Decisions in a DataFrame with ``row``, ``decision`` and any other of the columns, checked.

        Raises
        ------
        DataError
            If a value is not what it can be, or a row comes twice from one reviewer.

        Examples
        --------
        >>> made = Decisions.of(pd.DataFrame({"row": [3, 5], "decision": ["keep", "remove"]}))
        >>> len(made), made.decided
        (2, 2)
        """
        made = checked(table, source, class_names)
        _refuse_twice(made, source)
        return cls(made, fingerprint, class_names)

    @classmethod
    def read(cls, path: str | Path) -> Decisions:
        """Read a decision file: a line of JSON that says what it is of, then a line a decision.

        A file that is called .csv is a table with the columns ``row``, ``decision`` and any other of `table`, as
        ``table.to_csv(path, index=False)`` writes it; what data set it is of it does not say. Nothing that a line says
        is opened or run.

        Raises
        ------
        StorageError
            If the file cannot be read, or is no decision file.
        DataError
            As `of`.
        """
        path = Path(path)
        checks.exists(path)
        with folders.explained(path):
            size = path.stat().st_size
            if size > LARGEST:
                raise StorageError(f"{path} of {size} bytes", f"at most {LARGEST}", DECISION_FILE)
            content = path.read_bytes()
        if path.suffix.lower() == ".csv":
            return cls.of(table_of(content, path), source=str(path))
        lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
        header = _parsed(*lines[0], path) if lines else {}
        _check_header(header, path)
        records = [_parsed(number, line, path) for number, line in lines[1:]]
        for (number, _), record in zip(lines[1:], records, strict=True):
            if not record.keys() <= set(COLUMNS) or "row" not in record:
                raise StorageError(
                    f"line {number} of {path} with the entries {listed(list(record))}",
                    f"row, and others of {', '.join(COLUMNS)}",
                    "leave the names as review() wrote them",
                )
        table = pd.DataFrame(
            {name: pd.Series([record.get(name) for record in records], dtype=object) for name in COLUMNS}
        )
        return cls.of(table, header["fingerprint"], tuple(header["class_names"]), str(path))

    def write(self, path: str | Path) -> Path:
        """Write a decision file, whole or not at all, and return its path.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        path = Path(path)
        header = header_of(self.fingerprint, self.class_names)
        lines = [spelled(header), *lines_of(self.table)]
        folders.put(path, ("\n".join(lines) + "\n").encode())
        return path

    def __len__(self) -> int:
        """Number of rows of the table, decided or not."""
        return len(self.table)

    @property
    def decided(self) -> int:
        """Number of rows that say keep, relabel, remove or unsure."""
        return int((self.table["decision"] != "").sum())

    def __repr__(self) -> str:
        counts = self.table["decision"].replace("", "undecided").value_counts()
        told = ", ".join(f"{count} {word}" for word, count in counts.items()) or "none"
        return f"Decisions about {len(self)} rows: {told}; the rows are in .table"

    def merge(self, *others: Decisions) -> Decisions:
        """Return these decisions and others about the same data set.

        Undecided rows that another decided go; what one reviewer says twice alike is said once.

        Raises
        ------
        DataError
            If they are of other data, a place or chance differs, or a reviewer says two things about a row.
        """
        for other in others:
            mine, theirs = (self.fingerprint, self.class_names), (other.fingerprint, other.class_names)
            if mine != theirs:
                raise DataError(
                    f"decisions about data with fingerprint {theirs[0]} and {len(theirs[1])} classes",
                    f"fingerprint {mine[0]} and {len(mine[1])} classes, as the first",
                    "merge decisions about one data set alone",
                )
        whole = pd.concat([one.table for one in (self, *others)], ignore_index=True)
        _refuse_other_places(whole)
        decided = whole["decision"] != ""
        done = set(whole.loc[decided, ["row", "unit"]].itertuples(index=False, name=None))
        pairs = whole[["row", "unit"]].itertuples(index=False, name=None)
        stays = decided.to_numpy() | np.array([pair not in done for pair in pairs], bool)
        kept = whole[stays]
        # Of those that say the same the one that has a place.
        kept = kept.sort_values("place", kind="stable", na_position="last")
        kept = kept.drop_duplicates(["row", "unit", "reviewer", "decision", "label"]).sort_index()
        merged = kept.reset_index(drop=True)
        named = merged["reviewer"] != ""
        _refuse_twice(merged[named], "merged decisions")
        return Decisions(merged, self.fingerprint, self.class_names)

    def conflicts(self) -> pd.DataFrame:
        """Return the decisions about rows on which reviewers differ, row by row."""
        decided = self.table[self.table["decision"] != ""]
        verdicts = decided.groupby(["row", "unit"])
        several = verdicts["decision"].transform("nunique").gt(1) | verdicts["label"].transform("nunique").gt(1)
        columns = ["row", "key", "unit", "given", "suggested", "reviewer", "decision", "label"]
        return decided.loc[several, columns].sort_values(["row", "unit"], kind="stable").reset_index(drop=True)

    def agreement(self) -> pd.DataFrame:
        """Return how far each two reviewers agree on rows that both decided.

        Returns
        -------
        DataFrame
            first, second (reviewers), rows (that both decided), same (share of the rows on which they decided alike),
            kappa (Cohen's: that share beyond chance; NaN where both said one thing throughout).

        Raises
        ------
        DataError
            If reviewers without a name differ about a row: who they are is not known.
        """
        from sklearn.metrics import cohen_kappa_score

        decided = self.table[self.table["decision"] != ""]
        _refuse_twice(decided, "decisions of reviewers without a name")
        verdict = decided["decision"] + "\0" + decided["label"]
        wide = decided.assign(verdict=verdict).pivot(index=["row", "unit"], columns="reviewer", values="verdict")
        found = []
        for first, second in combinations(wide.columns, 2):
            both = wide[[first, second]].dropna()
            one, other = both[first].tolist(), both[second].tolist()
            same = float(np.mean([a == b for a, b in zip(one, other, strict=True)])) if one else np.nan
            kappa = float(cohen_kappa_score(one, other)) if len({*one, *other}) > 1 else np.nan
            found.append((first, second, len(both), same, kappa))
        return pd.DataFrame(found, columns=["first", "second", "rows", "same", "kappa"])

    def resolve(self, how: Literal["majority", "unsure"] = "majority") -> Decisions:
        """Return one decision a row: what most reviewers say, and unsure where none prevails.

        Parameters
        ----------
        how
            "majority", or "unsure" for every row on which reviewers differ.

        Raises
        ------
        SettingError
            If `how` is neither.
        """
        checks.choice(f"how={how!r}", how, RESOLUTIONS, "a way to settle conflicts")
        differing = pd.MultiIndex.from_frame(self.conflicts()[["row", "unit"]])
        placed = self.table.sort_values("place", kind="stable", na_position="last")
        first = placed.drop_duplicates(["row", "unit"]).sort_index()
        open_rows = pd.MultiIndex.from_frame(placed[["row", "unit"]]).isin(differing)
        for (row, unit), several in placed[open_rows].groupby(["row", "unit"], sort=False):
            counts = several.groupby(["decision", "label"]).size().sort_values(ascending=False)
            clear = how == "majority" and counts.iloc[0] > counts.iloc[1]
            here = (first["row"] == row) & (first["unit"] == unit)
            decision, label = counts.index[0] if clear else ("unsure", "")
            first.loc[here, ["decision", "label", "reviewer", "time"]] = (
                decision,
                label,
                ", ".join(several["reviewer"]),
                "",
            )
            first.loc[here, "seconds"] = np.nan
        return Decisions(first.reset_index(drop=True), self.fingerprint, self.class_names)

    def single(self) -> pd.DataFrame:
        """Table with one decision a row.

        Raises
        ------
        DataError
            If reviewers differ.
        """
        differing = self.conflicts()
        if len(differing):
            raise DataError(
                f"{rows(differing['row'].unique())} on which reviewers differ",
                "one decision a row",
                ["settle what conflicts() shows", "pass what resolve() gives"],
            )
        return self.resolve().table


def _refuse_twice(table: pd.DataFrame, source: str) -> None:
    twice = table.duplicated(["row", "unit", "reviewer"])
    if twice.any():
        raise DataError(
            f"two decisions about {rows(table.loc[twice, 'row'].unique())} in {source}",
            "one of each reviewer about a row",
            ["leave one of them out", "name the reviewers in the column 'reviewer'"],
        )


def _refuse_other_places(table: pd.DataFrame) -> None:
    """Raise if one place has several rows, or one row several places."""
    placed = table[table["place"].notna()].drop_duplicates(["row", "unit", "place", "chance"])
    for name in ("place", "row"):
        other = placed.duplicated([name, "unit"])
        if other.any():
            raise DataError(
                f"{rows(placed.loc[other, 'row'])} with other places or chances than elsewhere",
                "decisions about one queue",
                "leave place and chance blank in one of them, whose rows then count as chosen by the reviewer",
            )


def _parsed(number: int, line: bytes, path: Path) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    try:
        found = json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise StorageError(
            f"line {number} of {path}, which is not JSON ({error})",
            "a decision file: one JSON object a line",
            DECISION_FILE,
        ) from error
    if not isinstance(found, dict):
        raise StorageError(f"line {number} of {path} with a {type(found).__name__}", "an object", DECISION_FILE)
    return found


def _check_header(header: dict[str, Any], path: Path) -> None:
    known = (header.get("format"), header.get("version")) == (FORMAT, VERSION)
    names, fingerprint = header.get("class_names"), header.get("fingerprint")
    good = known and header.keys() == set(HEADER) and isinstance(names, list) and all(isinstance(n, str) for n in names)
    if not good or not (fingerprint is None or isinstance(fingerprint, str)):
        raise StorageError(
            f"{path}, whose first line is not that of a decision file",
            f"format {FORMAT!r}, version {VERSION}, fingerprint and class_names",
            DECISION_FILE,
        )
