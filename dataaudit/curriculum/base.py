"""Strategy protocol, and the scored examples that strategies weigh."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import ModelError, SettingError


@dataclass(frozen=True, eq=False)
class ScoredExamples:
    """Scores, labels and losses of n examples, for strategies.

    Attributes
    ----------
    scores
        float64 [n], higher = more regular, NaN where an example has no score.
    ties
        What orders examples of equal score, float64 [n], higher = more regular.
    labels
        Given labels, int64 [n].
    error_probability
        Probability that each label is wrong, float64 [n], NaN where nothing is known; None where no part of the audit
        says what class an example is of.
    noise_rate
        Estimated share of wrong labels; None as above.
    unknown
        Why that share is not known, in words; empty where it is, or nothing says what class an example is of.
    losses
        Mean loss of each example over the epochs of the audit's training run, float64 [n], NaN where it was never
        seen; None without training dynamics.
    positions, total
        Where these examples stand among all that were audited, int64 [n], and how many those are; n by default.
    """

    scores: FloatArray
    ties: FloatArray
    labels: IntArray
    error_probability: FloatArray | None = None
    noise_rate: float | None = None
    losses: FloatArray | None = None
    positions: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    total: int = 0
    unknown: str = ""

    def __post_init__(self) -> None:
        if self.total == 0:
            object.__setattr__(self, "positions", np.arange(len(self.scores), dtype=np.int64))
            object.__setattr__(self, "total", len(self.scores))

    def __len__(self) -> int:
        """Number of examples n."""
        return len(self.scores)

    def easiest_first(self) -> IntArray:
        """Positions of the examples that have a score, the most regular first; ties by `ties`, then by position."""
        order = np.lexsort((-self.ties, -self.scores, np.isnan(self.scores)))
        return order[: int(np.isfinite(self.scores).sum())].astype(np.int64)

    def among(self, chosen: IntArray) -> ScoredExamples:
        """Subset at the positions `chosen`."""
        probability, losses = self.error_probability, self.losses
        return replace(
            self,
            scores=self.scores[chosen],
            ties=self.ties[chosen],
            labels=self.labels[chosen],
            error_probability=None if probability is None else probability[chosen],
            losses=None if losses is None else losses[chosen],
            positions=self.positions[chosen],
        )


@runtime_checkable
class Strategy(Protocol):
    """Rule that turns scores into weights of examples.

    Laws
    ----
    - ``weigh`` changes nothing: equal examples (and, where it reads a recorder, an equal record) give equal weights.
    - Weights are float64 [n], at least 0, never infinite; NaN says that nothing is known of an example.
    - Some example has weight at every epoch.
    - Order means nothing: examples in another order get the same weights in that order, unless they are tied.

    `dataaudit.testing.StrategyContract` checks them. A package registers what makes its strategy (a class) in the
    entry-point group ``dataaudit.strategies``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in messages."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """One line for `dataaudit.strategies`."""

    @abstractmethod
    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example, on any scale.

        Parameters
        ----------
        examples
            What is known of them.
        epoch
            0..total_epochs - 1; None where the caller has no epochs.
        total_epochs
            Number of epochs; None where the caller does not know it.
        """


def elapsed(name: str, epoch: int | None, total_epochs: int | None) -> float:
    """Share of the training that is over, 0 in the first epoch and 1 in the last; 1 where there is only one."""
    if epoch is None or total_epochs is None:
        raise SettingError(
            f"epoch={epoch}, total_epochs={total_epochs} for the strategy {name!r}, which changes with the epoch",
            "both",
            "pass epoch=0, total_epochs=10, for example",
        )
    return 1.0 if total_epochs == 1 else epoch / (total_epochs - 1)


def check_share(owner: str, name: str, value: float, *, zero: bool = False, one: bool = True) -> None:
    """Raise unless `value` is a number between 0 and 1, `zero` or `one` included."""
    low, high = "0 or more" if zero else "more than 0", "at most 1" if one else "below 1"
    expected = f"a number, {low} and {high}"
    inclusive: checks.Inclusive = "both" if zero and one else "left" if zero else "right" if one else "neither"
    checks.number(name, value, 0, 1, inclusive, expected, f"pass {name}=0.5", owner=owner)


def weighed(strategy: Strategy, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
    """Raw weights of a strategy, float64 [n], NaN where it knows nothing; a `SettingError` if they break its laws."""
    action = "mend the strategy: dataaudit.testing.StrategyContract checks it"
    lawful = f"shape ({len(examples)},), finite and at least 0"
    weights = strategy.weigh(examples, epoch, total_epochs)
    try:
        raw = np.array(weights, np.float64)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"weights from the strategy {strategy.name!r} that are no numbers ({error})", lawful, action
        ) from error
    if raw.shape != (len(examples),) or (raw < 0).any() or np.isinf(raw).any():
        raise SettingError(
            f"weights of shape {raw.shape} between {np.nanmin(raw, initial=0.0)} and {np.nanmax(raw, initial=0.0)} "
            f"from the strategy {strategy.name!r}",
            lawful,
            action,
        )
    return raw


def _check_known(name: str, examples: ScoredExamples) -> None:
    """Raise a `ModelError` if how many labels are wrong is not known."""
    if examples.unknown:
        raise ModelError(
            f"an audit that does not know how many labels are wrong, for the strategy {name!r}: {examples.unknown}",
            "a model that is good enough to count errors by",
            "train a better model, or pass strategy='drop_least_regular', which needs a score alone",
        )


def needed_probability(name: str, examples: ScoredExamples) -> FloatArray:
    """Probabilities of error, float64 [n], or a `ModelError`."""
    _check_known(name, examples)
    if examples.error_probability is None:
        raise ModelError(
            f"an audit without probabilities of error for the strategy {name!r}",
            "training dynamics, held-out predictions or neighbours, which tell label errors",
            "score again with scorers='auto', or pass strategy='drop_least_regular', which needs a score alone",
        )
    return examples.error_probability


def needed_rate(name: str, examples: ScoredExamples) -> float:
    """Estimated share of wrong labels, or a `ModelError`."""
    _check_known(name, examples)
    if examples.noise_rate is None:
        raise ModelError(
            f"an audit without an estimate of wrong labels for the strategy {name!r}",
            "training dynamics, held-out predictions or neighbours; or the share to leave out",
            "score again with scorers='auto', or give the strategy a number, such as 0.2",
        )
    return examples.noise_rate
