"""Learners of features that are held in memory: linear probes and nearest neighbours."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.errors import ModelError
from dataaudit.holdout.base import FitPredict
from dataaudit.learners.base import Fitted, Learner, Recording, Watch
from dataaudit.learners.features import all_features, check_dense, feature_rows


class FeatureFitPredict(FitPredict, Protocol):
    """A `FitPredict` whose models can be kept."""

    @abstractmethod
    def fit(self, train: IntArray) -> Any:
        """Model of the rows `train` [t]."""

    @abstractmethod
    def logits(self, model: Any, rows: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `rows`."""


class FeatureFitted(Fitted):
    """A model of features, trained on the rows `train` when it is first needed.

    For another data set than the learner's, `bound` has its features behind the learner's, from the row `first` on.
    """

    def __init__(
        self, learner: FeatureLearner, train: IntArray, bound: FeatureFitPredict | None = None, first: int = 0
    ) -> None:
        self._learner, self._train, self._first = learner, train, first
        self._fit_predict = learner.fit_predict() if bound is None else bound

    @cached_property
    def _model(self) -> Any:
        return self._fit_predict.fit(self._train)

    def logits(self, indices: IntArray, view: Any = None) -> FloatArray:
        """Logits float64 [b, C] of the rows `indices`."""
        return self._fit_predict.logits(self._model, indices + self._first)

    def on(self, examples: Examples) -> FeatureFitted:
        """A model trained on the same rows, with those of another data set behind them: it holds both in memory."""
        known = self._learner.examples
        labels = np.concatenate([known.labels, np.zeros(len(examples), np.int64)])
        both = self._learner.bind(all_features(known, examples), labels)
        return FeatureFitted(self._learner, self._train, both, len(known))


class FeatureLearner(Learner):
    """A model of features, read when first needed and held as float32 [n, d].

    There are no epochs, and nothing is drawn at random: every fit starts afresh.
    """

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self._fit_predict: FeatureFitPredict | None = None

    @abstractmethod
    def bind(self, features: AnyArray, labels: IntArray) -> FeatureFitPredict:
        """Function on features, float32 [n, d], and labels, int64 [n]."""

    def on(self, examples: Examples) -> Self:
        """The same learner, bound to another data set with inputs of the same kind and the same classes."""
        other = super().on(examples)
        other._fit_predict = None
        return other

    def check(self, seed: int) -> None:
        """Read two rows; `DataError` if they are not made of numbers, or sparse ones would take too much room."""
        check_dense(self.examples)
        feature_rows(self.examples, np.arange(min(2, len(self.examples)), dtype=np.int64))

    @property
    def identity(self) -> str:
        """Digest of the settings."""
        described = json.dumps({key: self.description[key] for key in ("model", "recipe")}, sort_keys=True)
        return hashlib.blake2b(described.encode(), digest_size=16).hexdigest()

    def untrained(self) -> FeatureFitted:
        """Raise `ModelError`: settings were passed, not a trained model."""
        raise ModelError(
            f"a {self.description['model']} as the model that was trained elsewhere",
            "a trained model for scores of its predictions",
            "pass the trained model by trained=, or call recorder.evaluate() with its outputs",
        )

    def fit(
        self, indices: IntArray, seed: int, recorder: Recording | None, progress: bool, watch: Watch | None = None
    ) -> FeatureFitted:
        """Train on the rows `indices`."""
        return FeatureFitted(self, indices)

    def fit_predict(self) -> FeatureFitPredict:
        """Function on all rows, picklable, bound once."""
        if self._fit_predict is None:
            self._fit_predict = self.bind(all_features(self.examples), self.examples.labels)
        return self._fit_predict
