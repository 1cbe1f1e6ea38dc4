"""A report page as plain values: what stands on it, whatever it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataaudit.common.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Card:
    """One example.

    Attributes
    ----------
    row
        Its row in the data set.
    given, suggested
        Labels; suggested is blank where it equals the given one, or nothing is known.
    score
        What it is ranked by.
    shown
        A picture, an array, a text or a mapping of columns; None without the data set.
    confidence
        Probability of the given label after each kept epoch, [epochs]; None without dynamics.
    """

    row: int
    given: str
    suggested: str
    score: float
    shown: Any = None
    confidence: FloatArray | None = None


@dataclass(frozen=True)
class Section:
    """A table with a heading.

    Attributes
    ----------
    title, note
        Heading, and a sentence below it; the note may be empty.
    head
        Names of the columns.
    rows
        Cells; numbers stand to the right, real ones with three digits.
    """

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True)
class Page:
    """Content of a report.

    Attributes
    ----------
    examples, classes
        Numbers of these.
    headline
        How many labels are wrong, in words; empty where that was not looked at.
    ranked_by
        Name of the score that ranks.
    agreement
        Labels that the model agrees with, in words; empty where that was not looked at.
    disagrees
        Examples whose suggested label is another than the given one, bool [n].
    columns
        Scores by name, float64 [n] each.
    cards
        The most suspicious examples, most suspicious first.
    has_data
        Whether the data set is at hand.
    sections
        Tables, in their order.
    settings, notes, seconds
        As in an audit.
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
        """Whether cards hold a line of confidence by epoch."""
        return any(card.confidence is not None for card in self.cards)
