"""Rows of decisions: columns, words, and checks of each value."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common import checks
from dataaudit.common.json_text import spelled
from dataaudit.common.spelling import escaped
from dataaudit.data.columns import listed
from dataaudit.data.identity import as_json as name_as_json
from dataaudit.errors import DataError, did_you_mean, rows

TEXTS = ("unit", "given", "suggested", "decision", "label", "reviewer", "time")
COLUMNS = (
    *("row", "key", "unit", "given", "suggested", "decision", "label", "reviewer", "time", "seconds", "place"),
    "chance",
)
WORDS = ("keep", "relabel", "remove", "unsure")
"""What a person can decide; blank is undecided."""
WRONG = ("relabel", "remove")
"""Decisions that say that the row cannot stay as it is."""


ROW = "write its number, from 0, as in the column 'row' of review() and mislabeled()"
KEPT = "leave it as review() wrote it"
DECISION_FILE = "pass a decision file, such as the page of a review downloads, as it was written"


def checked(frame: pd.DataFrame, source: str, class_names: Sequence[str]) -> pd.DataFrame:
    """Decisions with all columns, checked value by value; rows are called by their number in the data set.

    Parameters
    ----------
    frame
        Any of `COLUMNS`, ``row`` at least; others are left out.
    source
        Where they come from, for errors.
    class_names
        Labels that can be given; any, if there are none.

    Raises
    ------
    DataError
        If a column is missing or double, or a value is not what it can be.
    """
    if "row" not in frame.columns or not frame.columns.is_unique:
        raise DataError(
            f"{source} with the columns {listed(list(frame.columns))}",
            "a column 'row' with rows of the data set, and each name once",
            "pass the table that review() or mislabeled() gave, with a column 'decision'",
        )
    count = len(frame)
    made: dict[str, Any] = {"row": [_row(value, source) for value in frame["row"].tolist()]}
    named, known = made["row"], set(class_names)
    key = [_key(value, row) for value, row in zip(_column(frame, "key"), named, strict=True)]
    made["key"] = pd.Series(key, dtype=object)
    for name in TEXTS:
        made[name] = [_text(name, value, row, known) for value, row in zip(_column(frame, name), named, strict=True)]
    for name, low, high in (("seconds", 0.0, math.inf), ("chance", 0.0, 1.0)):
        values = _column(frame, name)
        made[name] = [_number(name, value, row, low, high) for value, row in zip(values, named, strict=True)]
    made["place"] = [_place(value, row) for value, row in zip(_column(frame, "place"), named, strict=True)]
    table = pd.DataFrame(made, index=range(count))[list(COLUMNS)]
    table["row"] = table["row"].astype(np.int64)
    table[["seconds", "chance"]] = table[["seconds", "chance"]].astype(np.float64)
    table["place"] = table["place"].astype("Int64")
    _check_together(table, class_names)
    return table


def is_blank(value: Any) -> bool:
    """Tell None, NaN and empty texts from values."""
    return value is None or value is pd.NA or value is pd.NaT or value == "" or value != value


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    return frame[name].astype(object).tolist() if name in frame.columns else [None] * len(frame)


def _row(value: Any, source: str) -> int:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    if not checks.is_whole(plain) or not 0 <= plain < 2**62:
        raise DataError(f"the row {value!r} in {source}", "a whole number of at least 0", ROW)
    return plain


def _key(value: Any, row: int) -> Any:
    if not isinstance(value, (list, tuple)) and is_blank(value):
        return None
    parts = value if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(part, (list, tuple, dict)) for part in parts):
        raise DataError(f"the key {value!r} of {rows([row])}", "what the data set calls the row", KEPT)
    return name_as_json(value)


def _text(name: str, value: Any, row: int, known: Collection[str]) -> str:
    if is_blank(value):
        return ""
    if isinstance(value, (dict, list, tuple)):
        raise DataError(f"the {name} {value!r} of {rows([row])}", "a text", ["write one", "leave it blank"])
    if isinstance(value, float) and value.is_integer() and str(value) not in known:
        # A column of whole numbers with blanks.
        value = int(value)
    # As labels are read: nothing else holds what has no UTF-8.
    return escaped(str(value))


def _number(name: str, value: Any, row: int, low: float, high: float) -> float:
    if is_blank(value):
        return math.nan
    good = checks.is_number(value) and low <= value <= high and math.isfinite(value)
    if not good or (name == "chance" and value == 0):
        expected = "a chance above 0, at most 1" if name == "chance" else "seconds, at least 0"
        raise DataError(f"the {name} {value!r} of {rows([row])}", expected, [KEPT, "leave it blank"])
    return float(value)


def _place(value: Any, row: int) -> Any:
    if is_blank(value):
        return pd.NA
    plain = int(value) if isinstance(value, float) and value.is_integer() else value
    if not checks.is_whole(plain) or not 1 <= plain < 2**62:
        raise DataError(f"the place {value!r} of {rows([row])}", "a place in the queue, from 1", KEPT)
    return int(plain)


def _check_together(table: pd.DataFrame, class_names: Sequence[str]) -> None:
    """Raise `DataError` if values do not fit each other, or the classes."""
    word, label, number = table["decision"], table["label"], table["row"]
    unknown = ~word.isin(["", *WORDS])
    if unknown.any():
        first = int(np.argmax(unknown))
        raise DataError(
            f"the decision {word[first]!r} of {rows([number[first]])}",
            f"one of {', '.join(WORDS)}, or blank",
            did_you_mean(word[first], WORDS),
        )
    known, free = set(class_names), "leave the decision blank"
    for column in ("given", "label") if known else ():
        other = ~table[column].isin(["", *known])
        if other.any():
            first = int(np.argmax(other))
            value = table[column][first]
            raise DataError(
                f"the {column} {value!r} of {rows([number[first]])}", "a class of the data", did_you_mean(value, known)
            )
    replaced = (word == "relabel") & (label == "")
    table.loc[replaced, "label"] = table.loc[replaced, "suggested"]
    if known and (other := replaced & ~table["label"].isin(known)).any():
        raise DataError(
            f"{rows(number[other])} to be labelled anew, without a label",
            "a label, or one that was suggested",
            ["write a label", free],
        )
    same = (word == "relabel") & (table["label"] == table["given"]) & (table["given"] != "")
    if same.any():
        raise DataError(
            f"{rows(number[same])} to be labelled anew with the label that is there",
            "another label, or keep",
            ["write another label", "decide to keep", free],
        )
    extra = (label != "") & (word != "relabel") & (label != table["given"])
    if extra.any():
        first = int(np.argmax(extra))
        raise DataError(
            f"{rows(number[extra])} with another label and the decision {word[first]!r}",
            "relabel for these",
            ["decide to relabel", "leave the label blank"],
        )
    alone = table["place"].isna() != table["chance"].isna()
    if alone.any():
        raise DataError(
            f"{rows(number[alone])} with a place or a chance alone",
            "both, or none of a row you chose",
            [KEPT, "leave both blank"],
        )


def lines_of(table: pd.DataFrame) -> list[str]:
    """Line of JSON for each decision."""
    lines = []
    for record in table.to_dict("records"):
        plain: Mapping[str, Any] = {str(name): None if _is_missing(value) else value for name, value in record.items()}
        lines.append(spelled(plain))
    return lines


def _is_missing(value: Any) -> bool:
    return not isinstance(value, (list, str)) and is_blank(value)
