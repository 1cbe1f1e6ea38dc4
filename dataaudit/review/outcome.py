"""What decisions say about all labels: probabilities, how many are wrong, and how many are left at most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logit

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import DataError
from dataaudit.labels.label_errors import MOST_PAIRS, RAREST, LabelErrors, adding_up
from dataaudit.review.belief import Belief
from dataaudit.review.design import Design, filled
from dataaudit.review.sequence import ErrorSequence

RECORD = ("examples", "looked", "drawn", "chosen", "skipped", "wrong", "estimate", "lower", "upper", "ahead")
"""Entries of the record of a review."""
ALPHA = 0.05
"""How often, at most, the truth lies outside the bounds at any time."""
AHEAD = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1200, 1600)
"""Further looks at which the largest number of errors left is foreseen."""
ENOUGH = 0.001
"""Share of errors left below which nothing further is foreseen."""


@dataclass(frozen=True)
class Looks:
    """Decided rows of n: positions, verdicts (1 wrong, 0 right, -1 unsure or skipped), int64 [b], and, of the first
    `placed` of these, which come in the order of their places, chances, float64 [placed]."""

    positions: IntArray
    verdicts: IntArray
    chances: FloatArray

    @property
    def placed(self) -> int:
        """Number of looks that the queue asked for."""
        return len(self.chances)


@dataclass(frozen=True)
class Outcome:
    """Probabilities that labels are wrong, float64 [n], 0 or 1 of those decided; estimated number, least and largest
    with 95 % confidence at any time, and a record of both for settings."""

    probability: FloatArray
    estimate: float
    lower: int
    upper: int
    record: dict[str, Any]

    @property
    def drawn(self) -> int:
        """Number of rows that were drawn at random: without one, the estimate is the audit's own, corrected."""
        return int(self.record["drawn"])


def looks_of(positions: IntArray, words: list[str], places: FloatArray, chances: FloatArray) -> Looks:
    """Looks from columns of decisions; `places` and `chances` are NaN where the reviewer chose the row.

    Places up to the last one that was decided count: of rows in between that are undecided it is not known why.

    Raises
    ------
    DataError
        If places before the last decided one are missing.
    """
    verdicts = np.array([{"keep": 0, "relabel": 1, "remove": 1}.get(word, -1) for word in words], np.int64)
    decided = np.array([word != "" for word in words], bool)
    placed = np.isfinite(places)
    last = int(places[placed & decided].max(initial=0))
    queued = np.flatnonzero(placed & (places <= last))
    queued = queued[np.argsort(places[queued], kind="stable")]
    missing = np.setdiff1d(np.arange(1, last + 1), places[queued])
    if len(missing):
        shown = ", ".join(str(int(place)) for place in missing[:8]) + (" and others" if len(missing) > 8 else "")
        raise DataError(
            f"decisions without place {shown} of the queue, up to place {last}",
            "all rows of the queue up to the last decided one, those that were skipped too",
            "pass all rows of the queue, with a blank decision where nothing was decided",
        )
    chosen = np.flatnonzero(~placed & decided & (verdicts >= 0))
    both = np.concatenate([queued, chosen])
    return Looks(positions[both], verdicts[both], chances[queued])


