"""Predictions that the caller brings: out-of-sample class probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dataaudit.common.probabilities import blocks, spread
from dataaudit.common.types import AnyArray, BoolArray, FloatArray, IntArray
from dataaudit.dynamics.outcomes import PredictionTable, normalised
from dataaudit.dynamics.summary import Predictions
from dataaudit.errors import DataError, rows
from dataaudit.evidence.base import BROUGHT
from dataaudit.pipeline.evidence_sources.base import Source
from dataaudit.pipeline.evidence_sources.call import Call

ROUNDED = 1e-5
"""Largest error of rounding in a probability."""


class TableProbabilities:
    """Probabilities [n, C] as they were brought, an array in memory or mapped, read block by block and not copied.

    Where some of its rows count, `rows` has their positions.
    """

    def __init__(self, given: Any, rows: IntArray | None = None) -> None:
        self._given, self._rows = given, rows

    def given(self, rows: slice) -> AnyArray:
        """Probabilities [b, C] of a block of rows, as they were brought."""
        return np.asarray(self._given[rows if self._rows is None else self._rows[rows]])

    def logits(self, rows: slice) -> FloatArray:
        """Logarithms float64 [b, C] of a block of rows."""
        return np.asarray(np.log(np.maximum(self.given(rows).astype(np.float64), np.finfo(np.float64).tiny)))

    def dense(self, rows: slice) -> FloatArray:
        """Probabilities float64 [b, C] of a block of rows; rows add up to 1."""
        return spread(None, normalised(self.logits(rows)).astype(np.float32), self._given.shape[1])


class BroughtPredictions(Source):
    """Predictions of models that did not train on the example, computed elsewhere."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    def collect(self) -> None:
        """Nothing is left to compute."""

    def parts(self) -> dict[str, Any]:
        """The predictions."""
        return {"heldout": self._predictions, "methods": {"heldout": BROUGHT}}


def predictions_of(
    probabilities: Any, labels: IntArray, class_names: tuple[str, ...], left_out: IntArray | None = None
) -> Predictions:
    """Check probabilities [n, C], whose columns are in the order of the class names.

    They may be those of all rows of the data set, some of which, `left_out`, have no label.

    Raises
    ------
    DataError
        If the shape is another, or a row is no distribution: what is below 0 by less than `ROUNDED` is taken for 0, and
        sums that are 1 to .001 are made 1.
    """
    try:
        given = np.asarray(probabilities.detach().cpu() if hasattr(probabilities, "detach") else probabilities)
        given = given if given.dtype.kind in "fiub" else given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"predictions= of type {type(probabilities).__name__}, which are no numbers ({error})",
            "probabilities [n, classes]",
            "pass predictions= an array of numbers, a row an example",
        ) from error
    shape = (len(labels), len(class_names))
    whole = len(labels) + (0 if left_out is None else len(left_out))
    kept = None
    if left_out is not None and len(labels) < whole and given.shape == (whole, len(class_names)):
        kept = np.setdiff1d(np.arange(whole), left_out, assume_unique=True)
    if kept is None and given.shape != shape:
        raise DataError(
            f"predictions= of shape {given.shape}",
            f"{shape}: a row an example, a column for each of {', '.join(class_names[:8])}",
            "pass predictions= of predict_proba, by models that did not train on the example, columns in the order of "
            "the class names",
        )
    brought = TableProbabilities(given, kept)
    bad = [np.flatnonzero(~_distributions(brought.given(part))) + part.start for part in blocks(*shape)]
    if any(map(len, bad)):
        wrong = np.concatenate(bad)
        wrong = wrong if kept is None else kept[wrong]
        raise DataError(
            f"predictions= that are negative, not finite or do not add up to 1 in {rows(wrong)}",
            "a distribution over the classes in every row",
            "pass predictions= after a softmax, if they are logits",
        )
    table = PredictionTable(labels, len(class_names), brought)
    for part in blocks(*shape):
        table.add(np.arange(part.start, part.stop), brought.logits(part))
    return table.result()


def _distributions(given: AnyArray) -> BoolArray:
    """Rows that hold a distribution over the classes."""
    exact = given.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray((exact >= -ROUNDED).all(1) & (np.abs(exact.sum(1) - 1) <= 1e-3))


def make(call: Call) -> Iterator[Source]:
    """Source of ``predictions=``."""
    if call.request.predictions is not None:
        left_out = None if call.subject.examples is None else call.subject.examples.dropped
        given = call.request.predictions
        yield BroughtPredictions(predictions_of(given, call.run.labels, call.run.class_names, left_out))
