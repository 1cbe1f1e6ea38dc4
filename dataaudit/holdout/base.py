"""Protocols of holdout runs: what trains and predicts, its outcome, and backends that carry runs out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from dataaudit.common.types import AnyArray, BoolArray, IntArray
from dataaudit.holdout.plan import Run

Group: TypeAlias = tuple[Run, ...]
"""Runs that are carried out together."""


class Outcome(NamedTuple):
    """Predictions of the rows that a run held out, in rising order.

    Attributes
    ----------
    correct
        Whether the label is the predicted class, bool [m].
    probability
        Probability of the label, float [m].
    """

    correct: BoolArray
    probability: AnyArray


class FitPredict(Protocol):
    """Trains and predicts, picklable.

    Laws
    ----
    - Equal arguments give equal outcomes, in any process, in any order of runs.
    - Labels of `held_out` rows are used for the outcome alone.
    """

    @abstractmethod
    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """Train on the rows `train` [t] and predict the rows `held_out` [m]."""


@runtime_checkable
class NestedFitPredict(Protocol):
    """Extension of a `FitPredict` that trains on many subsets of one permutation at once; see "nested" in `Plan`."""

    @abstractmethod
    def nested(self, order: IntArray, sizes: Sequence[int]) -> Iterator[tuple[int, int, Outcome]]:
        """Train on the first and on the last rows of a permutation.

        Parameters
        ----------
        order
            Permutation of all rows, int64 [n].
        sizes
            Sizes t of subsets, rising.

        Yields
        ------
        direction, size, outcome
            Direction 0 trains on ``order[:size]``, 1 on ``order[::-1][:size]``; the outcome is that of all other
            rows, in rising order of rows. Every pair once, in any order.
        """


@runtime_checkable
class BatchedFitPredict(Protocol):
    """Extension of a `FitPredict` that trains on several subsets of one size at once.

    Laws
    ----
    - Outcomes are those of the runs one by one, but for rounding and what layers draw at random.
    """

    @property
    @abstractmethod
    def at_once(self) -> int:
        """Most runs at once."""

    @abstractmethod
    def together(self, train: Sequence[IntArray], held_out: Sequence[IntArray], seeds: Sequence[int]) -> list[Outcome]:
        """Outcomes of runs on the rows `train` [runs, t], of the rows `held_out` [runs, m], each with its seed."""


@dataclass(frozen=True)
class Failure:
    """Group of runs that failed, and the error's traceback as text.

    `stored`: the store could not be written, so that the next run would fail likewise.
    """

    runs: Group
    traceback: str
    stored: bool = False


@runtime_checkable
class HoldoutBackend(Protocol):
    """Carries out groups of runs.

    Laws
    ----
    - ``map`` yields every group exactly once, in any order, with ``job(group)``.
    - A group whose worker dies is started again, `retries` times at most, and then yields a `Failure`; no other
      group is lost by it.
    - ``job`` catches what a `FitPredict` raises: a backend never sees it. Closing the iterator stops the workers,
      and where the process that iterates is ended, killed too, they end some seconds later.

    `dataaudit.testing.BackendContract` checks them. A package registers backends, classes or instances, in the
    entry-point group ``dataaudit.backends``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name, for the audit's settings."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Settings for an audit besides the name, JSON values."""

    @abstractmethod
    def check(self) -> None:
        """Raise `SettingError` or `MissingPackageError` where this machine cannot run it."""

    @abstractmethod
    def map(self, job: Callable[[Group], Any], groups: Sequence[Group]) -> Generator[tuple[Group, Any], None, None]:
        """Yield (group, result) of every group."""
