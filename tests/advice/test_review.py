"""Refusals of people's decisions: whatever they advise works when it is followed."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import dataaudit
from dataaudit import Decisions
from dataaudit.review.decisions import LARGEST, header_of

N = 24
NAMES = ("ant", "bee")
CODES = np.arange(N) % 2
VALUES = np.random.default_rng(0).normal(size=(N, 2)) + 3 * CODES[:, None]
TABLE = pd.DataFrame(VALUES, columns=["x", "z"]).assign(label=np.array(NAMES)[CODES])
TABLE.index = pd.Index([f"r{row}" for row in range(N)], name="name")
HEADER = header_of("f", NAMES)
KEPT = {"row": 3, "given": "bee", "decision": "keep"}


@cache
def audited():
    return dataaudit.score(None, TABLE, label="label", progress=False)


@cache
def recorded(known=False):
    """An audit of a record that never saw row 3, with the data set, or without."""
    recorder, seen = dataaudit.Recorder(N, 2), np.delete(np.arange(N), 3)
    labels = torch.from_numpy(CODES[seen])
    recorder.update(seen, torch.eye(2)[labels], labels)
    recorder.end_epoch()
    return dataaudit.score(recorder, (VALUES, CODES) if known else None, progress=False)


def review(known=None, **columns):
    """Keep row 3 of an audit, or of what a recorder knows, or another one."""
    audit = audited() if known is None else recorded(known)
    audit.reviewed(pd.DataFrame({"row": [3], "decision": ["keep"]} | columns))


def queued(left_out=False, **last):
    """Keep five rows of a queue, without the second, or with other values in some columns of the last."""
    table = audited().review(5, "estimate").table.assign(decision="keep")
    for name, value in last.items():
        table[name] = table[name].astype(object)
        table.at[4, name] = value
    audited().reviewed(table.drop(1) if left_out else table)


def read(first, second, size=0):
    """Read a file of two lines, or of so many bytes."""
    path = Path("decisions.jsonl")
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in (first, second)), "utf-8")
    if size:
        with path.open("ab") as file:
            file.truncate(size)
    Decisions.read(path)


def sheet(content):
    """Read a CSV file."""
    path = Path("decisions.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    Decisions.read(path)


def of(reviewer="", fingerprint="f", **columns):
    return Decisions.of(pd.DataFrame({"row": [3], **columns, "reviewer": reviewer}), fingerprint, NAMES)


def merged(other, single=False, resolved=False):
    """Decisions of ann, who keeps row 3, and others about the same rows."""
    both = of("ann", decision=["keep"], place=[1], chance=[0.5]).merge(other)
    both = both.resolve() if resolved else both
    return both.single() if single else both


def agreed(first, second):
    first.merge(second).agreement()


def table(**columns):
    Decisions.of(pd.DataFrame(columns), class_names=NAMES)


def wrong(followed, **columns):
    """A case of a table of one row, of which `followed` says what becomes of each advice."""
    return table, {"row": [3], **columns}, followed


FILE = {"pass a decision file": {"first": HEADER, "second": KEPT, "size": 0}}
SHEET = {"content": "row,decision\n3,keep\n"}
SAVED = {"save it as CSV": SHEET}
CASES = {
    "a CSV file without decisions": (
        sheet,
        {"content": "row,label\n3,bee\n"},
        {"pass a decision file": SHEET, "add a column row": SHEET},
    ),
    "a CSV file of cells that are not closed": (sheet, {"content": 'row,decision\n3,"keep\n'}, SAVED),
    "a CSV file of lines that differ": (sheet, {"content": "row,decision\n3\n"}, SAVED),
    "a CSV file in another encoding": (sheet, {"content": b"row,decision\n3,\xe9\n"}, SAVED),
    "rows that there are not": (review, {"row": [900]}, {"leave out": {"row": [4]}, "pass those": {"row": [3]}}),
    "rows without a label": (
        review,
        {"known": False},
        {"leave out": {"row": [4]}, "with the data set": {"known": True}},
    ),
    "parts of a row": (
        review,
        {"unit": ["word 3"]},
        {"leave the unit blank": {"unit": [""]}, "leave out": {"row": [4], "unit": ...}},
    ),
    "labels of other data": (
        review,
        {"given": ["ant"]},
        {"leave out": {"row": [4]}, "pass those": {"given": ["bee"]}},
    ),
    "names of other data": (
        review,
        {"key": ["/etc/passwd"]},
        {"leave out": {"row": [4], "key": ...}, "pass those": {"key": ["r3"]}},
    ),
    "a column that was sorted alone": (
        review,
        {"row": [1, 2], "decision": ["keep", "keep"], "name": ["r2", "r1"]},
        {"sort the table whole": {"row": [2, 1]}, "pass those": {"name": ["r1", "r2"]}},
    ),
    "a chance that the row did not have": (
        queued,
        {"chance": 0.5},
        {"as review() wrote": {"chance": ...}, "leave both blank": {"chance": None, "place": None}},
    ),
    "rows of the queue that are left out": (
        queued,
        {"left_out": True},
        {"pass all rows": {"left_out": False, "decision": ""}},
    ),
    "a file that is too large": (read, {"first": HEADER, "second": KEPT, "size": LARGEST + 1}, FILE),
    "a file of something else": (read, {"first": {"rows": 3}, "second": KEPT}, FILE),
    "a file that is no JSON": (read, {"first": HEADER, "second": "row 3"}, FILE),
    "a file of lists": (read, {"first": HEADER, "second": "[3]"}, FILE),
    "other entries": (
        read,
        {"first": HEADER, "second": {**KEPT, "mood": "good"}},
        {"leave the names": {"second": KEPT}},
    ),
    "decisions about other data": (
        merged,
        {"other": of("bob", "g")},
        {"about one data set": {"other": of("bob")}},
    ),
    "one reviewer who says two things": (
        merged,
        {"other": of("ann", decision=["remove"])},
        {"leave one": {"other": of("ann")}, "name the reviewers": {"other": of("bob", decision=["remove"])}},
    ),
    "reviewers without a name": (
        agreed,
        {"first": of(decision=["keep"]), "second": of(decision=["remove"])},
        {
            "leave one": {"second": of(decision=["keep"])},
            "name the reviewers": {"second": of("bob", decision=["remove"])},
        },
    ),
    "another queue": (
        merged,
        {"other": of("bob", row=[5], place=[1], chance=[0.25])},
        {"leave place and chance blank": {"other": of("bob", row=[5])}},
    ),
    "reviewers who differ": (
        merged,
        {"other": of("bob", decision=["remove"]), "single": True},
        {"settle": {"other": of("bob", decision=["keep"])}, "resolve()": {"resolved": True}},
    ),
    "no column of rows": (
        table,
        {"index": [3], "decision": ["keep"]},
        {"pass the table": {"index": ..., "row": [3]}},
    ),
    "a row without a number": wrong({"write its number": {"row": [3]}}, row=["3"]),
    "a key of several parts": wrong({"leave it as": {"key": ["r3"]}}, key=[{"name": "r3"}]),
    "a list for a text": wrong(
        {"write one": {"reviewer": ["ann"]}, "leave it blank": {"reviewer": [""]}}, reviewer=[["ann"]]
    ),
    "seconds below 0": wrong({"leave it as": {"seconds": [1.5]}, "leave it blank": {"seconds": [None]}}, seconds=[-1]),
    "no place in a queue": wrong({"leave it as": {"place": [1]}}, place=[0], chance=[0.5]),
    "no decision": wrong({"did you mean 'keep'": {"decision": ["keep"]}}, decision=["kept"]),
    "no class": wrong({"did you mean 'bee'": {"label": ["bee"]}}, decision=["relabel"], label=["bea"]),
    "no label to give": wrong(
        {"write a label": {"label": ["bee"]}, "leave the decision blank": {"decision": [""]}}, decision=["relabel"]
    ),
    "the label that is there": wrong(
        {
            "write another label": {"label": ["bee"]},
            "decide to keep": {"decision": ["keep"]},
            "leave the decision blank": {"decision": [""]},
        },
        decision=["relabel"],
        given=["ant"],
        label=["ant"],
    ),
    "another label that is kept": wrong(
        {"decide to relabel": {"decision": ["relabel"]}, "leave the label blank": {"label": [""]}},
        decision=["keep"],
        given=["ant"],
        label=["bee"],
    ),
    "a chance without a place": wrong(
        {"leave it as": {"place": [1]}, "leave both blank": {"chance": [None]}}, chance=[0.5]
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("review") == set()
