"""What figures share: matplotlib without a screen, and the paper's colours by C-score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Array
from dataaudit.errors import require

SCORE = "cool"
"""Colours of C-scores: cyan is low, magenta high."""
GAP = 2
"""Pixels between images."""
GROUPS = "coolwarm"
"""Colours of groups of C-scores while a network learns: blue is low, red high."""


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Any, Array]:
    """Figure of width and height in inches, and its axes [rows, columns]."""
    matplotlib = require("matplotlib", "plots", "drawing figures")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **options
    )
    for ax in axes.ravel():
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def shades(n: int, name: str) -> Array:
    """`n` colours [n, 4] from one end of a map to the other."""
    from matplotlib import colormaps

    return np.asarray(colormaps[name](np.linspace(0, 1, max(n, 1))))


def save(figure: Any, path: Path) -> None:
    """Write the figure, and free its memory."""
    from matplotlib import pyplot

    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def by_epoch(ax: Any, ylabel: str, title: str) -> None:
    """Axes over epochs, which are whole."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=ylabel, title=title)


def show_columns(ax: Any, columns: Sequence[Array], lines: int) -> None:
    """Columns of at most `lines` images each, beside each other on one axes: grey ones dark on light."""
    some = next(images for images in columns if len(images))
    height, width = (side + GAP for side in some.shape[1:3])
    # Grey images are drawn from white (0), colour ones on white (255).
    blank = 0 if some.ndim == 3 else 255
    whole = np.full((lines * height - GAP, len(columns) * width - GAP, *some.shape[3:]), blank, np.uint8)
    for column, images in enumerate(columns):
        for line, image in enumerate(images):
            top, left = line * height, column * width
            whole[top : top + height - GAP, left : left + width - GAP] = image
    ax.imshow(whole, cmap="gray_r" if some.ndim == 3 else None, interpolation="nearest")
    ax.axis("off")
