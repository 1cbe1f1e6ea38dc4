"""Drawings of two axes as SVG, in the colours of the page that they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from dataaudit.common.shown import visible
from dataaudit.common.types import AnyArray, BoolArray, FloatArray

WIDTH, HEIGHT, LEFT, BELOW, ABOVE, RIGHT = 560, 320, 52, 44, 12, 14
ACROSS, UP = 56, 36
"""Cells of a crowd, across and up."""
SHADES = 8


def span(values: FloatArray) -> tuple[float, float]:
    """Ends of an axis that has all finite `values`, never the same."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def wider(ends: tuple[float, float], by: float = 0.05) -> tuple[float, float]:
    """Ends of an axis with room for dots at either of them."""
    room = by * (ends[1] - ends[0])
    return ends[0] - room, ends[1] + room


class Axes:
    """A drawing with an axis across and one up, each with its name and its ends."""

    def __init__(self, across: str, up: str, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y
        self._parts = [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BELOW}" y2="{HEIGHT - BELOW}"/>'
            f'<line x1="{LEFT}" x2="{LEFT}" y1="{ABOVE}" y2="{HEIGHT - BELOW}"/>'
        ]
        for share in (0.0, 0.5, 1.0):
            right, top = x[0] + share * (x[1] - x[0]), y[0] + share * (y[1] - y[0])
            self._write(self.right(right), HEIGHT - BELOW + 15, f"{right:.3g}", "middle" if share < 1 else "end")
            self._write(LEFT - 6, self.top(top) + 4, f"{top:.3g}", "end")
        self._write((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, "middle")
        middle = (ABOVE + HEIGHT - BELOW) / 2
        self._parts.append(f'<text transform="translate(12 {middle:.0f}) rotate(-90)" text-anchor="middle">{up}</text>')

    def right(self, value: float) -> float:
        """Place across of a value."""
        return LEFT + (value - self._x[0]) / (self._x[1] - self._x[0]) * (WIDTH - RIGHT - LEFT)

    def top(self, value: float) -> float:
        """Place from above of a value."""
        return HEIGHT - BELOW - (value - self._y[0]) / (self._y[1] - self._y[0]) * (HEIGHT - BELOW - ABOVE)

    def crowd(self, x: FloatArray, y: FloatArray, kind: str) -> None:
        """Cells, the darker the more of the points x, y [n] lie in them."""
        known = np.isfinite(x) & np.isfinite(y)
        counts, _, _ = np.histogram2d(x[known], y[known], (ACROSS, UP), (self._x, self._y))
        if not counts.any():
            return
        # A single point among thousands is still seen.
        shade = np.ceil(SHADES * np.log1p(counts) / np.log1p(counts.max())).astype(int)
        wide, tall = (WIDTH - RIGHT - LEFT) / ACROSS, (HEIGHT - BELOW - ABOVE) / UP
        for level in range(1, SHADES + 1):
            cells = np.argwhere(shade == level)
            if len(cells):
                way = "".join(
                    f"M{LEFT + a * wide:.1f} {HEIGHT - BELOW - (b + 1) * tall:.1f}h{wide:.1f}v{tall:.1f}h-{wide:.1f}z"
                    for a, b in cells.tolist()
                )
                self._parts.append(f'<path class="{kind}" fill-opacity="{level / SHADES:.2f}" d="{way}"/>')

    def points(self, x: FloatArray, y: FloatArray, names: Sequence[str]) -> None:
        """A dot a point [k], with its name where one points at it."""
        for across, up, name in zip(x.tolist(), y.tolist(), names, strict=True):
            title = f"<title>{shown(name)}: {across:.3g}, {up:.3g}</title>"
            self._parts.append(
                f'<circle class="dot" cx="{self.right(across):.1f}" cy="{self.top(up):.1f}" r="4">{title}</circle>'
            )

    def name(self, x: float, y: float, text: str) -> None:
        """Write a name beside a point."""
        late = self.right(x) > WIDTH * 0.7
        self._write(self.right(x) + (-8 if late else 8), self.top(y) + 4, shown(text, 24), "end" if late else "start")

    def line(self, x: FloatArray, y: FloatArray, number: int) -> None:
        """A line through points [k], in the colour of that number; gaps where y is NaN."""
        way, pen = "", "M"
        for across, up in zip(x.tolist(), y.tolist(), strict=True):
            if np.isfinite(up):
                way += f"{pen}{self.right(across):.1f} {self.top(up):.1f}"
            pen = "L" if np.isfinite(up) else "M"
        self._parts.append(f'<path class="curve curve-{number}" d="{way}"/>')

    def drawing(self, said: str) -> str:
        """The SVG; `said` is what it shows, for those who cannot see it."""
        box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(visible(said))}"'
        return f'<svg class="chart" {box}>{"".join(self._parts)}</svg>'

    def _write(self, x: float, y: float, text: str, anchor: str) -> None:
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>')


def shown(text: str, most: int = 60) -> str:
    """A stranger's text inside a drawing."""
    return escape(visible(text if len(text) <= most else f"{text[: most - 1]}…"))


def quantiles(values: AnyArray, ends: tuple[float, float], said: str) -> str:
    """SVG of the 5, 25, 50, 75 and 95 % quantiles [5] of a group between the `ends` of all."""
    least, first, middle, third, most = (160 * (float(v) - ends[0]) / (ends[1] - ends[0]) for v in values)
    return (
        f'<svg class="strip" viewBox="-2 0 164 16" role="img" aria-label="{escape(said)}">'
        f'<line x1="{least:.1f}" x2="{most:.1f}" y1="8" y2="8"/>'
        f'<rect class="plain" x="{first:.1f}" y="3" width="{max(third - first, 1):.1f}" height="10"/>'
        f'<rect class="marked" x="{middle - 1:.1f}" y="1" width="2" height="14"/></svg>'
    )


def map_of(x: FloatArray, y: FloatArray, marked: BoolArray, across: str, up: str, said: str) -> str:
    """SVG of points [n], the `marked` ones in another colour above the others."""
    axes = Axes(across, up, span(x), span(y))
    axes.crowd(x[~marked], y[~marked], "plain")
    axes.crowd(x[marked], y[marked], "marked")
    return axes.drawing(said)
