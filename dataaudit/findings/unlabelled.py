"""Labels for rows that have none: by the audit's model, or without one by the audited rows around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.data.derived import SubsetExamples, UnlabelledExamples
from dataaudit.data.examples import Examples
from dataaudit.errors import DataError

if TYPE_CHECKING:
    from dataaudit.evidence.trained import TrainedModel

NEAREST = 10
BANDWIDTH = "0.5x"
"""As `Audit.score_new` looks around rows."""


def without_label(examples: Examples) -> Examples | None:
    """The rows of a data set that have no label, inputs as those that have one; None where there are none."""
    if not len(examples.unlabelled):
        return None
    if not isinstance(examples, SubsetExamples):
        raise DataError(
            f"rows without a label of a data set that was prepared before ({examples.source})",
            "one that dataaudit.score was given as it is",
            "pass the data set itself to dataaudit.score, and ask that audit",
        )
    return UnlabelledExamples(examples.whole, examples.unlabelled)


def suggest(
    new: Examples, known: Examples, model: TrainedModel | None, classes: int, seed: int, progress: bool
) -> tuple[IntArray, FloatArray]:
    """Likeliest class int64 [m] of each row of `new`, and its probability float64 [m]."""
    if model is not None:
        from dataaudit.findings.unseen import predictions

        shares = predictions(model.on(new, progress), len(new))
    else:
        from dataaudit.findings.novelty import novelty
        from dataaudit.representations.input import place_rows_beside

        queries, own = place_rows_beside(new, known)
        shares = novelty(queries, own, known.labels, classes, NEAREST, BANDWIDTH, seed, progress).parzen
    likeliest = shares.argmax(1)
    return likeliest.astype(np.int64), shares[np.arange(len(shares)), likeliest]
