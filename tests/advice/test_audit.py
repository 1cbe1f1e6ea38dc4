"""Refusals of an audit: whatever they advise in Python's words works when it is followed."""

import shutil
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import dataaudit
from dataaudit import Audit
from dataaudit.review.decisions import Decisions
from dataaudit.scores.base import Scores

matplotlib.use("agg")
N = 24
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32) + 3 * LABELS[:, None]
DATA = ROWS, LABELS
OTHER = ROWS + 1, LABELS
TABLE = pd.DataFrame(ROWS, columns=list("abc")).assign(label=LABELS)
NAMED = TABLE.set_axis([f"r{row}" for row in range(N)])
RENAMED = TABLE.set_axis([f"s{row}" for row in range(N)])
IMAGES = ROWS.reshape(N, 1, 1, 3), LABELS
ONE = dataaudit.Recipe(epochs=1)
ENCODER = nn.Sequential(nn.Flatten(), nn.Linear(3, 4))


class Numbers:
    """A score of the numbers of rows, or of nothing."""

    summary, needs = "numbers of rows", ()

    def __init__(self, name, value=1.0):
        self.name, self.value = name, value

    def score(self, evidence):
        return Scores(self.value * np.arange(N))


def score(model=None, dataset=DATA, **options):
    return dataaudit.score(model, dataset, progress=False, **options)


@cache
def audited(scorers="auto"):
    return score(scorers=scorers)


@cache
def table():
    return score(None, NAMED, label="label", inputs=["a", "b"])


@cache
def recorded():
    recorder = dataaudit.Recorder(N, 2)
    for _ in range(3):
        recorder.update(np.arange(N), torch.eye(2)[LABELS], torch.from_numpy(LABELS))
        recorder.end_epoch()
    return score(recorder)


class Knowing(nn.Linear):
    """Knows every label from rows that are no other than the labels, until it is reset."""

    def __init__(self):
        super().__init__(2, 2)
        with torch.no_grad():
            self.weight.copy_(9 * torch.eye(2))
            self.bias.copy_(torch.tensor([1.0, -1.0]))


def told(model, recipe=ONE):
    labels = np.arange(40) % 2
    return score(model, (np.eye(2, dtype=np.float32)[labels], labels), recipe=recipe).error_probability()


@cache
def weak():
    """An audit by a model that is too weak to count errors by."""
    known = replace(audited().label_errors, rate=np.nan, lower=0.0, upper=1.0, unknown="the model is too weak")
    return replace(audited(), label_errors=known)


@cache
def unsure():
    """An audit in which no label is surely wrong."""
    probability = np.linspace(0.1, 0.5, N)
    known = replace(audited().label_errors, probability=probability, rate=0.3, lower=0.2, upper=0.4, unknown="")
    return replace(audited(), label_errors=known)


@cache
def density():
    return audited("density/input")


def estimated():
    return score(LogisticRegression(), scorers="c_score", holdout=dataaudit.Holdout(runs=2))


def both():
    return score(LogisticRegression(), scorers=["density/input", "c_score"], holdout=dataaudit.Holdout(runs=2))


def alike():
    return score(scorers=[Numbers("a/b"), Numbers("a_b")])


def nothing():
    return score(scorers=Numbers("nothing", np.nan))


def loaded():
    return Audit.load(audited().save("loaded"))


def saved(asked=False, **options):
    """Save a loaded audit, which may have been asked where rows lie."""
    audit = loaded()
    if asked:
        audit.outliers(dataset=DATA)
    audit.save("saved", **options)


def outliers_of_pictures(vectors):
    """Outliers of a loaded audit of vectors of images, which its call has kept."""
    if not Path("pictured").exists():
        score(None, IMAGES, embed=ENCODER, cache="folder").save("pictured")
    Audit.load("pictured").outliers(dataset=(vectors(), LABELS))


def decided(audit, rows=(0, 1, 2)):
    queue = audit.review(4).table
    return queue.assign(decision="keep")[queue["place"].isin([1 + row for row in rows])]


def reviewed():
    return audited().reviewed(decided(audited()))


def asked(name, audit=audited, scorers=None, **options):
    """What a method of an audit gives: of `audit`, or of one by other scorers."""
    return getattr(audit() if scorers is None else audited(scorers), name)(**options)


def ask(name):
    return partial(asked, name)


def draw(figure="classes", audit=audited, scorers=None, otherwise=None):
    """Draw a figure of `audit`, or of one by other scorers, or look at it `otherwise`."""
    if otherwise is not None:
        asked(otherwise, audit, dataset=DATA, **({"path": "page.html"} if otherwise == "report" else {}))
    else:
        getattr((audit() if scorers is None else audited(scorers)).plot, figure)()


