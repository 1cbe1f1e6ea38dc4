"""Notes on columns and class names for a reader of an audit: constants, copies of the label, names that look alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.types import IntArray
from dataaudit.data.columns import listed

FEWEST = 10
"""Labelled rows from which on columns are looked at."""
SOME = 1000
"""Rows that are looked at first."""


def notes_on_columns(columns: Sequence[Any], read: Callable[[Any], Any], labels: IntArray) -> list[str]:
    """Notes on columns of one value, and on those that tell the labels [n], where these are known, one to one.

    `read` gives the values of a column as an array or a Series.
    """
    known = np.flatnonzero(labels >= 0)
    if len(known) < FEWEST:
        return []
    some = known[np.linspace(0, len(known) - 1, min(len(known), SOME)).astype(np.int64)]
    constant: list[Any] = []
    copies: list[Any] = []
    for name in columns:
        column = pd.Series(read(name)).reset_index(drop=True)
        # What a few rows deny, all rows deny.
        if _says(column, labels, some) and (said := _says(column, labels, known)):
            (constant if said == "constant" else copies).append(name)
    notes = [f"columns of one value, which tell nothing apart: {listed(constant)}"] if constant else []
    if copies:
        notes.append(
            f"columns that tell the label one to one, beside which a model needs no others: {listed(copies)}; "
            "exclude= leaves them out"
        )
    return notes


def _says(column: Any, labels: IntArray, chosen: IntArray) -> str:
    """ "constant", or "copy" of the labels; empty for any other column."""
    codes = _codes(column.iloc[chosen])
    if codes is None:
        return ""
    if codes.max(initial=0) == 0:
        return "constant"
    return "copy" if _one_to_one(codes, labels[chosen]) else ""


def _codes(column: Any) -> Any:
    """Position of each value among the different ones, gaps among them; None of values that cannot be compared."""
    try:
        return pd.factorize(column, use_na_sentinel=False)[0]
    except (TypeError, ValueError, NotImplementedError):
        return None


def _one_to_one(codes: IntArray, labels: IntArray) -> bool:
    _, classes = np.unique(labels, return_inverse=True)
    count = int(codes.max()) + 1
    if count != int(classes.max()) + 1:
        return False
    return len(np.unique(codes.astype(np.int64) * count + classes)) == count


def notes_on_names(names: Sequence[str], labels: IntArray) -> list[str]:
    """Notes on class names that differ in spaces, capitals or the form of their letters alone, with counts.

    >>> notes_on_names(["churn", "churn ", "stay"], np.array([0, 0, 1, 2]))
    ["class names that look alike: 'churn' (2) and 'churn ' (1)"]
    """
    groups: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        groups.setdefault(plain, []).append(position)
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    alike = [group for group in groups.values() if len(group) > 1]
    named = [" and ".join(f"{names[one]!r} ({counts[one]})" for one in group) for group in alike]
    more = f" and {len(named) - 8} more groups" if len(named) > 8 else ""
    return [f"class names that look alike: {'; '.join(named[:8])}{more}"] if named else []
