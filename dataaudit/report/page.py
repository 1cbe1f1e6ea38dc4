"""Content of a report page as plain values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from dataaudit.common.types import BoolArray, FloatArray
from dataaudit.report.figures import histogram


@dataclass(frozen=True)
class Card:
    """One example, the `row` of the data set, which calls it `name`, if anything; `suggested` is blank where it equals
    `given`, or nothing is known.

    `shown` is a picture, an array, a text or a mapping of columns, None without the data set; `confidence` [epochs] the
    probability of the given label after each kept epoch, None without dynamics.
    """

    row: int
    given: str
    suggested: str
    score: float
    name: str = ""
    shown: Any = None
    confidence: FloatArray | None = None


@dataclass(frozen=True)
class Section(ABC):
    """Part of a page with a heading and, unless it is empty, a note below it.

    A section brings its values, as fields, and a template, which sees them as ``section``.
    """

    title: str
    note: str

    @property
    @abstractmethod
    def template(self) -> str:
        """Jinja template of what stands below heading and note; values are escaped, but for `Markup`."""


@dataclass(frozen=True)
class Table(Section):
    """Table; numbers stand to the right, real ones rounded."""

    head: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    @property
    def template(self) -> str:
        """Head and rows."""
        return """
{%- macro side(cell) %}{{ ' class="number"'|safe if cell is number }}{% endmacro -%}
<div class="wide"><table><tr>
{% for name in section.head %}<th{{ side(section.rows[0][loop.index0]) if section.rows }}>{{ name }}</th>{% endfor %}

</tr>
{% for row in section.rows %}
<tr>{% for cell in row %}<td{{ side(cell) }}>{{ "%.3g"|format(cell) if cell is float else cell }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>"""


@dataclass(frozen=True)
class Histograms(Section):
    """Histogram of every column of scores [n], in which examples with a suggested label other than the given stand out.

    `disagrees`, bool [n], marks these.
    """

    columns: Mapping[str, FloatArray]
    disagrees: BoolArray

    def drawings(self) -> Iterator[tuple[str, Markup, int]]:
        """Name of each column, its drawing, and how many examples have no score."""
        for name, values in self.columns.items():
            yield name, Markup(histogram(values, self.disagrees)), int((~np.isfinite(values)).sum())

    @property
    def template(self) -> str:
        """Legend and drawings."""
        return """
<p class="soft"><span class="swatch" style="background: var(--marked)"></span> the model suggests another label
 &nbsp; <span class="swatch" style="background: var(--plain)"></span> it agrees, or suggests none</p>
<div class="plots">
{% for name, drawing, missing in section.drawings() %}
<figure><figcaption>{{ name }}{% if missing %} <span class="soft">({{ missing }} without)</span>{% endif %}</figcaption>
{{ drawing }}</figure>
{% endfor %}
</div>"""


@dataclass(frozen=True)
class Page:
    """Content of a report: numbers of examples and classes, cards by falling suspicion, sections.

    `headline` says how many labels are wrong, and `agreement` with how many the model agrees; each is empty where that
    was not looked at. Of `disagreeing` examples the suggested label is not the given one.
    """

    examples: int
    classes: int
    headline: str
    ranked_by: str
    agreement: str
    disagreeing: int
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