def report(**options):
    asked("report", path="page.html", **options)


def export(tool="label_studio", folder="out", **options):
    shutil.rmtree(folder, ignore_errors=True)
    asked("export", tool=tool, folder=folder, rows=options.pop("rows", [0, 1]), **options)


def load(folder):
    audited().save("results/audit")
    Audit.load(folder)


def strange(**options):
    """Decisions about other data."""
    return Decisions.of(decided(score(None, OTHER)), "0" * 32, ("0", "1"), **options)


TRAINED = {"torch module": {"audit": recorded}, "Recorder": {"audit": recorded}}
WITHOUT = {"dataset=": {"dataset": DATA}}
SAME = {"rows that were audited": {"dataset": DATA}}
SUSPECTS = {"suspects()": {"rows": audited().suspects(3)}}

CASES = {
    "images of a loaded audit of vectors": (
        outliers_of_pictures,
        {"vectors": lambda: IMAGES[0]},
        {
            "dataaudit.embed": {"vectors": lambda: dataaudit.embed(IMAGES[0], ENCODER, progress=False)},
            "folder/embedding/vectors.npy": {"vectors": lambda: np.load("folder/embedding/vectors.npy")},
        },
    ),
    "neighbours that nobody found": (saved, {"neighbours": True}, {"outliers(": {"asked": True}}),
    "neighbours or not": (saved, {"neighbours": "yes"}),
    "no data set": (ask("to_frame"), {"audit": loaded}, WITHOUT),
    "options of no data set": (ask("to_frame"), {"audit": table, "label": "label"}, {"too": {"dataset": NAMED}}),
    "fewer rows": (ask("to_frame"), {"dataset": (ROWS[1:], LABELS[1:])}, SAME),
    "other labels": (ask("to_frame"), {"dataset": (ROWS, 1 - LABELS)}, SAME),
    "other classes": (ask("to_frame"), {"dataset": (ROWS, LABELS + 1)}, SAME),
    "other values": (ask("to_frame"), {"dataset": OTHER}, SAME),
    "other names": (ask("clean"), {"audit": table, "dataset": RENAMED}, {"rows that were": {"dataset": NAMED}}),
    "other columns": (ask("clean"), {"audit": table, "dataset": NAMED, "inputs": ["a", "c"]}),
    "scores that would be one column": (
        ask("to_frame"),
        {"audit": alike},
        {"rename": {"scorers": Numbers("a/c")}, "without": {"scorers": Numbers("a_b")}},
    ),
    "an unknown policy": (ask("clean"), {"policy": "relable"}, {"did you mean 'relabel'": {"policy": "relabel"}}),
    "errors to clean that nothing tells": (
        ask("clean"),
        {"scorers": "density/input"},
        {"suspects()": "what people decide is applied by tests/audit/test_review.py"},
    ),
    "errors to clean that are not counted": (
        ask("clean"),
        {"audit": weak},
        {
            "review()": "what people decide is applied by tests/audit/test_review.py",
            "better model": {"audit": audited},
        },
    ),
    "errors by a model that knows the labels": (
        told,
        {"model": Knowing()},
        {"before": {"model": nn.Linear(2, 2)}, "factory": {"model": lambda: nn.Linear(2, 2)}},
    ),
    "no estimate": (ask("uncertainty"), {"audit": both, "by": "density/input"}),
    "no estimates": (ask("uncertainty"), {"audit": density}, {"scorers='c_score'": {"audit": estimated}}),
    "an unknown score": (ask("ranking"), {"by": "consenus"}, {"did you mean": {"by": "consensus"}}),
    "an unknown score of typical examples": (ask("typical"), {"by": ["input"]}, {"choose from": {"by": "auto"}}),
    "no dynamics": (ask("ambiguous"), {"by": "dynamics"}),
    "no predictions": (ask("noise_rate"), {"scorers": "density/input"}),
    "an unknown number of errors": (ask("mislabeled"), {"how": "all"}, {"choose from": {"how": "auto"}}),
    "two numbers of errors": (ask("mislabeled"), {"audit": unsure, "precision": 0.4, "rate": 0.1}),
    "three numbers of errors": (ask("mislabeled"), {"audit": unsure, "precision": 0.4, "rate": 0.1, "count": 3}),
    "errors that are not counted": (ask("mislabeled"), {"audit": weak}, {"better model": {"audit": audited}}),
    "a share of errors that are not counted": (
        ask("mislabeled"),
        {"audit": weak, "recall": 0.5},
        {"better model": {"audit": audited}},
    ),
    "a precision that nothing reaches": (ask("mislabeled"), {"audit": unsure, "precision": 0.95}),
    "images= that is no text": (export, {"images": 3}),
    "a tool that shows none of it": (export, {"tool": "fiftyone"}),
    "a figure without values": (draw, {"audit": nothing}),
    "a figure of errors": (draw, {"figure": "confusion", "audit": density}),
    "a figure of two classes": (draw, {"figure": "difficulty"}, {"classes()": {"figure": "classes"}}),
    "a figure of epochs": (draw, {"figure": "data_map"}, TRAINED),
    "curves of epochs": (draw, {"figure": "learning_curves"}, TRAINED),
    "ambiguous examples of epochs": (draw, {"figure": "ambiguous"}, TRAINED),
    "a figure of outliers": (draw, {"figure": "outliers", "audit": loaded}, {"outliers()": {"otherwise": "outliers"}}),
    "a figure of duplicates": (draw, {"figure": "duplicates"}, {"duplicates()": {"otherwise": "duplicates"}}),
    "a figure of examples": (
        draw,
        {"figure": "strips", "audit": loaded},
        {"score again": {"audit": audited}, "report()": {"otherwise": "report"}},
    ),
    "no heading": (report, {"title": " "}),
    "rows of several lists": (report, {"rows": [[1], [2, 3]]}, SUSPECTS),
    "no rows": (report, {"rows": []}, SUSPECTS),
    "flagged rows that nothing tells": (report, {"scorers": "density/input", "rows": "flagged"}),
    "flagged rows that are not counted": (report, {"audit": weak, "rows": "flagged"}),
    "a table without rows": (report, {"rows": TABLE}, {**SUSPECTS, "a list": {"rows": [0, 1]}}),
    "rows by name": (report, {"rows": pd.DataFrame({"row": ["1"]})}, {**SUSPECTS, "a list": {"rows": [0, 1]}}),
    "rows that are not there": (report, {"rows": [0, N]}, {"leave those out": {"rows": [0]}}),
    "rows twice": (report, {"rows": [3, 4, 3]}, {"once": {"rows": [3, 4]}}),
    "what is left of no review": (ask("remaining"), {}, {"reviewed()": {"audit": reviewed}}),
    "a review of a reviewed audit": (
        ask("reviewed"),
        lambda: {"audit": reviewed, "decisions": decided(audited(), [3])},
        {"the audit before": {"audit": audited, "decisions": decided(audited(), [0, 1, 2, 3])}},
    ),
    "decisions of another type": (
        ask("apply"),
        {"decisions": {"row": 1}},
        {"review()": {"decisions": decided(audited())}},
    ),
    "decisions about other data": (
        ask("apply"),
        {"decisions": strange()},
        {
            "about this data set": {"decisions": decided(audited())},
            "the audit that they are about": {"decisions": decided(audited())},
        },
    ),
    "a queue that lacks a place": (
        ask("review"),
        {"budget": 2, "after": decided(audited(), [0, 2])},
        {"all rows": {"after": decided(audited())}},
    ),
    "a folder above an audit": (load, {"folder": "results"}),
    "a folder without an audit": (load, {"folder": "nowhere"}, {"saved in": {"folder": "results/audit"}}),
    "a schedule of no epochs": (ask("schedule"), {"strategy": "easy_to_hard", "total_epochs": None}),
    "no number of outliers": (ask("outliers"), {"k": 0}),
    "no number of ambiguous examples": (ask("ambiguous"), {"k": 0}),
    "no number of typical examples": (ask("typical"), {"k": 0}),
    "no number of suspects": (ask("suspects"), {"k": 0}),
    "no number of neighbours": (ask("score_new"), {"dataset": ROWS[:2], "k": 0}),
    "no threshold of duplicates": (ask("duplicates"), {"threshold": 2}),
    "no number of flags": (ask("mislabeled"), {"count": 0}),
    "no share of flags": (ask("mislabeled"), {"recall": 2}),
    "no budget": (ask("review"), {"budget": 0}),
    "no seed of a review": (ask("review"), {"seed": -1}),
    "no purpose": (ask("review"), {"purpose": "look"}, {"choose from": {"purpose": "find"}}),
    "no share that may stay wrong": (ask("remaining"), {"audit": reviewed, "until": 0}),
    "no looks": (ask("remaining"), {"audit": reviewed, "looks": 0}),
    "no number of rows to show": (report, {"rows": 0}),
    "unknown rows to show": (report, {"rows": "flaged"}, {"did you mean 'flagged'": {"rows": "flagged"}}),
    "copy_images= that is no flag": (export, {"copy_images": 1}),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("audit") == set()
