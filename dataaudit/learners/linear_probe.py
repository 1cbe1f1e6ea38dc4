"""Linear models on frozen features: the learner of thousands of holdout runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, BoolArray, FloatArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.holdout.base import Outcome
from dataaudit.learners.base import SMALLEST
from dataaudit.learners.blas import one_thread
from dataaudit.learners.frozen import FeatureFitPredict, FeatureLearner

STEPS = 1000
"""Most steps of the solver; scikit-learn warns where they do not suffice."""

KINDS = {
    "ridge": "least squares on one-hot labels, penalty alpha, intercept without penalty; the probability of a class is "
    "its output, cut off to [0, 1]",
    "logistic": "multinomial logistic regression by scikit-learn, C = 1 / alpha, features as they are",
}

LEFT_OUT = (
    "; held-out predictions, unless folds are asked for, leave out one example at a time: softmax of 10 x outputs"
)
RIDGE_PRECISION = "float32 products, float64 sums and solutions; float64 products of small or ill-conditioned subsets"


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier of the inputs as features, passed as the model.

    Inputs are flattened and taken as they are (float32): standardise them beforehand if their units differ. They are
    held in memory.

    Ridge outputs estimate class probabilities by least squares. The predicted class is the largest output; the
    probability of a label is its output, cut off to [0, 1]. Logits are the logarithms of the outputs that are positive
    and of a smallest number for the others: the outputs of an example add up to 1, so the largest is positive and the
    order at the top is kept. The softmax of such logits is the outputs' positive parts divided by their sum.

    Parameters
    ----------
    kind
        "ridge" (solves all nested subsets of a permutation from one pass of matrix products), or "logistic"
        (scikit-learn's, fitted to every subset by itself).
    alpha
        Penalty of the squared weights, above 0; the logistic kind's C is 1 / alpha.

    Raises
    ------
    SettingError
        If the kind is unknown, or alpha is not a finite number above 0.

    Examples
    --------
    >>> LinearProbe(alpha=10)
    LinearProbe(kind='ridge', alpha=10)
    """

    kind: Literal["ridge", "logistic"] = "ridge"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        checks.choice(f"kind={self.kind!r}", self.kind, KINDS, "a known kind of linear model")
        action = "pass alpha=1.0"
        checks.number("alpha", self.alpha, 0, math.inf, "neither", "a finite number above 0", action)


@dataclass(frozen=True, eq=False)
class LogisticFitPredict:
    """Multinomial logistic regression of features, float32 [n, d] and labels int64 [n], from zero every time."""

    features: AnyArray
    labels: IntArray
    classes: int
    alpha: float

    def fit(self, train: IntArray) -> Any:
        """Model of the rows `train` [t]; the class itself where they hold no other."""
        from sklearn.linear_model import LogisticRegression

        labels = self.labels[train]
        if (labels == labels[0]).all():
            return int(labels[0])
        model = LogisticRegression(C=1.0 / self.alpha, max_iter=STEPS)
        with one_thread():
            return model.fit(self.features[train], labels)

    def probabilities(self, model: Any, rows: IntArray) -> FloatArray:
        """Class probabilities float64 [b, C]; 0 for classes that the model never saw."""
        probabilities = np.zeros((len(rows), self.classes))
        if isinstance(model, int):
            probabilities[:, model] = 1.0
            return probabilities
        with one_thread():
            probabilities[:, model.classes_] = model.predict_proba(self.features[rows])
        return probabilities

    def logits(self, model: Any, rows: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `rows`."""
        return np.log(np.maximum(self.probabilities(model, rows), SMALLEST))

    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """Train on the rows `train` and predict the rows `held_out`; nothing depends on `seed`."""
        probabilities = self.probabilities(self.fit(train), held_out)
        labels = self.labels[held_out]
        correct: BoolArray = probabilities.argmax(axis=1) == labels
        return Outcome(correct, probabilities[np.arange(len(labels)), labels])


class LinearProbeLearner(FeatureLearner):
    """A linear probe, bound to a data set."""

    def __init__(self, probe: LinearProbe, examples: Examples) -> None:
        super().__init__(examples)
        self.probe = probe
        self.ridge_alpha = float(probe.alpha) if probe.kind == "ridge" else None

    @property
    def description(self) -> dict[str, Any]:
        """Model and how it is trained, as JSON values."""
        ridge = self.probe.kind == "ridge"
        return {
            "model": "LinearProbe",
            "recipe": {"kind": self.probe.kind, "alpha": float(self.probe.alpha)},
            "device": "cpu",
            "precision": RIDGE_PRECISION if ridge else "float32",
            "engine": "BLAS" if ridge else "scikit-learn",
            "notes": [f"{self.probe.kind}: {KINDS[self.probe.kind]}" + LEFT_OUT * ridge],
        }

    def bind(self, features: AnyArray, labels: IntArray) -> FeatureFitPredict:
        """Function on features, float32 [n, d], and labels, int64 [n]."""
        classes, alpha = len(self.examples.class_names), float(self.probe.alpha)
        if self.probe.kind == "ridge":
            from dataaudit.learners.ridge import ridge_fit_predict

            return ridge_fit_predict(features, labels, classes, alpha)
        return LogisticFitPredict(features, labels, classes, alpha)
