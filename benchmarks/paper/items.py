"""All items, in the paper's order."""

from __future__ import annotations

import re

from benchmarks.paper import (
    classes,
    densities,
    dynamics,
    every_score,
    laws,
    open_questions,
    proxies,
    ratios,
    schedules,
    tables,
    truth,
)
from benchmarks.paper.item import Item

MODULES = (ratios, classes, proxies, dynamics, schedules, tables, truth, every_score, densities, laws, open_questions)


def _order(name: str) -> tuple[bool, str, int]:
    """Figures and tables by number, then the rest as it is listed."""
    numbered = re.fullmatch(r"(figure|table)-(\d+)", name)
    return (numbered is None, numbered[1] if numbered else "", int(numbered[2]) if numbered else 0)


ITEMS: dict[str, Item] = {
    item.name: item
    for item in sorted((item for module in MODULES for item in module.ITEMS), key=lambda item: _order(item.name))
}

NAMES: dict[str, Item] = {name: item for item in ITEMS.values() for name in (item.name, *item.also)}
"""Every name that the command takes."""
