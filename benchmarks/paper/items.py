"""All items, in the paper's order."""

from __future__ import annotations

import re

from benchmarks.paper import proxies, tables
from benchmarks.paper.item import Item

MODULES = (proxies, tables)


def _order(name: str) -> tuple[bool, str, int]:
    """Figures and tables by number, then the rest as it is listed."""
    numbered = re.fullmatch(r"(figure|table)-(\d+)", name)
    return (numbered is None, numbered[1] if numbered else "", int(numbered[2]) if numbered else 0)


ITEMS: dict[str, Item] = {
    item.name: item
    for item in sorted((item for module in MODULES for item in module.ITEMS), key=lambda item: _order(item.name))
}
