"""Refusals of `score` about its arguments, its model and what they go with, and of an audit that was interrupted."""

from itertools import count

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

import dataaudit
from dataaudit.data.arrays import ArrayExamples
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.pipeline import plan
from dataaudit.pipeline.evidence_sources.base import Source
from dataaudit.pipeline.interrupted import Interrupted
from dataaudit.representations.spaces import Space
from dataaudit.scores.base import Scores
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION

N = 40
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32) + 3 * LABELS[:, None]
DATA = ROWS, LABELS
LABELLED = np.eye(2, dtype=np.float32)[LABELS]
TABLE = pd.DataFrame(ROWS, columns=list("abc")).assign(kind=LABELS)
IMAGES = np.zeros((N, 1, 4, 4), np.float32)
ONE, KEEP = dataaudit.Recipe(epochs=1), dataaudit.Recipe(epochs=1, init="keep")
TWICE = dataaudit.Holdout(runs=2)


def recorded(epochs=1, n=N, labels=LABELS, evaluated=False, **task):
    recorder = dataaudit.Recorder(n, 2, **task)
    seen = np.arange(n), torch.eye(2)[torch.as_tensor(labels[:n])], torch.as_tensor(labels[:n])
    for _ in range(epochs):
        recorder.update(*seen)
        recorder.end_epoch()
    if evaluated:
        recorder.evaluate(*seen)
    return recorder


RECORDER = recorded()
MODEL = GaussianNB()
TRAINED = nn.Linear(3, 2)


class Knowing(nn.Linear):
    """Knows every label of `LABELLED` until it is reset."""

    def __init__(self):
        super().__init__(2, 2)
        with torch.no_grad():
            self.weight.copy_(9 * torch.eye(2))
            self.bias.copy_(torch.tensor([1.0, -1.0]))


class Scorer:
    """A caller's own."""

    summary, needs = "a constant", frozenset()

    def __init__(self, name="mine", n=N, needs=()):
        self.name, self.n, self.needs = name, n, frozenset(needs)

    def score(self, evidence):
        return Scores(np.zeros(self.n))


def delegated(name):
    return lambda _, *given, **options: getattr(CLASSIFICATION, name)(*given, **options)


OTHER = type(
    "Other",
    (Task,),
    {name: delegated(name) for name in Task.__abstractmethods__}
    | {"name": "other", "feeds": lambda _, part: part != "heldout"},
)()
"""Another task, of which `score` trains nothing."""


class OtherExamples(ArrayExamples):
    """Arrays with labels of it."""

    task = OTHER


def score(model=None, dataset=DATA, progress=False, **more):
    return dataaudit.score(model, dataset, progress=progress, **more)


def beside_a_source(provided, scorers):
    """With a source of a plug-in, which provides evidence or none."""

    class Brought(Source):
        provides = frozenset(provided)

        def collect(self):
            pass

        def parts(self):
            return {}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plan, "SOURCES", (*plan.SOURCES, lambda call: [Brought()]))
        return score(scorers=scorers)


def interrupted(after, training=False, scorers="auto"):
    """Audit of a call that Ctrl-C ended after so many passes that train, or that evaluate."""
    passes = count()

    class Pressing(nn.Linear):
        def forward(self, x):
            if self.training is training and len(x) == N and next(passes) == after:
                raise KeyboardInterrupt
            return super().forward(x)

    with pytest.raises(Interrupted) as caught:
        score(lambda: Pressing(3, 2), scorers=scorers, recipe=dataaudit.Recipe(epochs=2, evaluations=2, batch_size=N))
    return caught.value.audit()


