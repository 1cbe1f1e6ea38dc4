"""Whether decisions are about the rows that they name, by all that they say of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.types import AnyArray, BoolArray, IntArray
from dataaudit.data.identity import as_json, beside
from dataaudit.errors import DataError
from dataaudit.errors import rows as named

ACTION = ["leave out these decisions", "pass those about this data set"]
UNKNOWN = ["leave out these decisions", "score the recorder with the data set, which knows all labels"]


def check_rows(table: pd.DataFrame, rows: IntArray, given: AnyArray, labelled: BoolArray, identity: Any) -> None:
    """Raise `DataError` unless all decisions are about rows of an audit, as it knows them.

    Parameters
    ----------
    table
        Checked decisions.
    rows, given, labelled
        Audited rows, int64 [n] ascending, their labels by name, and whether they are known.
    identity
        Names of these rows, a pandas Index [n], or None.
    """
    number = table["row"].to_numpy()
    if (other := ~np.isin(number, rows)).any():
        raise DataError(f"decisions about {named(number[other])}", "rows that were audited, see audit.rows", ACTION)
    positions = np.searchsorted(rows, number)
    unit = table["unit"].to_numpy()
    if (parts := unit != "").any():
        raise DataError(
            f"the unit {unit[np.argmax(parts)]!r} in decisions about {named(number[parts])}",
            "an empty unit: every row of this audit has one label, and a decision is about that",
            ["leave the unit blank where the whole row is meant", "leave out decisions about a part of a row"],
        )
    if (other := ~labelled[positions]).any():
        raise DataError(f"decisions about {named(number[other])} without a label", "rows whose label is known", UNKNOWN)
    said, own = table["given"].to_numpy(), given[positions]
    other = (said != "") & (said != own)
    if other.any():
        first = int(np.argmax(other))
        raise DataError(
            f"decisions about {named(number[other])} with other labels than the audited ones, such as {said[first]!r}",
            repr(own[first]),
            ACTION,
        )
    # A key is compared, and never opened.
    for key, position in zip(table["key"], positions.tolist(), strict=True):
        name = None if identity is None else as_json(identity[position])
        # In a CSV file a key is a text, whatever it is in the data set.
        if key is not None and (name is None or key not in (name, str(name))):
            raise DataError(
                f"the key {key!r} of {named([rows[position]])}",
                "none, for rows have no names here" if name is None else f"{name!r}, as the data set calls it",
                ACTION,
            )


def check_names(frame: pd.DataFrame, rows: IntArray, identity: Any) -> None:
    """Raise `DataError` if columns of a caller's table that name its rows, beside ``row``, name others."""
    if identity is None or "row" not in frame.columns or not frame.columns.is_unique:
        return
    number = pd.to_numeric(frame["row"], errors="coerce").to_numpy(np.float64)
    known = np.flatnonzero(np.isin(number, rows))
    for name, own in beside(identity, np.searchsorted(rows, number[known].astype(np.int64))).items():
        if name in frame.columns and name != "key":
            other = frame[name].iloc[known].astype(str).to_numpy() != np.asarray(own).astype(str)
            if other.any():
                raise DataError(
                    f"other names in {name!r} of {named(number[known][other])} than the data set has",
                    "rows with their own names",
                    ["sort the table whole, not single columns of it", "pass those about this data set"],
                )
