"""Names for what the theme and the galleries leave without one: screen readers would say "button" or "link" alone."""

from __future__ import annotations

import re
from pathlib import Path

NAMES = (
    # Its name is what can be read on the button, where there is room for words.
    (
        re.compile(r'(<button type="button" class="btn search-button-field[^>]*?) aria-label="Search"'),
        r'\1 aria-label="Search Ctrl+K"',
    ),
    (re.compile(r'<summary>(?=<span class="toctree-toggle")'), '<summary aria-label="pages below">'),
    # The words of a card's link are invisible, for the card has them as its title.
    (
        re.compile(
            r'(<p><a class="reference internal" href="[^"]*")(><span class="(?:doc|std std-ref)">)([^<]*)'
            r'(?=</span></a></p>\s*<div class="sphx)'
        ),
        r'\1 aria-label="\3"\2\3',
    ),
    (re.compile(r'<th class="head"><p></p></th>'), "<td></td>"),
)


def named(page: str) -> str:
    """HTML of a page, with these names."""
    for pattern, put in NAMES:
        page = pattern.sub(put, page)
    return page


def rename(folder: Path) -> None:
    """Name what has none in all pages of a folder."""
    for path in folder.rglob("*.html"):
        path.write_text(named(path.read_text("utf-8")), "utf-8")
