"""Report page as HTML: one file that needs nothing else, and is allowed nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dataaudit.common import folders
from dataaudit.common.shown import visible
from dataaudit.errors import StorageError
from dataaudit.report.figures import sparkline
from dataaudit.report.page import Page
from dataaudit.report.review import embedded

HERE = Path(__file__).parent
SCRIPTS = (
    *("elements.js", "decisions.js", "bounds.js", "queue.js", "example.js", "filters.js", "progress.js", "keys.js"),
    "start.js",
)
"""Files of the page's script, in order."""
LISTED = 24
"""Examples that stand in the page as it is printed, and without scripts."""
SHORTENED = 600
"""Characters of a text there."""


def write_report(page: Page, path: str | Path) -> Path:
    """Write `page` as one file that needs nothing else, whole or not at all; its folder must exist."""
    path = Path(path)
    if not path.name:
        raise StorageError(f"{str(path)!r} as the file to write", "the name of a file", "name one, like report.html")
    content = rendered(page).encode()
    try:
        folders.put(path, content)
    except StorageError as error:
        raise StorageError(
            f"{path}, which cannot be written ({error.__cause__})",
            "a file in a folder that exists and can be written, on a disk with room",
            "name a file in such a folder",
        ) from error
    return path


def rendered(page: Page) -> str:
    """HTML of a page."""
    # Class names and values are a stranger's: everything is escaped.
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["visible"] = _visible
    style = (HERE / "static" / "page.css").read_text("utf-8")
    script = "\n".join((HERE / "static" / name).read_text("utf-8") for name in SCRIPTS)
    script = f"(() => {{\n'use strict';\n{script}\n}})();"
    cards, data = _cards(page)
    return environment.get_template("template.html.j2").render(
        page=page,
        policy=f"default-src 'none'; img-src data:; script-src {_hashed(script)}; style-src {_hashed(style)}; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),
        script=Markup(script),
        data=Markup(data),
        shown=len(cards),
        beside=sum(card[-1] is not None for card in cards),
        listed=[_listed(card, page) for card in cards[:LISTED]],
        sections=[
            (section, Markup(environment.from_string(section.template).render(section=section)))
            for section in page.sections
        ],
        settings=[(name, _plain(value)) for name, value in page.settings.items()],
    )


def _cards(page: Page) -> tuple[list[list[Any]], str]:
    """Cards that fit as JSON values, and all that the page's script reads, as JSON."""
    review = page.review
    records, spelled = [], []
    for record, text in review.records():
        records.append(record)
        spelled.append(text)
    about = {
        name: getattr(review, name) for name in ("header", "memory", "ranked_by", "wanted", "levels", "bound", "scores")
    }
    return records, f'{{"about":{embedded(about)},"cards":[{",".join(spelled)}]}}'


def _listed(record: list[Any], page: Page) -> dict[str, Any]:
    """A card for those without scripts."""
    row, given, suggested, score, key, probability, reason, _, _, shown, line, _, _ = record
    names, shown = page.review.header["class_names"], shown or {}
    parts = [] if key is None else key if isinstance(key, list) else [key]
    levels = page.review.levels or [""] * len(parts)
    return {
        "row": row,
        "name": ", ".join(f"{level} {part}".strip() for level, part in zip(levels, parts, strict=False)),
        "given": names[given] if given >= 0 else "",
        "suggested": names[suggested] if suggested >= 0 else "",
        "score": "" if score is None else f"{score:.3g}",
        "probability": "" if probability is None else f"{probability:.0%}",
        "reason": reason,
        "image": shown.get("image"),
        "values": [(name, _short(value)) for name, value in shown.get("values", [])[:8]],
        "text": _short(shown["text"], SHORTENED) if "text" in shown else "",
        "line": "" if line is None else Markup(sparkline(np.array(line, np.float64))),
    }


def _hashed(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _visible(text: Any) -> str:
    return visible(str(text), keep="\n\t")


def _short(value: Any, length: int = 60) -> str:
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)
