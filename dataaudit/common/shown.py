"""Text of others as it can be shown and written."""

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
