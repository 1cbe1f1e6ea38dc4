"""Content of a report page as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataaudit.common.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Card:
    """One example, the `row` of the data set; `suggested` is blank where it equals `given`, or nothing is known.

    `shown` is a picture, an array, a text or a mapping of columns, None without the data set; `confidence` [epochs] the
    probability of the given label after each kept epoch, None without dynamics.
    """

    row: int
    given: str
    suggested: str
    score: float
    shown: Any = None
    confidence: FloatArray | None = None


@dataclass(frozen=True)
class Section:
    """Table with a heading and, unless it is empty, a note below it; numbers stand to the right, real ones rounded."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True)
class Page:
    """Content of a report: numbers of examples and classes, columns of scores [n], cards by falling suspicion, tables.

    `headline` says how many labels are wrong, and `agreement` with how many the model agrees; each is empty where that
    was not looked at. `disagrees`, bool [n], marks suggested labels other than the given ones.
    """

    examples: int
    classes: int
    headline: str
    ranked_by: str
    agreement: str
    disagrees: BoolArray
    columns: Mapping[str, FloatArray]
    cards: tuple[Card, ...]
    has_data: bool
    sections: tuple[Section, ...]
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]

    @property
    def has_dynamics(self) -> bool:
        """True if cards hold a line of confidence by epoch."""
        return any(card.confidence is not None for card in self.cards)
