"""Text of others as a terminal can show it, and a spreadsheet open it."""

from __future__ import annotations

import unicodedata

UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that move the cursor, turn the line round, break it or cannot be encoded."""
JOINERS = "\u200c\u200d"
"""Characters of format that words and pictograms are spelled with."""


def visible(text: str, keep: str = "") -> str:
    """A text in which characters that a terminal would act on are escaped; `keep` are characters that stay.

    >>> visible("a\\x1b[2Jb" + chr(0x202E))
    'a\\\\x1b[2Jb\\\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(one if _is_shown(one) or one in keep else one.encode("unicode_escape").decode() for one in text)


def _is_shown(one: str) -> bool:
    return one in JOINERS or unicodedata.category(one) not in UNSHOWN


FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of cells that spreadsheets run."""


def inert(cell: str) -> str:
    """A cell of a CSV file with ' before it if a spreadsheet would take it for a formula.

    >>> inert("=HYPERLINK(1)"), inert("-12"), inert("a=b")
    ("'=HYPERLINK(1)", '-12', 'a=b')
    """
    return f"'{cell}" if cell.startswith(FORMULAS) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell == cell.strip()
