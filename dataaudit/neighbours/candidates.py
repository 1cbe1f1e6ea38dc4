"""What an exact search found for one question, kept for others that search among the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataaudit.common.types import AnyArray
from dataaudit.neighbours.base import NeighbourSearch
from dataaudit.representations.spaces import Space

SLACK = 16
"""Neighbours searched beyond the depth: room for itself, for float32 rounding, and to see ties that the depth cuts."""


@dataclass(frozen=True)
class Candidates:
    """Rows nearest to each of n, all of which were searched.

    Attributes
    ----------
    rows
        Nearest first, by float32 arithmetic, the row itself among them, int32 [n, wide].
    space, inputs
        Where they lie, and what is recorded of the inputs as rows there; None of a layer.
    search, settings
        What searched, and its index's settings.
    """

    rows: AnyArray
    space: Space
    inputs: str | None
    search: NeighbourSearch
    settings: Mapping[str, Any]

    def serve(self, space: Space, inputs: str | None, search: NeighbourSearch, wide: int) -> bool:
        """Test whether they are the `wide` rows nearest to each, in that space, that `search` finds."""
        same_rows = (space, inputs) == (self.space, self.inputs)
        same_search = type(search) is type(self.search) and search == self.search
        return same_rows and same_search and wide <= self.rows.shape[1]
