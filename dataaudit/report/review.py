"""The queue on a page: examples to decide about, as values that a script of the page reads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray
from dataaudit.report.figures import DRAWN, LARGEST, picture

BUDGET = 9 * 2**20
"""Bytes that examples on a page take at most, their pictures included."""
BESIDE = 2 * 2**20
"""Those of them that nearest examples take."""
MOST_CARDS = 100_000
LONGEST = 100_000
"""Characters of a text that are shown."""
MOST_VALUES = 200
"""Values of a row that are shown."""
UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
"""Characters that end a script, or cannot be written as they are."""


@dataclass(frozen=True)
class Most:
    """What is shown of an example: pixels a side, of a photograph from `drawn` on, characters of a text, values."""

    pixels: int = LARGEST
    drawn: int = DRAWN
    characters: int = LONGEST
    values: int = MOST_VALUES


WHOLE, SMALL = Most(), Most(64, 16, 300, 8)
"""By itself, and beside another."""


@dataclass(frozen=True)
class Card:
    """One example to decide about.

    Attributes
    ----------
    row, key
        Number of the row in the data set, and its name there: texts and numbers, None without one.
    given, suggested
        Positions of classes; -1 where no other than the given label is suggested, or a label is not known.
    score
        Value by which the audit ranks; NaN where there is none.
    probability
        Probability that the label is wrong; NaN where it is not known.
    reason
        Why, in words.
    place, chance
        Place in a queue, and chance with which it was drawn for it; None of rows without a place.
    shown
        A picture, an array, a text or a mapping of columns, None without the data set.
    confidence
        Probability of the given label after each kept epoch, None without dynamics.
    scores
        Values by the audit's other scores, NaN where there is none.
    alike
        Nearest examples of the given and of the suggested label, each as (row, what is shown); read once, if at all.
    """

    row: int
    given: int
    suggested: int
    score: float
    key: Any = None
    probability: float = math.nan
    reason: str = ""
    place: int | None = None
    chance: float | None = None
    shown: Any = None
    confidence: AnyArray | None = None
    scores: tuple[float, ...] = ()
    alike: tuple[Iterable[tuple[int, Any]], ...] = ()


@dataclass(frozen=True)
class Review:
    """Examples to decide about, as many as fit.

    Attributes
    ----------
    header
        First line of the decision file that the page writes: a mapping with ``class_names`` among it.
    memory
        Name under which the browser keeps decisions: that of the audited data.
    cards
        Examples in the order in which they are shown; read once.
    wanted
        Number of cards that were asked for.
    has_data
        Whether the data set is at hand.
    ranked_by
        Name of the score of the cards.
    budget
        Bytes that the cards take at most.
    levels
        What the data set calls the parts of a key, such as "line".
    bound
        Values from which the page computes bounds on the number of errors (review/running.py), or ``why`` it cannot;
        empty where the cards are no queue.
    scores
        Names of the other scores of the cards.
    alike
        Where nearest examples lie, in words, or why there are none.
    """

    header: Mapping[str, Any]
    memory: str
    cards: Iterable[Card]
    wanted: int
    has_data: bool
    ranked_by: str
    budget: int = BUDGET
    most: int = field(default=MOST_CARDS)
    levels: tuple[str, ...] = ()
    bound: Mapping[str, Any] = field(default_factory=dict)
    scores: tuple[str, ...] = ()
    alike: str = ""

    def records(self) -> Iterator[tuple[list[Any], str]]:
        """Each card as JSON values and as the JSON itself, until the budget is used up; one at least."""
        left, beside = self.budget, min(BESIDE, self.budget)
        for number, card in enumerate(self.cards):
            alike = beside_of(card) if beside > 0 else None
            beside -= 0 if alike is None else len(embedded(alike).encode())
            record = [*record_of(card), alike]
            spelled = embedded(record)
            left -= len(spelled.encode()) + 2
            if number and (left < 0 or number >= self.most):
                return
            yield record, spelled


def record_of(card: Card) -> list[Any]:
    """A card as JSON values, in the order of its fields; what is shown is a picture's address, a text or pairs."""
    line = None if card.confidence is None else [_or_none(round(float(p), 2)) for p in card.confidence]
    return [
        *(card.row, card.given, card.suggested, _or_none(_rounded(card.score)), card.key),
        *(_or_none(_rounded(card.probability)), card.reason, card.place, card.chance, content(card.shown), line),
        [_or_none(_rounded(score)) for score in card.scores],
    ]


def beside_of(card: Card) -> Any:
    """Nearest examples of either label as JSON, [row, what is shown] each; None where a card has none."""
    return [[[row, content(shown, SMALL)] for row, shown in side] for side in card.alike] or None


def content(shown: Any, most: Most = WHOLE) -> Any:
    """What is shown, as JSON: {"image": address}, {"text": text}, {"values": pairs}, or None.

    No more of it than `most` is.

    >>> content({"a": 1.25, "b": "x"})
    {'values': [['a', '1.25'], ['b', 'x']]}
    """
    if shown is None:
        return None
    address = picture(shown, most.pixels, most.drawn)
    if address is not None:
        return {"image": address}
    if isinstance(shown, Mapping) and len(shown) == 1 and isinstance(only := next(iter(shown.values())), str):
        return {"text": _cut(only, most.characters)}
    if isinstance(shown, Mapping):
        pairs = [
            [_cut(str(name), 400), _spelled(value, most.characters)]
            for name, value in list(shown.items())[: most.values]
        ]
        more = len(shown) - len(pairs)
    elif isinstance(shown, np.ndarray):
        flat = shown.reshape(-1)
        pairs = [
            [str(place), _spelled(value, most.characters)] for place, value in enumerate(flat[: most.values].tolist())
        ]
        more = len(flat) - len(pairs)
    else:
        return {"text": _spelled(shown, most.characters)}
    return {"values": [*pairs, ["", f"and {more} more"]] if more > 0 else pairs}


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element of a page, whatever texts are in it.

    >>> embedded("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    spelled = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", spelled)


def _spelled(value: Any, longest: int) -> str:
    return f"{value:.6g}" if isinstance(value, float) else _cut(str(value), longest)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … and {len(text) - most} more characters"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
