"""Report page as HTML: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dataaudit.common import folders
from dataaudit.errors import StorageError
from dataaudit.report.figures import picture, sparkline
from dataaudit.report.page import Card, Page


def write_report(page: Page, path: str | Path) -> Path:
    """Write `page` as one file that needs nothing else, whole or not at all; its folder must exist."""
    path = Path(path)
    if not path.name:
        raise StorageError(f"{str(path)!r} as the file to write", "the name of a file", "name one, like report.html")
    # Class names and values are a stranger's: everything is escaped.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    content = environment.get_template("template.html.j2").render(**_content(page, environment)).encode()
    try:
        folders.put(path, content)
    except StorageError as error:
        raise StorageError(
            f"{path}, which cannot be written ({error.__cause__})",
            "a file in a folder that exists and can be written, on a disk with room",
            "name another file",
        ) from error
    return path


def _content(page: Page, environment: Environment) -> dict[str, Any]:
    cards = [_card(card) for card in page.cards]
    return {
        "page": page,
        "cards": cards,
        "has_values": any(card["values"] for card in cards),
        "sections": [
            (section, Markup(environment.from_string(section.template).render(section=section)))
            for section in page.sections
        ],
        "settings": [(name, _plain(value)) for name, value in page.settings.items()],
    }


def _card(card: Card) -> dict[str, Any]:
    image = picture(card.shown)
    return {
        "row": card.row,
        "name": card.name,
        "given": card.given,
        "suggested": card.suggested,
        "score": f"{card.score:.3g}",
        "image": image,
        "values": [] if image or card.shown is None else values(card.shown),
        "line": Markup("" if card.confidence is None else sparkline(card.confidence)),
    }


def values(shown: Any, most: int = 8) -> list[tuple[str, str]]:
    """Pairs (name, value) that stand for an example without a picture; names are blank for texts.

    >>> values({"a": 1.25, "b": "x"})
    [('a', '1.25'), ('b', 'x')]
    """
    if isinstance(shown, Mapping):
        pairs = [(str(name), _short(value)) for name, value in list(shown.items())[:most]]
        more = len(shown) - most
    elif isinstance(shown, np.ndarray):
        flat = shown.reshape(-1)
        pairs = [("", ", ".join(_short(value) for value in flat[:most].tolist()))]
        more = len(flat) - most
    else:
        return [("", _short(shown, 280))]
    return [*pairs, ("", f"and {more} more")] if more > 0 else pairs


def _short(value: Any, length: int = 60) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
