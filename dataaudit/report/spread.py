"""How scores are spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from dataaudit.common.types import BoolArray, FloatArray
from dataaudit.report.figures import histogram
from dataaudit.report.page import Section


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
<p class="soft"><span class="swatch marked"></span> another label is suggested
 &nbsp; <span class="swatch plain"></span> none, or the given one</p>
{% macro drawn(ones) %}
<div class="plots">
{% for name, drawing, missing in ones %}
<figure><figcaption>{{ name|visible }}
{% if missing %} <span class="soft">({{ missing }} without)</span>{% endif %}</figcaption>
{{ drawing }}</figure>
{% endfor %}
</div>
{% endmacro %}
{% set all = section.drawings()|list %}
{{ drawn(all[:6]) }}
{% if all[6:] %}
<details><summary>{{ all[6:]|length }} more scores</summary>
{{ drawn(all[6:]) }}</details>
{% endif %}"""
