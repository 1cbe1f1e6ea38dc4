"""Prodigy: tasks for its interface ``choice`` as JSON lines, and the answers of its ``db-out``.

Format: https://prodi.gy/docs/api-interfaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dataaudit.common.json_text import spelled
from dataaudit.errors import DataError
from dataaudit.exports.base import (
    SPECIAL,
    Answer,
    Export,
    ExportFormat,
    ExportRow,
    as_lines,
    carried_of,
    parsed,
    verdict,
)

OWN = "dataaudit"
"""Entry of a task with all that is said of its row; Prodigy keeps entries that it does not know."""


class Prodigy(ExportFormat):
    """Prodigy: tasks of its interface "choice" in JSON lines; its answers are read."""

    name = "prodigy"
    summary = "Prodigy: tasks.jsonl for the interface choice; reads what db-out writes"
    reads = True

    def files(self, export: Export) -> Iterator[tuple[str, Iterable[str]]]:
        """Tasks, one a line, with the suggestion chosen beforehand where the given label is likelier wrong."""
        options = [{"id": name, "text": name} for name in export.class_names]
        options += [{"id": name, "text": name} for name in specials(export.class_names)]
        yield "tasks.jsonl", (spelled(_task(export, row, options)) + "\n" for row in export.rows)

    def answers(self, content: bytes, class_names: tuple[str, ...]) -> Iterator[Answer]:
        """Answers of all lines; what was rejected or ignored is what somebody is unsure about."""
        words = specials(class_names)
        for number, line in enumerate(content.split(b"\n"), 1):
            if line.strip():
                yield _answer(parsed(line, f"line {number}"), f"line {number}", words)


def specials(class_names: tuple[str, ...]) -> dict[str, str]:
    """Decisions that are no label, by the option that stands for each: one that no class is called like.

    >>> specials(("a", "(remove)"))
    {'(remove)_': 'remove', '(unsure)': 'unsure'}
    """
    options = {}
    for word in SPECIAL:
        option = f"({word})"
        while option in class_names:
            option += "_"
        options[option] = word
    return options


def _task(export: Export, row: ExportRow, options: list[dict[str, str]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if row.image is not None:
        content["image"] = export.address(row)
    else:
        content["text"] = as_lines(row.values) if row.text is None else row.text
    shown = {name: getattr(row, name) for name in ("given", "suggested", "reason", "rank")}
    if row.probability is not None:
        shown["probability"] = f"{row.probability:.2f}"
    return {
        **content,
        "options": options,
        # What is chosen beforehand is easily accepted: labels that are likely right stay to be chosen.
        "accept": [row.suggested] if row.suggested and (row.probability or 0) > 0.5 else [],
        "config": {"choice_style": "single"},
        "meta": shown,
        OWN: {**export.carried(row), "values": dict(row.values)},
    }


def _answer(task: Any, what: str, words: Mapping[str, str]) -> Answer:
    carried = carried_of(task.get(OWN) if isinstance(task, Mapping) else None, f"{what} of Prodigy's answers")
    answer, accepted = task.get("answer"), task.get("accept") or []
    if answer is None:
        return Answer(carried)
    if answer not in ("accept", "reject", "ignore") or not isinstance(accepted, list):
        raise DataError(
            f"the answer {answer!r} in {what} of Prodigy's answers", "accept, reject or ignore", "export it again"
        )
    if len(accepted) > 1:
        raise DataError(
            f"several labels in {what} of Prodigy's answers", "one", "answer that task again, and export it again"
        )
    decision, label = "unsure", ""
    if answer == "accept" and accepted:
        option = str(accepted[0])
        decision, label = (words[option], "") if option in words else verdict(carried, option)
    reviewer = str(task.get("_annotator_id") or task.get("_session_id") or "")
    return Answer(carried, decision, label, reviewer, _time(task.get("_timestamp"), what))


def _time(stamp: Any, what: str) -> str:
    """Moment of an answer, given in seconds; empty without one."""
    if stamp is None:
        return ""
    try:
        return datetime.fromtimestamp(stamp, UTC).isoformat()
    except (OSError, OverflowError, TypeError, ValueError) as error:
        raise DataError(
            f"the time {stamp!r} in {what} of Prodigy's answers", "seconds since 1970", "export it again"
        ) from error
