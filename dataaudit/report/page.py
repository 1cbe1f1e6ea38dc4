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
class ClassRow:
    """One class: its name, number of examples, mean score, and examples among the most suspicious."""

    name: str
    size: int
    mean: float
    worst: int


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
    pairs
        Given label, suggested label and count, most frequent first, among the worst `share`.
    by_class
        Most suspicious class first.
    share
        Share of the examples that are the worst.
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
    pairs: tuple[tuple[str, str, int], ...]
    by_class: tuple[ClassRow, ...]
    share: float
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]

    @property
    def has_dynamics(self) -> bool:
        """Whether cards hold a line of confidence by epoch."""
        return any(card.confidence is not None for card in self.cards)
