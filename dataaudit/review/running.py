"""Values from which bounds on the number of errors can be computed elsewhere, decision by decision."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.review.belief import LEAST, PRIOR, SHIFTS, SLOPES, STRENGTHS, TRUST, Belief
from dataaudit.review.design import Design, filled
from dataaudit.review.outcome import ALPHA
from dataaudit.review.sequence import COARSE, NEWTON, REFINED

STRANGE = "chances in it are not those of this audit's queue"
LATER = "its first places are not on this page: pass audit.reviewed() the files of all of them"
UNDRAWN = "no row of it was drawn at random"


def start_of(probability: FloatArray, queue: IntArray, places: FloatArray, chances: FloatArray) -> dict[str, Any]:
    """Values, as JSON, that bounds from looks at a queue start from; or why there are none, as ``why``.

    Parameters
    ----------
    probability
        Probability that each label is wrong, float64 [n], NaN where nothing is known.
    queue, places, chances
        Rows of a queue, int64 [k], their places and their chances, float64 [k].

    Returns
    -------
    dict
        ``examples`` (n), ``left`` and ``weight`` [K] of bins of rows, ``expected`` errors [J, K] by each correction,
        ``rows`` (bin, spread, log odds, chance of each place from the first), and the settings of both classes.
    """
    order = np.argsort(places, kind="stable")
    queue, places, chances = queue[order], places[order], chances[order]
    if not np.array_equal(places, np.arange(1.0, len(places) + 1)):
        return {"why": LATER}
    if not (chances < 1).any():
        return {"why": UNDRAWN}
    known = filled(probability)
    design = Design(known)
    belief = Belief(known, design.bins)
    start = {"left": design.left.tolist(), "weight": design.weight.tolist(), "expected": belief.expected.tolist()}
    for row, chance in zip(queue.tolist(), chances.tolist(), strict=True):
        if not design.fits(row, chance):
            return {"why": STRANGE}
        design.look(row)
    columns = design.bins[queue].tolist(), design.spread[queue].tolist(), belief.odds[queue].tolist(), chances.tolist()
    settings = {"shifts": SHIFTS, "slopes": SLOPES, "prior": PRIOR, "strengths": STRENGTHS, "trust": TRUST}
    return {
        "examples": len(known),
        **start,
        "rows": [list(row) for row in zip(*columns, strict=True)],
        **{name: values.tolist() for name, values in settings.items()},
        **{"least": LEAST, "alpha": ALPHA, "newton": NEWTON, "coarse": COARSE, "refined": REFINED},
    }
