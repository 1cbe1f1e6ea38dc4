"""Label Studio: tasks with predictions, the labelling configuration, and its export in JSON.

Formats: https://labelstud.io/guide/predictions, https://labelstud.io/guide/task_format, https://labelstud.io/tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from dataaudit.common.shown import visible
from dataaudit.errors import DataError
from dataaudit.exports.base import (
    SPECIAL,
    Answer,
    Export,
    ExportFormat,
    ExportRow,
    carried_of,
    listed_json,
    parsed,
    verdict,
)

LABEL, DECISION, EXAMPLE = "label", "decision", "example"
"""Names of the two questions, and of what is looked at, in the configuration."""
TAGS = {"image": "Image", "text": "Text", "values": "Table"}
LONGEST = 200
"""Characters of a class name that are shown."""


class LabelStudio(ExportFormat):
    """Label Studio: tasks with predictions, and the labelling configuration; its answers are read."""

    name = "label_studio"
    summary = "Label Studio: tasks.json with predictions, config.xml; reads its export in JSON"
    reads = True

    def files(self, export: Export) -> Iterator[tuple[str, Iterable[str]]]:
        """Tasks to import, and the configuration that they are for."""
        yield "config.xml", [configuration(export)]
        choices = [name for name, _ in choices_of(export.class_names)]
        numbers = {name: number for number, name in enumerate(export.class_names)}
        yield "tasks.json", listed_json(_task(export, row, choices, numbers) for row in export.rows)

    def answers(self, content: bytes, class_names: tuple[str, ...]) -> Iterator[Answer]:
        """Annotations of all tasks, one an annotator; a skipped task is one that somebody is unsure about."""
        tasks = parsed(content, "answers of Label Studio")
        if not isinstance(tasks, list) or not all(isinstance(task, Mapping) and "data" in task for task in tasks):
            raise DataError(
                "answers that are no list of tasks with their data",
                "what Label Studio exports as JSON",
                "choose the format JSON there, not JSON-MIN or CSV",
            )
        known = {choice: name for (choice, _), name in zip(choices_of(class_names), class_names, strict=True)}
        for task in tasks:
            what = f"task {task.get('id')} of Label Studio"
            carried = carried_of(task["data"], what)
            annotations = task.get("annotations") or []
            for annotation in annotations:
                yield _answer(carried, annotation, known, what)
            if not annotations:
                yield Answer(carried)


def choices_of(class_names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Value of the choice of each class in annotations, and what is shown for it.

    Both are the name itself, but for names that XML cannot hold, that Label Studio would trim, take for a variable or
    not get onto a screen: these have a value made of their number.

    >>> choices_of(("cat", "a" + chr(0)))
    [('cat', 'cat'), ('class 1', 'a\\\\x00')]
    """
    taken, choices = set(class_names), []
    for number, name in enumerate(class_names):
        plain = name.isprintable() and name == name.strip() and "$" not in name and 0 < len(name) <= LONGEST
        value = name if plain else f"class {number}"
        while not plain and value in taken:
            value += "_"
        # "$" begins a variable there.
        shown = visible(name[:LONGEST]).strip().replace("$", "\uff04") or f"class {number}"
        taken.add(value)
        choices.append((value, name if plain else shown))
    return choices


def configuration(export: Export) -> str:
    """Labelling configuration: what to look at, a label to choose, and whether the example is to stay."""
    view = ElementTree.Element("View")
    kinds = export.kinds or ("values",)
    for kind in kinds:
        name = EXAMPLE if kind == kinds[0] else kind
        ElementTree.SubElement(view, TAGS[kind], name=name, value=f"${kind}")
    for entry in ("given", "reason"):
        ElementTree.SubElement(view, "Header", value=f"{entry.capitalize()}: ${entry}", size="5")
    asked: dict[str, str] = {"toName": EXAMPLE, "choice": "single", "showInline": "true"}
    labels = ElementTree.SubElement(view, "Choices", {"name": LABEL, **asked})
    for value, shown in choices_of(export.class_names):
        alias: dict[str, str] = {} if value == shown else {"alias": value}
        ElementTree.SubElement(labels, "Choice", {"value": shown, **alias})
    special = ElementTree.SubElement(view, "Choices", {"name": DECISION, **asked})
    for word in SPECIAL:
        ElementTree.SubElement(special, "Choice", value=word)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _task(export: Export, row: ExportRow, choices: list[str], numbers: Mapping[str, int]) -> dict[str, Any]:
    kinds = export.kinds or ("values",)
    content = {"image": export.address(row), "text": row.text or "", "values": dict(row.values)}
    task: dict[str, Any] = {"data": {**export.carried(row), **{kind: content[kind] for kind in kinds}}}
    if row.suggested:
        choice = choices[numbers[row.suggested]]
        place = {"from_name": LABEL, "to_name": EXAMPLE, "type": "choices"}
        result = [{"id": f"row-{row.row}", **place, "value": {"choices": [choice]}}]
        score = {} if row.probability is None else {"score": row.probability}
        task["predictions"] = [{"model_version": "dataaudit", **score, "result": result}]
    return task


def _answer(carried: dict[str, Any], annotation: Any, known: Mapping[str, str], what: str) -> Answer:
    chosen: dict[str, list[str]] = {LABEL: [], DECISION: []}
    try:
        for region in annotation.get("result") or []:
            if region["type"] == "choices" and region["from_name"] in chosen:
                chosen[region["from_name"]] += [str(choice) for choice in region["value"]["choices"]]
        seconds, who = annotation.get("lead_time"), annotation.get("completed_by")
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(
            f"an annotation of {what} that cannot be read ({type(error).__name__}: {error})",
            "what Label Studio exports as JSON",
            "export it again",
        ) from error
    if any(len(values) > 1 for values in chosen.values()):
        raise DataError(f"several choices in an annotation of {what}", "one", "choose one there, and export it again")
    decision, label = "unsure", ""
    if chosen[DECISION]:
        decision = chosen[DECISION][0]
    elif chosen[LABEL]:
        choice = chosen[LABEL][0]
        decision, label = verdict(carried, known.get(choice, choice))
    reviewer = (who.get("email") or who.get("id")) if isinstance(who, Mapping) else who
    return Answer(
        carried,
        decision,
        label,
        "" if reviewer is None else str(reviewer),
        str(annotation.get("updated_at") or annotation.get("created_at") or ""),
        seconds,
    )
