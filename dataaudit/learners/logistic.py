"""Multinomial logistic regression on features in memory, fitted to every subset by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from dataaudit.common.types import AnyArray, BoolArray, FloatArray, IntArray
from dataaudit.holdout.base import Outcome
from dataaudit.learners.base import SMALLEST
from dataaudit.learners.blas import one_thread

STEPS = 1000
"""Most steps of the solver; scikit-learn warns where they do not suffice."""


@dataclass(frozen=True, eq=False)
class LogisticFitPredict:
    """Logistic regression bound to a data set; a `FitPredict`.

    Every fit starts from zero, so that no outcome depends on the runs before it.

    Attributes
    ----------
    features
        float32 [n, d], as they are.
    labels
        int64 [n], 0..C-1.
    classes
        C.
    alpha
        1 / C of scikit-learn.
    """

    features: AnyArray
    labels: IntArray
    classes: int
    alpha: float

    def fit(self, train: IntArray) -> Any:
        """Model of the rows `train` [t]; the class itself where they hold no other."""
        labels = self.labels[train]
        if (labels == labels[0]).all():
            return int(labels[0])
        model = LogisticRegression(C=1.0 / self.alpha, max_iter=STEPS)
        with one_thread():
            return model.fit(self.features[train], labels)

    def probabilities(self, model: Any, rows: IntArray) -> FloatArray:
        """Class probabilities float64 [b, C]; 0 for classes that the model never saw."""
        found = np.zeros((len(rows), self.classes))
        if isinstance(model, int):
            found[:, model] = 1.0
            return found
        with one_thread():
            found[:, model.classes_] = model.predict_proba(self.features[rows])
        return found

    def logits(self, model: Any, rows: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `rows`."""
        return np.log(np.maximum(self.probabilities(model, rows), SMALLEST))

    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """Train on the rows `train` and predict the rows `held_out`; nothing depends on `seed`."""
        probabilities = self.probabilities(self.fit(train), held_out)
        labels = self.labels[held_out]
        correct: BoolArray = probabilities.argmax(axis=1) == labels
        return Outcome(correct, probabilities[np.arange(len(labels)), labels])
