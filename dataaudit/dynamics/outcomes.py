"""Predictions of many examples, collected block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp

from dataaudit.common.probabilities import ClassProbabilities
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.dynamics.summary import Predictions
from dataaudit.errors import ModelError, rows


class PredictionTable:
    """One prediction for each of the examples with `labels` [n], with probabilities of all classes or the likeliest."""

    def __init__(self, labels: IntArray, classes: int) -> None:
        n = len(labels)
        self._labels = labels
        self._confidence, self._largest, self._margin = (np.full(n, np.nan) for _ in range(3))
        self._predicted = np.full(n, -1, np.int64)
        self._probabilities = ClassProbabilities.empty(n, classes)

    def add(self, chosen: IntArray, logits: Any) -> None:
        """Take the logits [b, C] of the rows `chosen` [b], or raise a `ModelError` if one is NaN or infinite."""
        values: FloatArray = np.asarray(logits.detach().cpu() if hasattr(logits, "detach") else logits, np.float64)
        bad = ~np.isfinite(values).all(1)
        if bad.any():
            raise ModelError(
                f"NaN or infinite logits in {rows(chosen[bad])}", "finite ones", "lower the recipe's learning_rate"
            )
        given, every = self._labels[chosen], np.arange(len(chosen))
        probability = np.exp(values - logsumexp(values, axis=1, keepdims=True))
        self._confidence[chosen] = probability[every, given]
        self._largest[chosen] = probability.max(1)
        self._predicted[chosen] = values.argmax(1)
        self._probabilities.put(chosen, probability, given)
        own = values[every, given]
        others = values.copy()
        others[every, given] = -np.inf
        self._margin[chosen] = own - others.max(1)

    def result(self) -> Predictions:
        """The predictions; NaN and -1 where there are none."""
        return Predictions(self._confidence, self._largest, self._margin, self._predicted, self._probabilities)
