"""Engines whose sums are put together from blocks of pairs, and engines that account for how theirs came about."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.base import DensitySums
from dataaudit.density.engines import DensityEngine
from dataaudit.representations.base import Features


@runtime_checkable
class BlockEngine(DensityEngine, Protocol):
    """An engine that sums over the pairs between two ranges of rows.

    Laws
    ----
    - What ``sums`` gives for all rows is what ``sums`` gives for each range, and ``block_sums`` for every two ranges,
      added up; to the engine's stated precision.
    - It is picklable, and a settled one gives the same bits for the same arguments on machines of one kind.
    """

    @abstractmethod
    def settled(self, represented: Features, threads: int) -> BlockEngine:
        """The engine with every choice made that would depend on where it runs.

        Parameters
        ----------
        represented
            All rows, or factors of gradients.
        threads
            Cores that a worker has.
        """

    @abstractmethod
    def block_sums(
        self,
        a: Features,
        labels_a: IntArray,
        b: Features,
        labels_b: IntArray,
        bandwidth: float,
        centre: FloatArray | None,
    ) -> tuple[FloatArray, FloatArray]:
        """Sums over all rows of the other range and over those of the same label, float64 [2, n] and [2, m].

        Parameters
        ----------
        a, labels_a, b, labels_b
            Rows [n, d] and [m, d], or factors of as many gradients; int64 [n] and [m].
        bandwidth
            h > 0.
        centre
            Middle of the bulk of all rows, float64 [d], for engines that lose less to rounding near it; None for
            gradients.
        """


@runtime_checkable
class AccountingEngine(DensityEngine, Protocol):
    """An engine with exact sums that says how they came about.

    Laws
    ----
    Those of `DensityEngine`; ``sums`` gives the sums of ``accounted``.
    """

    @abstractmethod
    def accounted(
        self, represented: Features, labels: IntArray, bandwidth: float, advance: Callable[[float], Any]
    ) -> DensitySums:
        """Sums without errors, and what an audit records of this call; JSON values.

        Parameters
        ----------
        represented, labels, bandwidth, advance
            As in `DensityEngine.sums`.
        """
