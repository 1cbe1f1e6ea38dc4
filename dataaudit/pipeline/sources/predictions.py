"""Predictions that the caller brings: out-of-sample class probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.dynamics.outcomes import PredictionTable
from dataaudit.dynamics.summary import Predictions
from dataaudit.errors import DataError, rows
from dataaudit.evidence.base import BROUGHT
from dataaudit.pipeline.sources.base import Source
from dataaudit.pipeline.sources.call import Call

BLOCK = 65536


class BroughtPredictions(Source):
    """Predictions of models that did not train on the example, computed elsewhere."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    def collect(self) -> None:
        """Nothing is left to compute."""

    def parts(self) -> dict[str, Any]:
        """The predictions."""
        return {"heldout": self._predictions, "methods": {"heldout": BROUGHT}}


def predictions_of(probabilities: Any, labels: IntArray, class_names: tuple[str, ...]) -> Predictions:
    """Check probabilities [n, C], whose columns are in the order of the class names.

    Raises
    ------
    DataError
        If the shape is another, or a row is no distribution (to .001).
    """
    try:
        table = probabilities.detach().cpu() if hasattr(probabilities, "detach") else probabilities
        given = np.asarray(table, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"probabilities of type {type(probabilities).__name__}", "an array [n, classes]", "convert them"
        ) from error
    shape = (len(labels), len(class_names))
    if given.shape != shape:
        raise DataError(
            f"probabilities of shape {given.shape}",
            f"{shape}: a row an example, a column for each of {', '.join(class_names[:8])}",
            "pass predict_proba of models that did not train on the example, columns in the order of the class names",
        )
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~((given >= 0).all(1) & (np.abs(given.sum(1) - 1) <= 1e-3)))
    if len(bad):
        raise DataError(
            f"probabilities that are negative, not finite or do not add up to 1 in {rows(bad)}",
            "a distribution over the classes in every row",
            "apply a softmax to logits first",
        )
    table = PredictionTable(labels, len(class_names))
    for start in range(0, len(labels), BLOCK):
        part = np.arange(start, min(start + BLOCK, len(labels)))
        table.add(part, np.log(np.maximum(given[part], np.finfo(np.float64).tiny)))
    return table.result()


def make(call: Call) -> Iterator[Source]:
    """Source of ``predictions=``."""
    if call.request.predictions is not None:
        yield BroughtPredictions(predictions_of(call.request.predictions, call.run.labels, call.run.class_names))
