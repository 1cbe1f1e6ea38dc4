"""Which examples a page shows, and what it says of each."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.data.identity import as_json
from dataaudit.errors import DataError, InPython, ModelError, SettingError, rows
from dataaudit.labels.reasons import reasons
from dataaudit.report.review import Card

if TYPE_CHECKING:
    from dataaudit.audit.exports import Exports
    from dataaudit.data.examples import Examples

LEAST = 100
"""Examples that a page shows if no number is asked for: those that are flagged, and so many at least."""
MOST_SCORES = 12
BLOCK = 512
"""Examples of which reasons are worded at once."""
WAYS = ("auto", "flagged")


AS_A_TABLE = [InPython("pass what suspects() gives"), "pass a list of rows"]
"""Advice on rows to show."""


@dataclass(frozen=True)
class Chosen:
    """Positions of examples in an audit in the order in which a page shows them, int64 [k].

    `places` and `chances` are those of a queue, NaN where there is none, float64 [k] each.
    """

    positions: IntArray
    places: FloatArray
    chances: FloatArray


def chosen_rows(audit: Exports, wanted: Any) -> Chosen:
    """Examples that `wanted` of `Audit.report` asks for.

    Raises
    ------
    DataError
        If rows are not rows of the audit, or come twice.
    ModelError
        If flagged rows are asked for, and how many labels are wrong is not known.
    SettingError
        If it is none of what it can be.
    """
    if isinstance(wanted, str):
        checks.choice(f"rows={wanted!r}", wanted, WAYS, "'auto', 'flagged', a number, rows, or a queue")
        flagged = _flagged(audit, needed=wanted == "flagged")
        return _alone(suspicion(audit)[: flagged if wanted == "flagged" else max(LEAST, flagged)])
    if checks.is_whole(wanted):
        return _alone(suspicion(audit)[: checks.whole("rows", wanted, 1, "pass rows=200")])
    table = getattr(wanted, "table", wanted)
    if isinstance(table, pd.DataFrame):
        return _of_table(audit, table)
    listed = _whole_numbers(wanted)
    if listed is None or not len(listed):
        raise SettingError(
            f"rows={textwrap.shorten(repr(wanted), 60)}",
            "'auto', 'flagged', a number, a list of whole numbers, or a table with a column 'row'",
            ["pass rows='auto'", "pass rows=200", InPython("pass what suspects() gives")],
        )
    return _alone(_positions(audit, listed))


def _whole_numbers(values: Any) -> IntArray | None:
    """A list or array of whole numbers as one array, None of anything else."""
    try:
        listed = np.asarray(values)
    except ValueError:  # Lists of several lengths.
        return None
    return listed.astype(np.int64) if listed.ndim == 1 and listed.dtype.kind in "iu" else None


def suspicion(audit: Exports) -> IntArray:
    """Positions of all examples, the likeliest error first, int64 [n]: by probability, else by the default score."""
    if audit.label_errors is None:
        return audit.ranking()
    probability = np.nan_to_num(audit.label_errors.probability, nan=-1.0)
    return np.argsort(-probability, kind="stable").astype(np.int64)


def others_of(audit: Exports) -> IntArray:
    """Suggested label of each example, int64 [n], -1 where that is the given one or none."""
    suggested = audit._suggested()
    return np.where((suggested >= 0) & (suggested != audit.labels), suggested, -1)


def other_scores(audit: Exports) -> tuple[str, ...]:
    """Names of the scores that a page can be filtered by, beside the one that ranks."""
    return tuple(name for name in audit.columns if name != audit.default)[:MOST_SCORES]


def cards_of(audit: Exports, examples: Examples | None, chosen: Chosen, alike: IntArray) -> Iterator[Card]:
    """A card for each example, made as it is asked for; of the first ones beside the examples `alike` [m, 2, k]."""
    other = others_of(audit)

    def beside(place: int) -> tuple[Iterator[tuple[int, Any]], ...]:
        if examples is None or place >= len(alike):
            return ()
        return tuple(
            ((int(named[one]), examples.show(one)) for one in few if one >= 0) for few in alike[place].tolist()
        )

    errors, dynamics, scores, named = audit.label_errors, audit.dynamics, audit.columns[audit.default], audit.rows
    known, others = errors is not None and errors.known, [audit.columns[name] for name in other_scores(audit)]
    for start in range(0, len(chosen.positions), BLOCK):
        block = chosen.positions[start : start + BLOCK]
        worded = _reasons(audit, block)
        for place, (position, reason) in enumerate(zip(block.tolist(), worded, strict=True), start):
            queued = bool(np.isfinite(chosen.places[place]))
            yield Card(
                row=int(named[position]),
                given=int(audit.labels[position]),
                suggested=int(other[position]),
                score=float(scores[position]),
                key=None if audit.identity is None else as_json(audit.identity[position]),
                # Probabilities that only rank are none.
                probability=float(errors.probability[position]) if errors is not None and known else np.nan,
                reason=reason,
                place=int(chosen.places[place]) if queued else None,
                chance=float(chosen.chances[place]) if queued else None,
                shown=None if examples is None else examples.show(position),
                confidence=None if dynamics is None else dynamics.confidence_by_epoch[:, position],
                scores=tuple(float(values[position]) for values in others),
                alike=beside(place),
            )


def _flagged(audit: Exports, needed: bool) -> int:
    """Number of examples that are flagged; 0 where that is not known, unless it is `needed`."""
    errors = audit._known_errors(["pass rows=200"]) if needed else audit.label_errors
    if errors is not None and errors.known:
        return len(audit._own_flags()[0])
    if errors is not None and needed:
        raise ModelError(
            f"rows='flagged' of an audit that does not know how many labels are wrong: {errors.unknown}",
            "how many examples to show",
            "pass rows=200",
        )
    return 0


def _reasons(audit: Exports, block: IntArray) -> list[str]:
    if audit.label_errors is None:
        return [""] * len(block)
    known = np.isfinite(audit.label_errors.probability[block])
    worded = iter(
        reasons(block[known], audit.labels, audit.class_names, audit.label_errors, audit.dynamics, audit.columns)
    )
    return [next(worded) if one else "" for one in known.tolist()]


def _alone(positions: IntArray) -> Chosen:
    nowhere = np.full(len(positions), np.nan)
    return Chosen(positions, nowhere, nowhere)


def _of_table(audit: Exports, table: pd.DataFrame) -> Chosen:
    if "row" not in table.columns:
        raise DataError(
            f"rows= with the columns {', '.join(map(repr, table.columns))}",
            "a column 'row' with rows of the data set",
            AS_A_TABLE,
        )
    listed = _whole_numbers(table["row"])
    if listed is None:
        raise DataError(f"rows= with rows of type {table['row'].dtype}", "whole numbers", AS_A_TABLE)
    positions = _positions(audit, listed)
    if not {"place", "chance"} <= set(table.columns):
        return _alone(positions)
    places, chances = (table[name].to_numpy(np.float64, na_value=np.nan) for name in ("place", "chance"))
    return Chosen(positions, places, chances)


def _positions(audit: Exports, listed: IntArray) -> IntArray:
    wrong = np.unique(listed[~np.isin(listed, audit.rows)])
    if len(wrong):
        raise DataError(f"rows= with {rows(wrong)}", "rows that were audited", "leave those out")
    several, counts = np.unique(listed, return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"rows= with {rows(several[counts > 1])} more than once", "each row once", "name each of them once"
        )
    return np.searchsorted(audit.rows, listed)
