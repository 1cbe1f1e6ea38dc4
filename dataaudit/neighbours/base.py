"""Protocols of neighbour searches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.neighbours.rows import Rows


class Index(Protocol):
    """Rows that are ready to be searched."""

    @property
    @abstractmethod
    def exact(self) -> bool:
        """True if answers miss no neighbour; where not, recall is measured and recorded."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Settings for the audit's record, with every automatic choice; JSON values."""

    @abstractmethod
    def __call__(self, queries: AnyArray, depth: int) -> IntArray:
        """Rows nearest to each query, int64 [b, depth], nearest first; -1 where an approximate search finds none.

        Parameters
        ----------
        queries
            Centred as the rows are, float32 [b, d], contiguous.
        depth
            At most what the rows were opened for.
        """


@dataclass(frozen=True)
class FunctionIndex:
    """An index that is a function of queries and depth."""

    exact: bool
    settings: dict[str, Any]
    search: Callable[[AnyArray, int], IntArray]

    def __call__(self, queries: AnyArray, depth: int) -> IntArray:
        """As `Index`."""
        return self.search(queries, depth)


@runtime_checkable
class GraphIndex(Protocol):
    """An index that holds the neighbours of its own rows."""

    @abstractmethod
    def neighbours(self, positions: IntArray, depth: int) -> IntArray:
        """Rows nearest to the rows at `positions` int64 [b], as `Index` answers for these."""


def near_rows(index: Index, rows: Rows, positions: IntArray, depth: int) -> IntArray:
    """Rows nearest to those at `positions` int64 [b] of the `rows` that `index` has open, int64 [b, depth]."""
    if isinstance(index, GraphIndex):
        return index.neighbours(positions, depth)
    return index(rows[positions], depth)


@runtime_checkable
class NeighbourSearch(Protocol):
    """Rows near each row.

    Laws
    ----
    - An index gives the same answers for the same arguments on the same machine, and does not change them.
    - Where ``exact``, no row that is left out is nearer than one in the answer, to float32 rounding of squared norms.
    - Whatever it cannot do, it refuses; it never hands over to another search, except that a `GraphIndex` may compare
      queries that are none of its rows with all of them.

    Distances to the answer are computed anew in float64: rounding here can only swap a neighbour at the depth's edge.
    `dataaudit.testing.SearchContract` checks the laws. A package registers searches (instances) in the
    entry-point group ``dataaudit.searches``.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Name, for the audit's settings."""

    @abstractmethod
    def check(self) -> None:
        """Raise `SettingError` or `MissingPackageError` where this machine cannot run it."""

    @abstractmethod
    def open(self, rows: Rows, depth: int) -> Index:
        """Make `rows` ready to be searched.

        Parameters
        ----------
        rows
            Centred, float32 [n, d]: an array, or rows of which a part is computed whenever it is read.
        depth
            Largest depth of later calls, at most n.
        """
