"""Content of a report page as plain values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataaudit.report.review import Review


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
    """Table; numbers stand to the right, real ones rounded. Without a head, its note alone is shown."""

    head: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]

    @property
    def template(self) -> str:
        """Head and rows."""
        return """{% if section.head %}
{%- macro side(cell) %}{{ ' class="number"'|safe if cell is number }}{% endmacro -%}
<div class="wide" tabindex="0" role="region" aria-label="table: {{ section.title }}"><table><thead><tr>
{% for name in section.head %}
<th scope="col"{{ side(section.rows[0][loop.index0]) if section.rows }}>{{ name }}</th>
{% endfor %}
</tr></thead><tbody>
{% for row in section.rows %}
<tr>{% for cell in row %}<td{{ side(cell) }}>
{%- if cell is number %}{{ "%.3g"|format(cell) if cell is float else cell }}
{%- else %}<bdi>{{ cell|visible }}</bdi>{% endif %}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endif %}"""


@dataclass(frozen=True)
class Page:
    """Content of a report.

    Attributes
    ----------
    title
        Heading, and name of the page in the browser.
    found
        What was found, a sentence each, the most important first.
    limits
        What the page does not tell, a sentence each.
    review
        Examples to decide about.
    sections
        All else that is shown, in order.
    settings, seconds
        How the audit came about, and what took how long.
    code
        Lines of Python that lead to it.
    """

    title: str
    found: tuple[str, ...]
    limits: tuple[str, ...]
    review: Review
    sections: tuple[Section, ...]
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    code: str
