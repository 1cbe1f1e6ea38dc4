"""Learners of features that are held in memory: what linear probes and nearest neighbours have in common."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.errors import ModelError
from dataaudit.holdout.base import FitPredict
from dataaudit.learners.base import Recording, Watch
from dataaudit.learners.features import all_features, feature_rows


class FeatureTrial(FitPredict, Protocol):
    """A trial whose models can be kept."""

    @abstractmethod
    def fit(self, train: IntArray) -> Any:
        """Model of the rows `train` [t]."""

    @abstractmethod
    def logits(self, model: Any, rows: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `rows`."""


class FeatureFitted:
    """A trained model of features."""

    def __init__(self, trial: FeatureTrial, model: Any) -> None:
        self._trial = trial
        self._model = model

    def logits(self, indices: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `indices`."""
        return self._trial.logits(self._model, indices)


class FeatureLearner(ABC):
    """A model of features, bound to a data set; see `Learner`.

    The features are read when they are first needed, and held as float32 [n, d].

    Parameters
    ----------
    examples
        The data set.
    """

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self._trial: FeatureTrial | None = None

    @abstractmethod
    def bind(self, features: AnyArray) -> FeatureTrial:
        """Trial on features, float32 [n, d]."""

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Model and how it is trained, as JSON values."""

    @property
    def epochs(self) -> int:
        """None to watch: 0."""
        return 0

    @property
    def evaluations(self) -> int:
        """None: what training shows is taken after each epoch as it is."""
        return 0

    @property
    def views(self) -> tuple[Any, ...]:
        """Rows as they are."""
        return (None,)

    def unseen_view(self, seed: int) -> None:
        """None: rows of features have no other look."""
        return

    @property
    def allows_missing(self) -> bool:
        """Never."""
        return False

    def check(self, seed: int) -> None:
        """Read two rows.

        Raises
        ------
        DataError
            If they are not made of numbers.
        """
        feature_rows(self.examples, np.arange(min(2, len(self.examples)), dtype=np.int64))

    def already_fits(self, seed: int) -> float | None:
        """Never: a model is fitted anew every time."""
        return None

    def from_scratch(self) -> FeatureLearner:
        """This learner."""
        return self

    @property
    def identity(self) -> str:
        """Digest of the settings."""
        told = json.dumps({key: self.description[key] for key in ("model", "recipe")}, sort_keys=True)
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def untrained(self) -> FeatureFitted:
        """There is nothing to ask: what is passed are settings.

        Raises
        ------
        ModelError
            Always.
        """
        raise ModelError(
            f"a {self.description['model']} as the model that was trained elsewhere",
            "a trained model for scores of its predictions",
            "pass the trained model, or call recorder.evaluate() with its outputs",
        )

    def fit(
        self,
        indices: IntArray,
        seed: int,
        recorder: Recording | None,
        progress: bool,
        watch: Watch | None = None,
    ) -> FeatureFitted:
        """Train on the rows `indices`; nothing is drawn, and there are no epochs to record."""
        trial = self.trial()
        return FeatureFitted(trial, trial.fit(indices))

    def trial(self) -> FeatureTrial:
        """Trial on all rows, picklable; made once.

        Raises
        ------
        DataError
            If the inputs are not finite numbers.
        """
        if self._trial is None:
            self._trial = self.bind(all_features(self.examples))
        return self._trial
