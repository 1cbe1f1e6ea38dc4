"""Sections of a page as matplotlib axes, from the same values."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from dataaudit.common.shown import visible
from dataaudit.errors import require
from dataaudit.report.figures import pixels_of
from dataaudit.report.sections import ByClass, Confusion, Crowd, Curves, Few, Points, Strips, sampled, shorter
from dataaudit.report.spread import Histograms

MARKED, PLAIN = "#c93c37", "#a9b4c2"
CURVES = ("#d1495b", "#d98324", "#7a8b2f", "#2a9d8f", "#3d7dca")
BINS = 40
SIDE, ABREAST = 96, 4
"""Pixels of a picture's side, and examples in a row."""
NAMED = 40
"""Most classes that are called by their names on an axis."""


def axes_for(ax: Any = None) -> Any:
    """The axes that are passed, or those of a new figure, which pyplot shows."""
    require("matplotlib", "plots", "figures as axes")
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def confusion(section: Confusion, ax: Any) -> Any:
    """Cells by given (down) and other (across) label; of many classes bars of the largest pairs."""
    if not section.names:
        pairs = section.pairs[::-1]
        ax.barh(
            [_name(f"{given} → {other}") for given, other, _, _ in pairs], [pair[2] for pair in pairs], color=MARKED
        )
        ax.set_xlabel("estimated wrong labels")
    else:
        ax.imshow(section.counts, cmap="Reds")
        names = [_name(name) for name in section.names]
        ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
        ax.set_yticks(range(len(names)), names)
        for (down, across), count in np.ndenumerate(section.counts):
            if count >= 0.05:
                shade = "white" if count > section.counts.max() / 2 else "black"
                ax.text(across, down, f"{count:.1f}", ha="center", va="center", fontsize=8, color=shade)
        ax.set_xlabel("suggested")
        ax.set_ylabel("given")
    return _titled(ax, section.title)


def spread(section: Histograms, ax: Any) -> Any:
    """Histogram of the one score of a section; examples with another label suggested stand out."""
    ((name, values),) = section.columns.items()
    known = np.isfinite(values)
    parts = [values[known & section.disagrees], values[known & ~section.disagrees]]
    ax.hist(parts, BINS, stacked=True, color=[MARKED, PLAIN], label=["another label is suggested", "none"])
    ax.set_xlabel(_name(name))
    ax.set_ylabel("examples")
    ax.legend(frameon=False)
    return _titled(ax, section.title)


def classes(section: ByClass, ax: Any) -> Any:
    """Quantiles of each class: a line from 5 to 95 %, a bar over the middle half, a tick at the median."""
    places = np.arange(len(section.rows))[::-1]
    least, first, middle, third, most = section.quantiles.T
    ax.hlines(places, least, most, color=PLAIN)
    ax.barh(places, third - first, left=first, height=0.6, color=PLAIN)
    ax.plot(middle, places, "|", color=MARKED, ms=10, mew=2)
    ax.set_yticks(places, [_name(row[0]) for row in section.rows])
    ax.set_xlabel(_name(section.score))
    return _titled(ax, section.title)


def points(section: Points, ax: Any) -> Any:
    """A dot a class."""
    ax.scatter(section.x, section.y, color=CURVES[-1], alpha=0.75)
    if len(section.names) <= NAMED:
        for x, y, name in zip(section.x, section.y, section.names, strict=True):
            ax.annotate(_name(name), (x, y), textcoords="offset points", xytext=(5, 3), fontsize=8)
    return _called(ax, section.across, section.up, section.title)


def crowd(section: Crowd, ax: Any) -> Any:
    """A dot an example, the marked ones above the others."""
    for kind, colour, label in (
        (~section.marked, PLAIN, section.legend[1]),
        (section.marked, MARKED, section.legend[0]),
    ):
        ax.plot(section.x[kind], section.y[kind], ".", ms=3, alpha=0.6, color=colour, label=label, rasterized=True)
    ax.legend(frameon=False)
    return _called(ax, section.across, section.up, section.title)


def curves(section: Curves, ax: Any) -> Any:
    """A line a group."""
    for values, name, colour in zip(section.y, section.names, CURVES, strict=True):
        ax.plot(section.x, values, color=colour, label=name)
    ax.set_ylim(0, 1.02)
    ax.legend(frameon=False)
    return _called(ax, section.across, section.up, section.title)


def strips(section: Strips, ax: Any) -> Any:
    """A row a class, its groups side by side."""
    each = max((len(few) for _, groups in section.classes for few in groups), default=1)
    for down, (name, groups) in enumerate(section.classes):
        ax.text(-0.2, -down, _name(name), ha="right", va="center", fontsize=8)
        for number, few in enumerate(groups):
            for place, (row, shown) in enumerate(few):
                _sample(ax, number * (each + 0.6) + place + 0.5, -down, row, shown, "")
    for number, group in enumerate(section.groups):
        ax.text(number * (each + 0.6) + each / 2, 0.6, group, ha="center", va="bottom", fontsize=8)
    return _laid_out(ax, len(section.groups) * (each + 0.6), len(section.classes), section.title)


def few(section: Few, ax: Any) -> Any:
    """Examples in rows of four, each with its words."""
    for place, (row, shown, _, words) in enumerate(section.examples):
        _sample(ax, 1.5 * (place % ABREAST) + 0.5, -1.6 * (place // ABREAST), row, shown, words)
    rows = -(-len(section.examples) // ABREAST)
    return _laid_out(ax, 1.5 * ABREAST, 1.6 * rows, section.title)


def _sample(ax: Any, across: float, up: float, row: int, shown: Any, words: str) -> None:
    """An example around a place, in a square a little smaller than 1: its picture, or the beginning of its text."""
    pixels = pixels_of(shown, SIDE)
    if pixels is not None:
        extent = (across - 0.46, across + 0.46, up - 0.46, up + 0.46)
        ax.imshow(pixels, extent=extent, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        text = shorter(visible(sampled(shown)), 60)
        ax.text(across, up, fill(text, 14).replace("$", r"\$"), ha="center", va="center", fontsize=5, clip_on=True)
    under = fill(visible(shorter(f"#{row} {words}".strip(), 60)), 22).replace("$", r"\$")
    if words:
        ax.text(across, up - 0.5, under, ha="center", va="top", fontsize=5)


def _laid_out(ax: Any, wide: float, tall: float, title: str) -> Any:
    ax.set_xlim(-0.1, wide)
    ax.set_ylim(-tall + 0.3, 0.9)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return _titled(ax, title)


def _name(text: str) -> str:
    # A dollar sign begins a formula.
    return visible(text if len(text) <= 40 else f"{text[:39]}…").replace("$", r"\$")


def _called(ax: Any, across: str, up: str, title: str) -> Any:
    ax.set_xlabel(_name(across))
    ax.set_ylabel(_name(up))
    return _titled(ax, title)


def _titled(ax: Any, title: str) -> Any:
    ax.set_title(title)
    return ax
