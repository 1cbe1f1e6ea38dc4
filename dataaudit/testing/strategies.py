"""Laws of training strategies, and examples to try them on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import pytest

from dataaudit.common.types import FloatArray
from dataaudit.curriculum.base import ScoredExamples, Strategy
from dataaudit.curriculum.weights import weights

MOMENTS = ((0, 1), (0, 2), (1, 2), (0, 10), (4, 10), (9, 10))
"""Epochs and their number."""


def example_scores(n: int = 63, classes: int = 4, seed: int = 0) -> ScoredExamples:
    """Synthetic scores, probabilities of error and losses, all different, that agree with one another in part."""
    rng = np.random.default_rng(seed)
    scores = rng.permutation(n) / n
    probability = np.clip(0.8 * (1.0 - scores) + 0.2 * rng.random(n), 0.0, 1.0)
    return ScoredExamples(
        scores=scores,
        ties=rng.random(n),
        labels=np.arange(n) % classes,
        error_probability=probability,
        noise_rate=float(probability.mean()),
        losses=rng.permutation(n) + rng.random(n),
    )


class StrategyContract(ABC):
    """Laws of a `dataaudit.curriculum.base.Strategy`."""

    @abstractmethod
    def strategy(self, examples: ScoredExamples) -> Strategy:
        """Return the strategy under test, for a training run on these examples."""

    @abstractmethod
    def regularity(self, examples: ScoredExamples) -> FloatArray | None:
        """Return what weights may never fall with, float64 [n]; None if there is no such law."""

    def test_it_describes_itself(self) -> None:
        """Name and one line."""
        strategy = self.strategy(example_scores())
        assert isinstance(strategy, Strategy)
        assert strategy.name
        assert strategy.name.strip() == strategy.name
        assert strategy.summary
        assert "\n" not in strategy.summary

    @pytest.mark.parametrize(("epoch", "total_epochs"), MOMENTS)
    @pytest.mark.parametrize(("n", "classes"), [(1, 1), (2, 2), (63, 4), (257, 3)])
    def test_weights_are_one_number_an_example(self, n: int, classes: int, epoch: int, total_epochs: int) -> None:
        """float64 [n], at least 0, finite where the scores are, not all zero; and of mean 1 when normalised."""
        examples = example_scores(n, classes)
        strategy = self.strategy(examples)
        weight = strategy.weigh(examples, epoch, total_epochs)
        assert weight.shape == (n,)
        assert weight.dtype == np.float64
        assert np.isfinite(weight).all()
        assert (weight >= 0).all()
        assert weight.sum() > 0
        normalised = weights(strategy, examples, epoch, total_epochs)
        assert normalised.dtype == np.float32
        assert abs(float(normalised.mean(dtype=np.float64)) - 1.0) < 1e-5

    @pytest.mark.parametrize(("epoch", "total_epochs"), MOMENTS)
    def test_it_is_pure(self, epoch: int, total_epochs: int) -> None:
        """Equal examples give equal weights, and read-only ones will do."""
        examples = example_scores()
        strategy = self.strategy(examples)
        for value in vars(examples).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        first, again = (strategy.weigh(examples, epoch, total_epochs) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(first, self.strategy(examples).weigh(examples, epoch, total_epochs))

    @pytest.mark.parametrize(("epoch", "total_epochs"), MOMENTS)
    def test_order_means_nothing(self, epoch: int, total_epochs: int) -> None:
        """Examples in another order get the same weights, in that order."""
        examples = example_scores()
        order = np.random.default_rng(1).permutation(len(examples))
        shuffled = replace(examples.among(order), positions=np.arange(len(order)))
        weight = self.strategy(shuffled).weigh(shuffled, epoch, total_epochs)
        expected = self.strategy(examples).weigh(examples, epoch, total_epochs)[order]
        np.testing.assert_allclose(weight, expected, rtol=1e-12)

    @pytest.mark.parametrize(("epoch", "total_epochs"), MOMENTS)
    def test_weights_never_fall_with_regularity(self, epoch: int, total_epochs: int) -> None:
        """In the order of `regularity`, each weight is at least the one before."""
        examples = example_scores()
        rising = self.regularity(examples)
        weight = self.strategy(examples).weigh(examples, epoch, total_epochs)
        if rising is not None:
            assert (np.diff(weight[np.argsort(rising, kind="stable")]) >= 0).all()

    def test_a_part_has_a_number_an_example(self) -> None:
        """Among some of the audited examples, as "balanced" asks class by class, weights are of these."""
        examples = example_scores()
        part = examples.among(np.flatnonzero(examples.labels == 1))
        weight = self.strategy(examples).weigh(part, 3, 10)
        assert weight.shape == (len(part),)
        assert np.isfinite(weight).all()
        assert (weight >= 0).all()
