"""Parts of a page that show more than a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.report.charts import Axes, map_of, quantiles, span, wider
from dataaudit.report.page import Section
from dataaudit.report.review import content

LEVELS = 6
"""Shades of a cell of a confusion."""
NAMED = 3
"""Points at either end of a drawing that are called by their names."""
MOST_POINTS = 400
APART = 110, 14
"""Least distance of two names in a drawing, across or up."""
SAMPLE = 220
"""Characters of a text among pictures."""


@dataclass(frozen=True)
class Confusion(Section):
    """Estimated number of examples by given (down) and other (across) label, float64 [c, c], of the classes `names`.

    `others` lists further pairs (given, suggested, count, share) where not all classes fit.
    """

    names: tuple[str, ...]
    counts: FloatArray
    pairs: tuple[tuple[str, str, float, float], ...]

    def cells(self) -> Iterator[tuple[str, list[tuple[str, int, str]]]]:
        """Name of each given label, and for each other one its number, shade and what that says."""
        top = max(float(self.counts.max(initial=0.0)), 1e-12)
        for given, name in enumerate(self.names):
            row = []
            for other, count in enumerate(self.counts[given].tolist()):
                shade = 0 if count < 0.05 else max(1, round(LEVELS * (count / top) ** 0.5))
                text = "" if given == other or count < 0.05 else f"{count:.0f}" if count >= 9.95 else f"{count:.1f}"
                row.append((text, shade, "same" if given == other else ""))
            yield name, row

    @property
    def template(self) -> str:
        """A table whose cells are shaded, and the largest pairs in words."""
        return """
{% if section.names %}
<div class="wide" tabindex="0" role="region" aria-label="table: {{ section.title }}"><table class="confusion">
<thead><tr><th scope="col">given</th>
{% for name in section.names %}
<th scope="col"><bdi>{{ name|visible|truncate(16, True, '…') }}</bdi></th>
{% endfor %}</tr></thead><tbody>
{% for name, row in section.cells() %}
<tr><th scope="row"><bdi>{{ name|visible|truncate(24, True, '…') }}</bdi></th>
{% for text, shade, kind in row %}<td class="shade-{{ shade }} {{ kind }}">{{ text }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% if section.pairs %}
<ul class="pairs">
{% for given, suggested, count, share in section.pairs %}
<li><bdi>{{ given|visible }}</bdi> → <b><bdi>{{ suggested|visible }}</bdi></b>
{%- if count == count %}: {{ "%.1f"|format(count) }} examples, {{ "%.1f %%"|format(100 * share) }} of the given label
{% endif %}</li>
{% endfor %}
</ul>
{% endif %}"""


@dataclass(frozen=True)
class ByClass(Section):
    """Classes with their number of examples, mean and standard deviation of a score, number flagged (blank where not
    known), and quantiles (5, 25, 50, 75, 95 %), float64 [c, 5]."""

    score: str
    rows: tuple[tuple[str, int, float, float, int | str], ...]
    quantiles: FloatArray

    def drawn(self) -> Iterator[tuple[tuple[Any, ...], Markup]]:
        """Each row and the drawing of its quantiles."""
        ends = span(self.quantiles)
        for row, values in zip(self.rows, self.quantiles, strict=True):
            said = "quantiles " + ", ".join(f"{value:.3g}" for value in values)
            yield row, Markup(quantiles(values, ends, said) if np.isfinite(values).all() else "")

    @property
    def template(self) -> str:
        """A table."""
        return """
<div class="wide" tabindex="0" role="region" aria-label="table: {{ section.title }}"><table><thead><tr>
<th scope="col">class</th><th scope="col" class="number">examples</th><th scope="col" class="number">flagged</th>
<th scope="col" class="number">mean {{ section.score|visible }}</th><th scope="col" class="number">deviation</th>
<th scope="col">spread</th></tr></thead><tbody>
{% for row, drawing in section.drawn() %}
<tr><th scope="row"><bdi>{{ row[0]|visible|truncate(80, True, '…') }}</bdi></th><td class="number">{{ row[1] }}</td>
<td class="number">{{ row[4] }}</td><td class="number">{{ "%.3g"|format(row[2]) }}</td>
<td class="number">{{ "%.3g"|format(row[3]) }}</td><td>{{ drawing }}</td></tr>
{% endfor %}
</tbody></table></div>"""


@dataclass(frozen=True)
class Strips(Section):
    """Examples of each class in groups, such as typical, middle and rare ones.

    `classes` are names with, for each of `groups`, examples as (row, what is shown).
    """

    groups: tuple[str, ...]
    classes: tuple[tuple[str, tuple[tuple[tuple[int, Any], ...], ...]], ...]

    def drawn(self) -> Iterator[tuple[str, list[tuple[str, list[dict[str, Any]]]]]]:
        """Name of each class, and its groups with what can be shown of their examples."""
        for name, groups in self.classes:
            yield (
                name,
                [(group, [_sample(*one) for one in few]) for group, few in zip(self.groups, groups, strict=True)],
            )

    def has_pictures(self) -> bool:
        """Whether the first example is a picture."""
        first = next((one for _, groups in self.classes for few in groups for one in few), (0, None))
        return bool(_sample(*first)["image"])

    @property
    def template(self) -> str:
        """A row a class, a block a group."""
        return """
