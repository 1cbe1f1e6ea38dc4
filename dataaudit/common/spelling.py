"""Texts as any file, page or terminal takes them."""

from __future__ import annotations

from typing import Any


def escaped(text: str) -> str:
    r"""The text with lone surrogates, which UTF-8 has no bytes for, as they are written in Python.

    >>> escaped("a\ud800") == "a" + chr(92) + "ud800"
    True
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def has_surrogates(text: str) -> bool:
    """Tell whether a text holds lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def class_name(label: Any) -> str:
    r"""Name of the class that a label is of: bytes are UTF-8, and what that has no place for is escaped.

    >>> [class_name(label) for label in ("ant", b"ant", 3, True)]
    ['ant', 'ant', '3', 'True']
    """
    return label.decode("utf-8", "backslashreplace") if isinstance(label, bytes) else escaped(str(label))
