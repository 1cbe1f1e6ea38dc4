"""Refusals of exports to labelling tools, and of answers from them: whatever they advise works when it is followed."""

import json
import shutil
from functools import cache
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image
from torch import nn

import dataaudit
from dataaudit.exports import ExportFormat
from dataaudit.exports.answers import LARGEST

N = 24
LABELS = np.arange(N) % 2
TEXTS = [f"{word} {row % 5}" for row, word in enumerate(["red", "green"] * (N // 2))]
COLOURS = [Image.new("RGB", (8, 8), (200 * (row % 2), 10 * (row % 5), 0)) for row in range(N)]
ENCODER = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())


class Anywhere(ExportFormat):
    """A format whose file has a name that its maker chooses."""

    name, summary = "anywhere", "a file of texts"
    shows = ("text",)

    def __init__(self, file):
        self.file = file

    def files(self, export):
        yield self.file, ["text"]


@cache
def texts(count=N):
    return dataaudit.score(None, (TEXTS[:count], LABELS[:count]), progress=False)


@cache
def pictures(first="0.png"):
    """An audit of images that are named by files."""
    columns = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"), file=datasets.Value("string"))
    names = [first, *(f"{row}.png" for row in range(1, N))]
    whole = datasets.Dataset.from_dict({"image": COLOURS, "label": LABELS, "file": names}, features=columns)
    return dataaudit.score(None, whole, embed=ENCODER, key="file", progress=False)


def export(audit, tool, folder="out", **options):
    """Rows 0 and 1 in the files of a tool."""
    if folder == "out":
        shutil.rmtree("out", ignore_errors=True)
    audit().export(tool, folder, rows=[0, 1], **options)


def there():
    Path("there").mkdir(exist_ok=True)
    Path("there/mine").write_text("mine")
    return "there"


def written(folder=there, **options):
    export(texts, "label_studio", folder() if callable(folder) else folder, **options)


def answers(tool, change=None, content=None, audit=None, size=0):
    """Decisions in what a tool gives back; `change` is made in the tasks that it was given."""
    name = "tasks.json" if tool == "label_studio" else "tasks.jsonl"
    export(texts, "prodigy" if tool == "prodigy" else "label_studio")
    (given,) = Path("out").glob("*.json*" if tool != "label_studio" else "tasks.json")
    text = given.read_text()
    tasks = [json.loads(line) for line in text.splitlines()] if tool == "prodigy" else json.loads(text)
    if change is not None:
        change(tasks[0])
    text = "\n".join(map(json.dumps, tasks)) if tool == "prodigy" else json.dumps(tasks)
    with Path(name).open("wb") as file:
        file.write((text if content is None else content).encode())
        file.truncate(max(size, file.tell()))
    (audit or texts)().answers(tool, name)


def annotated(*choices):
    """A change to a task of Label Studio: it is annotated."""

    def change(task):
        result = [
            {"type": "choices", "from_name": "label", "value": {"choices": [choice]}} if choice else {}
            for choice in choices
        ]
        task["annotations"] = [{"result": result}]

    return change


def updated(**entries):
    return lambda task: task.update(entries)


STUDIO, PRODIGY = {"tool": "label_studio"}, {"tool": "prodigy"}
AGAIN = {"again": {"change": None, "content": None}}
CASES = {
    "answers of a tool that gives none": (answers, {"tool": "fiftyone"}),
    "answers of many": (answers, {**STUDIO, "size": LARGEST + 1}, {"fewer tasks": {"size": 0}}),
    "answers about other data": (
        answers,
        {**STUDIO, "audit": lambda: texts(20)},
        {"about this data set": {"audit": texts}, "they are about": {"audit": texts}},
    ),
    "answers that are no JSON": (answers, {**STUDIO, "content": "{"}, AGAIN),
    "answers that are no tasks": (answers, {**STUDIO, "content": "[3]"}, {"the format JSON": {"content": None}}),
    "tasks of other origin": (
        answers,
        {**STUDIO, "change": updated(data={"text": "other"})},
        {"leave others out": {"change": None}},
    ),
    "an annotation that is none": (answers, {**STUDIO, "change": annotated("")}, AGAIN),
    "two choices": (answers, {**STUDIO, "change": annotated("0", "1")}, {"choose one": {"change": annotated("1")}}),
    "an answer of another word": (answers, {**PRODIGY, "change": updated(answer="yes")}, AGAIN),
    "two labels": (
        answers,
        {**PRODIGY, "change": updated(answer="accept", accept=["0", "1"])},
        {"answer that task": {"change": updated(answer="accept", accept=["0"])}},
    ),
    "a time that is none": (answers, {**PRODIGY, "change": updated(answer="ignore", _timestamp="noon")}, AGAIN),
    "a folder that is not empty": (written, {}, {"another folder": {"folder": "other"}}),
    "images of one name": (export, {"audit": lambda: pictures("1.jpg"), "tool": "fiftyone"}),
    "an image elsewhere": (export, {"audit": lambda: pictures("../0.png"), "tool": "label_studio", "images": "/data"}),
    "a file elsewhere": (
        export,
        {"audit": texts, "tool": Anywhere("../t.txt")},
        {"files()": {"tool": Anywhere("t.txt")}},
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("exports") == set()