<div class="strips{{ '' if section.has_pictures() else ' texts' }}">
{% for name, groups in section.drawn() %}
<div class="class-strip"><h3><bdi>{{ name|visible|truncate(60, True, '…') }}</bdi></h3>
<div class="groups">
{% for group, samples in groups %}
<figure><figcaption class="soft">{{ group }}</figcaption><div class="samples">
{% for sample in samples %}
{% if sample.image %}
<img src="{{ sample.image }}" alt="row {{ sample.row }}" title="row {{ sample.row }}">
{% else %}
<p dir="auto">{{ sample.text|visible }} <span class="soft">#{{ sample.row }}</span></p>
{% endif %}
{% endfor %}
</div></figure>
{% endfor %}
</div></div>
{% endfor %}
</div>"""


def _sample(row: int, shown: Any) -> dict[str, Any]:
    what = content(shown) or {"text": "not at hand"}
    return {"row": row, "image": what.get("image"), "text": shorter(_words(what), SAMPLE)}


def sampled(shown: Any) -> str:
    """Text that stands for an example without a picture."""
    return _words(content(shown) or {"text": "not at hand"})


def _words(what: dict[str, Any]) -> str:
    return what.get("text") or ", ".join(f"{name} {value}".strip() for name, value in what.get("values", [])[:6])


def shorter(text: str, most: int) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else f"{text[:most]}…"


@dataclass(frozen=True)
class Few(Section):
    """A few examples, each a sample and facts in words: (row, what is shown, name, words)."""

    examples: tuple[tuple[int, Any, str, str], ...]

    def samples(self) -> Iterator[tuple[dict[str, Any], str, str]]:
        """Each sample with its name and words."""
        for row, shown, name, words in self.examples:
            yield _sample(row, shown), name, words

    @property
    def template(self) -> str:
        """A card an example."""
        return """
<div class="few">
{% for sample, name, words in section.samples() %}
<article class="plain-card" aria-label="row {{ sample.row }}">
{% if sample.image %}<img src="{{ sample.image }}" alt="row {{ sample.row }}">
{% else %}<p dir="auto">{{ sample.text|visible }}</p>
{% endif %}
<p><bdi>{{ words|visible }}</bdi></p>
<p class="soft">#{{ sample.row }}{% if name %} · <bdi>{{ name|visible }}</bdi>{% endif %}</p></article>
{% endfor %}
</div>"""


@dataclass(frozen=True)
class Crowd(Section):
    """Points x, y [n] as a crowd, the `marked` ones, bool [n], in another colour; `said` tells what is seen."""

    across: str
    up: str
    x: FloatArray
    y: FloatArray
    marked: BoolArray
    said: str
    legend: tuple[str, str]

    def drawing(self) -> Markup:
        """The drawing."""
        return Markup(map_of(self.x, self.y, self.marked, self.across, self.up, self.said))

    @property
    def template(self) -> str:
        """Drawing and words."""
        return """
<p class="soft"><span class="swatch marked"></span> {{ section.legend[0] }} &nbsp; <span class="swatch plain"></span>
 {{ section.legend[1] }}</p>
<figure class="figure">{{ section.drawing() }}<figcaption>{{ section.said|visible }}</figcaption></figure>"""


@dataclass(frozen=True)
class Points(Section):
    """A named point a class: x, y [c]."""

    across: str
    up: str
    x: FloatArray
    y: FloatArray
    names: tuple[str, ...]
    said: str

    def drawing(self) -> Markup:
        """The drawing: dots, or a crowd where there are very many."""
        if len(self.names) > MOST_POINTS:
            nothing = np.zeros(len(self.x), bool)
            return Markup(map_of(self.x, self.y, nothing, self.across, self.up, self.said))
        axes = Axes(self.across, self.up, wider(span(self.x)), wider(span(self.y)))
        axes.points(self.x, self.y, self.names)
        order: IntArray = np.argsort(self.x, kind="stable")
        few = order.tolist() if len(order) <= 2 * NAMED else [*order[:NAMED].tolist(), *order[-NAMED:].tolist()]
        taken: list[tuple[float, float]] = []
        for at in few:
            x, y = float(self.x[at]), float(self.y[at])
            place = axes.right(x), axes.top(y)
            # Names that would lie on each other are left to the pointer.
            if all(abs(place[0] - across) > APART[0] or abs(place[1] - up) > APART[1] for across, up in taken):
                axes.name(x, y, self.names[at])
                taken.append(place)
        return Markup(axes.drawing(self.said))

    @property
    def template(self) -> str:
        """Drawing and words."""
        return """<figure class="figure">{{ section.drawing() }}
<figcaption>{{ section.said|visible }}</figcaption></figure>"""


@dataclass(frozen=True)
class Curves(Section):
    """Lines y [g, k] over x [k], each with its name."""

    across: str
    up: str
    x: FloatArray
    y: FloatArray
    names: tuple[str, ...]
    said: str

    def drawing(self) -> Markup:
        """The drawing."""
        axes = Axes(self.across, self.up, span(self.x), (0.0, 1.0))
        for number, values in enumerate(self.y):
            axes.line(self.x, values, number)
        return Markup(axes.drawing(self.said))

    @property
    def template(self) -> str:
        """Legend, drawing and words."""
        return """
<p class="soft">
{% for name in section.names %}
<span class="swatch line-{{ loop.index0 }}"></span> {{ name|visible }} &nbsp;
{% endfor %}</p>
<figure class="figure">{{ section.drawing() }}<figcaption>{{ section.said|visible }}</figcaption></figure>"""