INPUTS, LAYER = NeighbourLabelsNeed(Space("input")), NeighbourLabelsNeed(Space("hidden"))
HOLDOUT = {"model": MODEL, "scorers": ["c_score"], "holdout": TWICE}
FRESH = {"before": {"model": nn.Linear(2, 2)}, "factory": {"model": lambda: nn.Linear(2, 2)}}
CASES = {
    "a scorer of another shape": (score, {"scorers": Scorer(n=3)}, {"ScorerContract": {"scorers": Scorer()}}),
    "nothing that was requested was complete": (
        interrupted,
        {"after": 0, "scorers": ["augmented_el2n"]},
        {"let more of it finish": {"after": 1}},
    ),
    "nothing was complete": (
        interrupted,
        {"after": 0, "training": True, "scorers": ["el2n"]},
        {"let one finish": {"after": 1}},
    ),
    "predictions that no scorer reads": (score, {"predictions": LABELLED, "scorers": ["parzen/input"]}),
    "a score that a task does not feed": (
        score,
        {"model": recorded(task=OTHER), "dataset": None, "scorers": ["heldout_confidence"]},
    ),
    "a data set of another task": (
        score,
        {"model": MODEL, "dataset": OtherExamples(ROWS, LABELS)},
        {"Recorder(task='other')": {"model": recorded(task=OTHER), "dataset": None}},
    ),
    "dynamics of a trained model": (
        score,
        {"model": Knowing(), "dataset": (LABELLED, LABELS), "scorers": ["el2n"], "recipe": ONE},
        FRESH,
    ),
    "a consensus beside a trained model": (
        score,
        {"model": Knowing(), "dataset": (LABELLED, LABELS), "scorers": ["consensus"], "recipe": ONE},
        FRESH | {"predictions=": {"predictions": np.full((N, 2), 0.5)}},
    ),
    "a consensus of nothing": (
        score,
        {"model": recorded(0, evaluated=True), "dataset": (IMAGES, LABELS), "scorers": ["consensus"]},
        {"end_epoch": {"model": RECORDER}, "texts or vectors": {"dataset": DATA}},
    ),
    "holdout of a trained model": (
        score,
        {"model": Knowing(), "dataset": (LABELLED, LABELS), "scorers": ["c_score"], "recipe": KEEP, "holdout": TWICE},
        FRESH,
    ),
    "a need that nothing meets": (
        beside_a_source,
        {"provided": (), "scorers": Scorer(needs=["lengths"])},
        {"table.py": {"provided": ["lengths"]}},
    ),
    "labels around each example in two spaces": (
        score,
        {"model": TRAINED, "recipe": ONE, "scorers": [Scorer("a", needs=[INPUTS]), Scorer("b", needs=[LAYER])]},
        {"pass scorers=": {"scorers": Scorer("a", needs=[INPUTS])}},
    ),
    "holdout": (score, {"scorers": ["parzen/input"], "holdout": 200}, {"Holdout(runs=200)": HOLDOUT}),
    "cache": (score, {"cache": ""}),
    "seed": (score, {"seed": -1}),
    "progress": (score, {"progress": "no"}),
    "repeats": (score, {"repeats": 0}),
    "on_bad_rows": (score, {"on_bad_rows": "skip"}),
    "no known scores": (
        score,
        {"known_scores": {}},
        {"known_scores=": {"known_scores": {"c_score": np.arange(N) / N}}},
    ),
    "rows left out beside predictions": (
        score,
        {"predictions": LABELLED, "on_bad_rows": "drop"},
        {"leave on_bad_rows='raise'": {"on_bad_rows": "raise"}},
    ),
    "trained= beside a model": (
        score,
        {"model": MODEL, "trained": TRAINED},
        {"pass model=": {"model": RECORDER, "trained": TRAINED}},
    ),
    "no data set": (score, {"dataset": None}, {"pass dataset=": {"dataset": DATA}}),
    "a recipe beside a Recorder": (score, {"model": RECORDER, "recipe": "plain"}),
    "embed= beside no data set": (
        score,
        {"model": RECORDER, "dataset": None, "label": "kind", "device": "cpu"},
        {"pass dataset=": {"dataset": TABLE, "device": "auto"}},
    ),
    "a factory as trained=": (
        score,
        {"model": RECORDER, "trained": lambda: TRAINED},
        {"pass trained=": {"trained": TRAINED}},
    ),
    "an empty Recorder": (score, {"model": recorded(0)}, {"end_epoch": {"model": RECORDER}}),
    "an empty Recorder, alone": (
        score,
        {"model": recorded(0), "dataset": None},
        {"end_epoch": {"model": RECORDER}},
    ),
    "a Recorder of other rows": (
        score,
        {"model": recorded(n=20)},
        {"pass dataset=": {"dataset": (ROWS[:20], LABELS[:20])}},
    ),
    "a Recorder of other labels": (
        score,
        {"model": recorded(labels=1 - LABELS)},
        {"positions": {"model": RECORDER}},
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert {place for place in left("pipeline") if "evidence_sources" not in place} == set()
