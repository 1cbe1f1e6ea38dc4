"""Labels for rows that have none: by the audit's model, or without one by the audited rows around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.data.derived import UnlabelledExamples, usable_rows
from dataaudit.data.examples import Examples
from dataaudit.errors import RowError

if TYPE_CHECKING:
    from dataaudit.evidence.trained import TrainedModel

NEAREST = 10
BANDWIDTH = "0.5x"
"""As `Audit.score_new` looks around rows."""


def suggest(
    new: Examples, known: Examples, model: TrainedModel | None, classes: int, seed: int, progress: bool
) -> tuple[IntArray, FloatArray]:
    """Likeliest class int64 [m] of each row of `new`, and its probability float64 [m].

    They are -1 and NaN of rows that cannot be used: what is missing or damaged there was no fault of an audit that left
    them out.
    """
    usable = _usable(new, known, model)
    likeliest, probability = np.full(len(new), -1, np.int64), np.full(len(new), np.nan)
    if len(usable):
        shares = _shares(UnlabelledExamples(new, usable), known, model, classes, seed, progress)
        likeliest[usable] = shares.argmax(1)
        probability[usable] = shares.max(1)
    return likeliest, probability


def _usable(new: Examples, known: Examples, model: TrainedModel | None) -> IntArray:
    from dataaudit.representations.input import preparation_of

    allow_missing = preparation_of(known) is not None if model is None else model.allows_missing
    try:
        return usable_rows(new, allow_missing)
    except RowError:
        # None of them can be read.
        return np.zeros(0, np.int64)


def _shares(
    new: Examples, known: Examples, model: TrainedModel | None, classes: int, seed: int, progress: bool
) -> FloatArray:
    """Class probabilities float64 [m, C]."""
    if model is not None:
        from dataaudit.findings.unseen import predictions

        return predictions(model.on(new, progress), len(new))
    from dataaudit.findings.novelty import novelty
    from dataaudit.representations.input import place_rows_beside

    queries, own = place_rows_beside(new, known)
    return novelty(queries, own, known.labels, classes, NEAREST, BANDWIDTH, seed, progress).parzen
