"""Refusals of recorders: whatever they advise works when it is followed."""

import pytest
import torch
import torch.distributed as dist

from dataaudit import Recorder, gather_recorder
from dataaudit.dynamics.outcomes import PredictionTable
from dataaudit.dynamics.sealing import unsealed
from dataaudit.tasks.classification import CLASSIFICATION

N = 6
ROWS, LABELS = torch.arange(N), torch.arange(N) % 2
LOGITS = torch.nn.functional.one_hot(LABELS, 2).float()
DIVERGED = LOGITS * torch.nan


def recorded(indices=ROWS, logits=LOGITS, labels=LABELS, n=N, classes=2, epochs=1, **more):
    """A recorder that was given the same batch in every epoch."""
    recorder = Recorder(n, classes, **more)
    for _ in range(epochs):
        recorder.update(indices, logits, labels)
        recorder.end_epoch()
    return recorder


def closed(batches):
    """A recorder at the end of epochs: lists of batches, each of rows and their labels."""
    recorder = Recorder(N, 2)
    for epoch in batches:
        for rows, labels in epoch:
            recorder.update(torch.tensor(rows), torch.eye(2)[labels], torch.tensor(labels))
        recorder.end_epoch()


class Another(type(CLASSIFICATION)):
    name = "another"


def merged(other, still_open=False, task="classification", mine=None):
    """A recorder of the first rows, and of what `other` makes."""
    mine = recorded(ROWS[:3], LOGITS[:3], LABELS[:3], task=task) if mine is None else mine
    theirs = other()
    if still_open:
        theirs.update(ROWS, LOGITS, LABELS)
    mine.merge(theirs)


def half(**more):
    return recorded(ROWS[3:], LOGITS[3:], LABELS[3:], **more)


def grouped(group="world", begun=True, recorder=None, rows=True, still_open=False, gathers=True, dst=None):
    """What a process of a group does at the end of an epoch, and at that of training."""
    if begun:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        group = dist.group.WORLD if begun and group == "world" else group
        own = Recorder(N, 2) if recorder is None else recorder
        if rows and recorder is None:
            own.update(ROWS, LOGITS, LABELS)
        if not still_open and recorder is None:
            own.end_epoch(group=None if not gathers else group)
        if gathers:
            gather_recorder(own, group=None if group == "world" else group, dst=dst)
    finally:
        if begun:
            dist.destroy_process_group()


def loaded(state, n=N, task="classification"):
    Recorder(n, 2, task=task).load_state_dict(state)


def outcomes(logits):
    PredictionTable(LABELS.numpy(), 2).add(ROWS.numpy(), logits)


STATE = recorded().state_dict()
WHOLE = {"digest": STATE["digest"]}

CASES = {
    "no rows": (Recorder, {"n": 0, "classes": 2}, {"n=len(dataset)": {"n": N}}),
    "one class": (Recorder, {"n": N, "classes": 1}),
    "no budget": (Recorder, {"n": N, "classes": 2, "history_bytes": -1}),
    "no task": (
        Recorder,
        {"n": N, "classes": 2, "task": "regresion"},
        {"choose from": {"task": "classification"}},
    ),
    "shapes that differ": (recorded, {"labels": LABELS[:3]}, {"for every example": {"labels": LABELS}}),
    "indices of fractions": (recorded, {"indices": ROWS.float()}, {"integer": {"indices": ROWS}}),
    "an index beyond the rows": (
        recorded,
        {"indices": ROWS + 1},
        {"count from 0": {"indices": ROWS}, "n=": {"n": N + 1}},
    ),
    "a label beyond the classes": (
        recorded,
        {"labels": LABELS + 1},
        {
            "count from 0": {"labels": LABELS},
            "classes=": {"classes": 3, "logits": torch.nn.functional.one_hot(LABELS + 1, 3).float()},
        },
    ),
    "training that diverged": (
        recorded,
        {"logits": DIVERGED},
        {"learning rate": {"logits": LOGITS}, "inputs": {"logits": LOGITS}},
    ),
    "two labels in an epoch": (
        closed,
        {"batches": [[([0, 1], [0, 1]), ([0, 1], [1, 0])]]},
        {"positions in the whole data set": {"batches": [[([0, 1], [0, 1]), ([2, 3], [1, 0])]]}},
    ),
    "another label than before": (
        closed,
        {"batches": [[([0, 1], [0, 1])], [([0, 1], [1, 0])]]},
        {"positions in the whole data set": {"batches": [[([0, 1], [0, 1])], [([2, 3], [1, 0])]]}},
    ),
    "no batch": (closed, {"batches": [[]]}, {"record every batch": {"batches": [[([0, 1], [0, 1])]]}}),
    "an open epoch of another record": (
        merged,
        {"other": half, "still_open": True},
        {"end_epoch()": {"still_open": False}},
    ),
    "another record of more epochs": (
        merged,
        {"other": lambda: half(epochs=2)},
        {"same epochs": {"other": half}},
    ),
    "another record of fewer sums": (
        merged,
        {"mine": Recorder(N, 9), "other": lambda: Recorder(N, 9, dense_elements=0)},
        {"same arguments": {"other": lambda: Recorder(N, 9)}},
    ),
    "a record of another task": (
        merged,
        {"other": lambda: half(task=Another())},
        {"with that task=": {"task": Another()}},
    ),
    "rows that both saw": (
        merged,
        {"other": recorded},
        {"group=": "a group of processes does it, in the tests of several", "drop_last=True": {"other": half}},
    ),
    "no group": (
        grouped,
        {"begun": False},
        {"init_process_group()": {"begun": True}, "leave this call out": {"gathers": False}},
    ),
    "something else for a group": (grouped, {"group": 3}, {"group.WORLD": {"group": "world"}}),
    "a process outside the group": (
        grouped,
        {"group": dist.GroupMember.NON_GROUP_MEMBER},
        {"of the group only": {"group": "world"}},
    ),
    "no batch in any process": (grouped, {"rows": False}, {"record every batch": {"rows": True}}),
    "no recorder to gather": (grouped, {"recorder": 3}, {"gather_recorder(recorder)": {"recorder": recorded()}}),
    "no rank to gather at": (grouped, {"dst": 5}),
    "an open epoch to gather": (grouped, {"still_open": True}, {"end_epoch()": {"still_open": False}}),
    "a state without a digest": (loaded, {"state": {}}, {"load that, whole": {"state": STATE}}),
    "a state that was changed": (
        loaded,
        {"state": STATE | {"written": 3}},
        {"another one": {"state": STATE}},
    ),
    "a state of objects": (
        unsealed,
        {"state": WHOLE | {"n": object()}},
        {"what state_dict() gave": {"state": STATE}},
    ),
    "a state of other rows": (loaded, {"state": STATE, "n": N + 1}, {"for the data set": {"n": N}}),
    "outcomes of NaN": (outcomes, {"logits": DIVERGED}, {"learning_rate": {"logits": LOGITS}}),
}

ELSEWHERE = {"dynamics/history.py: load": "only a state that is larger than memory shows it"}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("dynamics") == set(ELSEWHERE)
