"""Density engines: kernel sums over all pairs, and over blocks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.sums import DensitySums
from dataaudit.neighbours.graph import Neighbours
from dataaudit.representations.base import Features


def silent(share: float) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Context:
    """Seed, neighbour graph and progress of a call; engines use what they need.

    Parameters
    ----------
    seed
        Of a sample, where the engine has none of its own.
    graph
        The neighbour graph of the features, at most as deep as the engine's `depth`; None where there is none.
    advance
        Called with shares of the work that add up to 1.
    """

    seed: int = 0
    graph: Neighbours | None = None
    advance: Callable[[float], Any] = silent


PLAIN = Context()


class DensityEngine(ABC):
    """Kernel sums over all pairs, exact or estimated.

    Laws
    ----
    - Exact sums have no ``errors``, and agree with ``dataaudit_kernels.reference`` to the engine's stated precision.
    - Estimates have ``errors``, and these are honest: about 95 % of the sums lie within 1.96 standard errors of the
      exact ones, where a sum rests on many members of a sample. They are those of sampling, and leave out what the
      engine's precision adds. Where slopes of control variates are fitted to fewer than a thousand members, they are
      somewhat too small. A neighbour graph that misses neighbours costs precision, never honesty.
    - Equal arguments give equal bits on the same machine, and are not changed.
    - Whatever it cannot do, it refuses; it never hands over to another engine.

    `dataaudit.testing.EngineContract` checks them. A package registers engines (classes or instances) in the
    entry-point group ``dataaudit.engines``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name, for the audit's settings."""

    @property
    def depth(self) -> int:
        """Neighbours of each row that it wants of a graph; 0 for an engine that uses none."""
        return 0

    @property
    def reads_pieces(self) -> bool:
        """True if rows may come in pieces that give rows at positions and nothing else, and are never copied whole."""
        return False

    @abstractmethod
    def check(self) -> None:
        """Raise `SettingError` or `MissingPackageError` where this machine cannot run it."""

    @abstractmethod
    def sums(self, features: Features, labels: IntArray, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        """Sums over all others and over those of the same label, their errors, and a record of how.

        Parameters
        ----------
        features
            Rows [n, d], which may be memory-mapped, or factors of gradients.
        labels
            int64 [n].
        bandwidth
            h > 0.
        context
            Seed, neighbour graph and progress.
        """


class BlockEngine(DensityEngine):
    """An engine that also sums over the pairs between two ranges of rows.

    Laws
    ----
    - What ``sums`` gives for all rows is what ``sums`` gives for each range, and ``block_sums`` for every two ranges,
      added up; to the engine's stated precision.
    - It is picklable, and a pinned one gives the same bits for the same arguments on machines of one kind.
    """

    @abstractmethod
    def record(self, features: Features) -> dict[str, Any]:
        """Settings of sums over `features`, as ``sums`` records them; JSON values."""

    @abstractmethod
    def pinned(self, features: Features, threads: int) -> BlockEngine:
        """The engine with every setting fixed that would depend on where it runs.

        Parameters
        ----------
        features
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
