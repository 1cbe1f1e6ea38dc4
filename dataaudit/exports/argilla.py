"""Argilla: records, and the settings of the data set that they are for.

Format: https://docs.argilla.io, version 2, ``Settings.from_json`` and ``dataset.records.from_json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataaudit.common.json_text import spelled
from dataaudit.exports.base import SPECIAL, Export, ExportFormat, ExportRow, key_as_text, listed_json

REASON = "reason"
TEXT = {"type": "text", "use_markdown": False}
FIELDS = {"image": {"type": "image"}, "text": TEXT, "values": TEXT, REASON: TEXT}
METADATA = {"row": "integer", "rank": "integer", "probability": "float", "given": "terms", "suggested": "terms"}
"""Properties by which records are filtered and sorted there; further ones are kept beside them."""


class Argilla(ExportFormat):
    """Argilla 2: records with suggestions, and the settings of their data set."""

    name = "argilla"
    summary = "Argilla 2: records.json with suggestions, settings.json"

    def files(self, export: Export) -> Iterator[tuple[str, Iterable[str]]]:
        """Settings, and the records that go into a data set which has them."""
        yield "settings.json", [spelled(_settings(export)) + "\n"]
        yield "records.json", listed_json(_record(export, row) for row in export.rows)


def _settings(export: Export) -> dict[str, Any]:
    kinds = export.kinds or ("values",)
    titles = {**{kind: kind for kind in kinds}, REASON: "given label, and why it may be wrong"}
    return {
        "guidelines": "Choose the label of the example, or say that it should be removed or that you are unsure.",
        "fields": [
            {"name": name, "title": title, "required": (name,) == kinds, "settings": FIELDS[name]}
            for name, title in titles.items()
        ],
        "questions": [
            _question("label", "Label", export.class_names),
            _question("decision", "Instead of a label", SPECIAL),
        ],
        "metadata": [
            {"name": name, "title": name, "visible_for_annotators": True, "settings": {"type": kind}}
            for name, kind in METADATA.items()
        ],
        "vectors": [],
        "allow_extra_metadata": True,
    }


def _question(name: str, title: str, choices: Iterable[str]) -> dict[str, Any]:
    options = [{"value": choice, "text": choice} for choice in choices]
    return {
        "name": name,
        "title": title,
        "required": False,
        "settings": {"type": "label_selection", "options": options, "visible_options": None},
    }


def _record(export: Export, row: ExportRow) -> dict[str, Any]:
    content = {"image": export.address(row), "text": row.text, "values": spelled(dict(row.values))}
    carried = export.carried(row)
    carried["key"] = key_as_text(carried["key"])
    suggestion = {"value": row.suggested, "score": row.probability, "agent": "dataaudit"}
    return {
        "id": str(row.row),
        "fields": {
            **{kind: content[kind] for kind in row.kinds or ("values",)},
            REASON: f"given: {row.given}\n{row.reason}",
        },
        # There, what is not known is left out.
        "metadata": {name: value for name, value in carried.items() if value is not None},
        "suggestions": {"label": suggestion} if row.suggested else {},
    }
