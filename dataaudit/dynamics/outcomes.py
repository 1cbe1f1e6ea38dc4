"""Predictions of many examples, collected block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp

from dataaudit.common.probabilities import ClassProbabilities, ProbabilityBlocks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.dynamics.summary import Predictions
from dataaudit.errors import ModelError, rows


def normalised(logits: FloatArray) -> FloatArray:
    """Probabilities float64 [b, C] of logits."""
    return np.asarray(np.exp(logits - logsumexp(logits, axis=1, keepdims=True)))


class PredictionTable:
    """One prediction for each of the examples with `labels` [n], with probabilities of all classes or the likeliest.

    These are kept unless `probabilities` are there already.
    """

    def __init__(self, labels: IntArray, classes: int, probabilities: ProbabilityBlocks | None = None) -> None:
        n = len(labels)
        self._labels = labels
        self._confidence, self._largest, self._margin = (np.full(n, np.nan) for _ in range(3))
        self._predicted = np.full(n, -1, np.int64)
        self._given = probabilities
        self._kept = ClassProbabilities.empty(n if probabilities is None else 0, classes)

    def add(self, chosen: IntArray, logits: Any) -> None:
        """Take the logits [b, C] of the rows `chosen` [b], or raise a `ModelError` if one is NaN or infinite."""
        values: FloatArray = np.asarray(logits.detach().cpu() if hasattr(logits, "detach") else logits, np.float64)
        bad = ~np.isfinite(values).all(1)
        if bad.any():
            raise ModelError(
                f"NaN or infinite logits in {rows(chosen[bad])}", "finite ones", "lower the recipe's learning_rate"
            )
        given, every = self._labels[chosen], np.arange(len(chosen))
        probability = normalised(values)
        self._confidence[chosen] = probability[every, given]
        self._largest[chosen] = probability.max(1)
        self._predicted[chosen] = values.argmax(1)
        if self._given is None:
            self._kept.put(chosen, probability, given)
        own = values[every, given]
        others = values.copy()
        others[every, given] = -np.inf
        self._margin[chosen] = own - others.max(1)

    def result(self) -> Predictions:
        """The predictions; NaN and -1 where there are none."""
        probabilities = self._kept if self._given is None else self._given
        return Predictions(self._confidence, self._largest, self._margin, self._predicted, probabilities)
