"""Scorer protocol: pure NumPy, from evidence to one number an example."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.sums import DensityNeed
from dataaudit.evidence.base import Evidence, Need
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of a score.

    Attributes
    ----------
    stderr
        Standard error, float64 [n].
    lower, upper
        95 % interval, float64 [n].
    holdouts
        Number of measurements behind each value, int64 [n]: holdouts, or members of the sample that a density is
        estimated from.
    reliability
        Spearman-Brown corrected split-half reliability of the ranking, or what corresponds to it: the squared
        correlation with the ranking without error; NaN where it could not be estimated.
    """

    stderr: FloatArray
    lower: FloatArray
    upper: FloatArray
    holdouts: IntArray
    reliability: float


@dataclass(frozen=True)
class Scores:
    """One score of n examples.

    Attributes
    ----------
    values
        float64 [n], higher = more regular, NaN where an example has no score.
    ties
        What orders examples of equal value, float64 [n], higher = more regular; None if the order of the
        data set does.
    uncertainty
        Of estimates; None for scores that are no estimates.
    """

    values: FloatArray
    ties: FloatArray | None = None
    uncertainty: Uncertainty | None = None


@runtime_checkable
class Scorer(Protocol):
    """A score of examples.

    Laws
    ----
    - ``score`` is pure: equal evidence gives equal values, and the evidence is not changed.
    - Values are float64 [n], never infinite; higher = more regular.
    - Only parts named in ``needs`` are read.

    `dataaudit.testing.ScorerContract` checks them. A package registers scorers (instances) in the entry-point
    group ``dataaudit.scorers``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Column name."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """One line for `dataaudit.scorers`."""

    @property
    @abstractmethod
    def needs(self) -> Collection[Need | DensityNeed | NeighbourNeed | NeighbourLabelsNeed]:
        """Parts of the evidence that `score` reads."""

    @abstractmethod
    def score(self, evidence: Evidence) -> Scores:
        """Score every example."""


def needs_of(scorers: Iterable[Scorer]) -> set[Any]:
    """Union of the needs of scorers."""
    return {need for scorer in scorers for need in scorer.needs}


@dataclass(frozen=True)
class PartScore:
    """Score that reads one part of the evidence: `read` makes the scores of what `need` names."""

    name: str
    summary: str
    need: Need
    read: Callable[[Any], Scores]

    @property
    def needs(self) -> frozenset[Need]:
        """The part named by `need`."""
        return frozenset({self.need})

    def score(self, evidence: Evidence) -> Scores:
        """Score every example."""
        return self.read(getattr(evidence, self.need.value))
