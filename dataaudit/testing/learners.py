"""Laws of learners."""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch

from dataaudit.common.types import IntArray
from dataaudit.dynamics.recorder import Recorder
from dataaudit.learners.base import Learner


class LearnerContract(ABC):
    """Laws of a `dataaudit.learners.base.Learner`."""

    @abstractmethod
    def learner(self) -> Learner:
        """Return a fresh learner bound to a small data set (at most a few hundred rows)."""

    @abstractmethod
    def labels(self) -> IntArray:
        """Return the labels of that data set."""

    def test_it_fits_and_predicts(self) -> None:
        """Finite logits [b, C] for any rows in any order."""
        learner, labels = self.learner(), self.labels()
        learner.check(0)
        fitted = learner.fit(np.arange(len(labels)), 0, None, False)
        logits = np.asarray(fitted.logits(np.array([3, 0, 3])))
        assert logits.shape == (3, labels.max() + 1)
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(logits[0], logits[2], rtol=1e-6, atol=1e-6)

    def test_the_same_seed_gives_the_same_result(self) -> None:
        """Bit for bit, whatever was drawn from global generators in between."""
        rows = np.arange(len(self.labels()))
        learner = self.learner()
        first = np.asarray(learner.fit(rows, 7, None, False).logits(rows))
        np.random.random(3)  # noqa: NPY002 (the global generator is what this law is about)
        torch.rand(3)
        second = np.asarray(learner.fit(rows, 7, None, False).logits(rows))
        np.testing.assert_array_equal(first, second)

    def test_it_leaves_global_generators_alone(self) -> None:
        """Python's, NumPy's and torch's global states stay where they were."""
        before = (random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state())  # noqa: NPY002
        self.learner().fit(np.arange(len(self.labels())), 0, None, False)
        assert before[0] == random.getstate()
        now: Any = np.random.get_state(legacy=False)  # noqa: NPY002
        np.testing.assert_equal(before[1], now)
        assert torch.equal(before[2], torch.get_rng_state())

    def test_it_records_every_row_every_epoch(self) -> None:
        """As many epochs as it promises, or none."""
        learner, labels = self.learner(), self.labels()
        recorder = Recorder(len(labels), int(labels.max()) + 1)
        learner.fit(np.arange(len(labels)), 0, recorder if learner.epochs else None, False)
        dynamics = recorder.dynamics()
        assert (0 if dynamics is None else dynamics.epochs) == learner.epochs
        if dynamics is not None:
            assert (dynamics.seen == learner.epochs).all()

    def test_its_identity_is_stable(self) -> None:
        """Equal for equal learners, also after training, and when it starts from scratch as it does anyway."""
        learner = self.learner()
        before = learner.from_scratch().identity
        assert len(before) == 32
        learner.fit(np.arange(len(self.labels())), 0, None, False)
        assert learner.from_scratch().identity == before == self.learner().from_scratch().identity

    def test_its_description_is_json(self) -> None:
        """Settings are saved as JSON."""
        description = self.learner().description
        assert json.loads(json.dumps(description, allow_nan=False)) == description
        assert {"model", "recipe", "device", "precision", "engine", "notes"} <= set(description)
