"""Neighbour graphs: the nearest other examples of each with their distances, and what scorers need of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.errors import SettingError
from dataaudit.representations.spaces import Space


def check_searchable(space: Space) -> None:
    """Raise `SettingError` if a space has no rows to search among."""
    if not space.searchable:
        raise SettingError(
            f"neighbours in representation {space.name!r}",
            "'input' or 'hidden': gradients are kept as factors, and have no rows to search among",
            ["ask for 'knn_c_score/hidden'", "ask for 'density/gradient'"],
        )


@dataclass(frozen=True)
class NeighbourNeed:
    """Nearest neighbours that a scorer needs; all depths of one representation come from one search.

    Parameters
    ----------
    space
        Where examples lie.
    depth
        Neighbours of each example; all others where there are fewer.

    Raises
    ------
    SettingError
        If the space has no rows to search among, or the depth is not as described.
    """

    space: Space
    depth: int = 100

    def __post_init__(self) -> None:
        check_searchable(self.space)
        checks.whole("depth", self.depth, 1, "leave depth=None")


@dataclass(frozen=True)
class Neighbours:
    """The nearest other examples of n examples.

    Attributes
    ----------
    indices
        Row of the r-th nearest other example, int32 or int64 [n, depth]; equal distances in a random order of the
        rows.
    distances
        Euclidean distances to them, float64 [n, depth], ascending; equal ones are equal bit for bit.
    settings
        How they came about: representation, search, depth, recall; JSON values.
    """

    indices: IntArray
    distances: FloatArray
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Neighbours of each example."""
        return int(self.indices.shape[1])

    def first(self, depth: int) -> Neighbours:
        """The graph cut to `depth`; itself where that is all of it.

        Settings of the search stay those of the whole graph, whose depth is beside them: `recall_depth`, `tried_depth`.
        """
        if depth >= self.depth:
            return self
        settings = {**self.settings, "depth": depth}
        settings["cut_ties"] = int(np.count_nonzero(self.distances[:, depth - 1] == self.distances[:, depth]))
        return Neighbours(self.indices[:, :depth], self.distances[:, :depth], settings)

    def starts(self) -> BoolArray:
        """Beginnings of groups of equal distances, bool [n, depth]."""
        begins = np.ones(self.distances.shape, bool)
        np.not_equal(self.distances[:, 1:], self.distances[:, :-1], out=begins[:, 1:])
        return begins