def outcome_of(probability: FloatArray, looks: Looks, named: IntArray) -> Outcome:
    """Outcome of looks at rows with the probabilities [n] by which they were queued; `named` [n] calls them in errors.

    Rows that the reviewer chose are decided, and say nothing of others.

    Raises
    ------
    DataError
        If chances are not those of the audit's queue.
    """
    known = filled(probability)
    n, verdicts = len(known), looks.verdicts
    found, right = int((verdicts == 1).sum()), int((verdicts == 0).sum())
    # Whatever rows that were skipped are, the truth is covered.
    open_looks = verdicts[: looks.placed] < 0
    sequences = [_played(known, looks, other, named) for other in ((0, 1) if open_looks.any() else (1,))]
    bounds = [sequence.bounds(ALPHA) for sequence in sequences]
    lower = int(np.clip(min(low for low, _ in bounds), found, n - right))
    upper = int(np.clip(max(high for _, high in bounds), lower, n - right))
    belief = Belief(known, sequences[-1].design.bins)
    for at in np.flatnonzero(~open_looks).tolist():
        belief.learn(int(looks.positions[at]), bool(verdicts[at]), looks.chances[at] < 1)
    expected, drawn = belief.corrected(), sequences[-1].drawn
    undecided = np.ones(n, bool)
    undecided[looks.positions[verdicts >= 0]] = False
    if drawn:
        estimate = float(np.clip(np.mean([sequence.estimate() for sequence in sequences]), lower, upper))
        share = (estimate - found) / max(int(undecided.sum()), 1)
        expected[undecided] = adding_up(logit(expected[undecided]), max(share, RAREST)) if undecided.any() else 0.0
    else:
        estimate = found + float(expected[undecided].sum())
    result = np.where(np.isfinite(probability), expected, np.nan)
    result[looks.positions[verdicts >= 0]] = verdicts[verdicts >= 0]
    record = {
        "examples": n,
        "looked": found + right,
        "drawn": drawn,
        "chosen": int((verdicts[looks.placed :] >= 0).sum()),
        "skipped": int(open_looks.sum()),
        "wrong": found,
        "estimate": estimate,
        "lower": lower,
        "upper": upper,
        "ahead": _ahead(sequences[-1], expected, found) if drawn else [],
    }
    return Outcome(result, estimate, lower, upper, record)


def _played(probability: FloatArray, looks: Looks, other: int, named: IntArray) -> ErrorSequence:
    """Looks in the order of their places; those without a verdict have the verdict `other`."""
    design = Design(probability)
    sequence = ErrorSequence(design, Belief(probability, design.bins))
    for at, chance in enumerate(looks.chances.tolist()):
        position, verdict = int(looks.positions[at]), int(looks.verdicts[at])
        design.check(position, chance, int(named[position]))
        sequence.look(position, bool(other if verdict < 0 else verdict), chance < 1)
    return sequence


def _ahead(sequence: ErrorSequence, expected: FloatArray, found: int) -> list[list[int]]:
    """Pairs of further looks, every other one drawn, and the most errors left after them if all goes as expected.

    Errors come where their probabilities have added up to one; the sequence is used up.
    """
    n, points, owed = len(expected), [], 0.5
    last = min(AHEAD[-1], int(sequence.design.left.sum()))
    for number in range(1, last + 1):
        row, chance = sequence.design.next("both", number)
        owed += float(np.clip(expected[row], 0.0, 1.0))
        is_wrong = owed >= 1.0
        owed -= is_wrong
        found += is_wrong
        sequence.look(row, is_wrong, chance < 1)
        if number in AHEAD or number == last:
            left = max(sequence.bounds(ALPHA)[1] - found, 0)
            points.append([number, left])
            if left <= ENOUGH * n:
                break
    return points


def corrected_errors(
    errors: LabelErrors, outcome: Outcome, population: IntArray, labels: IntArray, classes: int
) -> LabelErrors:
    """Label errors [n] as decisions about the `population` show them; `labels` are int64 [n].

    Without a draw the rate stays not known where it was not.
    """
    size = len(population)
    probability = np.full(len(labels), np.nan)
    probability[population] = outcome.probability
    rate, lower, upper = outcome.estimate / size, outcome.lower / size, outcome.upper / size
    if not outcome.drawn:
        if not errors.known:
            return replace(errors, probability=probability)
        lower, upper = max(min(errors.lower, rate), lower), min(max(errors.upper, rate), upper)
    counted = np.flatnonzero(np.isfinite(probability) & (errors.rival >= 0) & (labels >= 0))
    keys, place = np.unique(errors.rival[counted] * classes + labels[counted], return_inverse=True)
    counts: FloatArray = np.bincount(place.reshape(-1), probability[counted], len(keys)).astype(np.float64)
    order = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    return replace(
        errors,
        probability=probability,
        rate=rate,
        lower=lower,
        upper=upper,
        estimates={**errors.estimates, "decisions": rate},
        pairs=np.stack(np.divmod(keys[order], classes), axis=1).astype(np.int64),
        counts=counts[order],
        unknown="",
    )
