"""Refusals of `score` about the evidence that scores need: what cannot be had of this model and these data."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import dataaudit
from dataaudit import Density, Holdout, Recipe

N = 24
LABELS = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32) + 3 * LABELS[:, None]
DATA = ROWS, LABELS
IMAGES = ROWS.reshape(N, 1, 1, 3), LABELS
GAPS = np.where(np.arange(N)[:, None] == 3, np.nan, ROWS)
MIXED = pd.DataFrame(ROWS, columns=list("abc")).assign(colour=["red", "green"] * (N // 2), label=LABELS)
HELD_OUT = np.full((N, 2), 0.5)
TREE = DecisionTreeClassifier(max_depth=2)
GAP_MODEL = HistGradientBoostingClassifier(max_iter=1)
MODEL, MODULE, ONE = GaussianNB(), nn.Linear(3, 2), Recipe(epochs=1)


def recorded(epochs=1, evaluated=False):
    recorder = dataaudit.Recorder(N, 2)
    seen = np.arange(N), torch.eye(2)[LABELS], torch.from_numpy(LABELS)
    for _ in range(epochs):
        recorder.update(*seen)
        recorder.end_epoch()
    if evaluated:
        recorder.evaluate(*seen)
    return recorder


RECORDER = recorded()


def score(model=None, dataset=DATA, progress=False, **more):
    return dataaudit.score(model, dataset, progress=progress, **more)


VECTORS = "tests/advice/test_embedding.py makes vectors of images"

CASES = {
    "a score of a model, without one": (
        score,
        {"scorers": ["el2n"]},
        {
            "pass model=": {"model": MODEL},
            "Recorder": {"model": RECORDER},
            "embeddings": {"scorers": "auto"},
            "embed=": VECTORS,
        },
    ),
    "images, without a model": (
        score,
        {"dataset": IMAGES},
        {
            "pass model=": {"model": MODEL},
            "Recorder": {"model": RECORDER},
            "embeddings": {"dataset": DATA},
            "embed=": VECTORS,
        },
    ),
    "folds of a Recorder without its data": (
        score,
        {"model": RECORDER, "dataset": None, "scorers": ["heldout_confidence"]},
        {"pass dataset=": {"dataset": DATA}},
    ),
    "inputs of a Recorder without its data": (
        score,
        {"model": RECORDER, "dataset": None, "scorers": ["parzen/input"]},
        {"pass dataset=": {"dataset": DATA}},
    ),
    "predictions that are no numbers": (
        score,
        {"predictions": [["a", "b"]] * N},
        {"pass predictions=": {"predictions": HELD_OUT}},
    ),
    "predictions of another shape": (
        score,
        {"predictions": HELD_OUT[:, :1]},
        {"pass predictions=": {"predictions": HELD_OUT}},
    ),
    "predictions that are logits": (
        score,
        {"predictions": 3 * HELD_OUT},
        {"pass predictions=": {"predictions": torch.softmax(torch.tensor(3 * HELD_OUT), 1)}},
    ),
    "dynamics of evaluations": (
        score,
        {"model": recorded(0, evaluated=True), "scorers": ["el2n"]},
        {"end_epoch": {"model": RECORDER}},
    ),
    "predictions of a record of epochs": (
        score,
        {"model": RECORDER, "scorers": ["confidence"]},
        {"trained=": {"trained": MODULE}, "evaluate": {"model": recorded(evaluated=True)}},
    ),
    "layers of a record": (
        score,
        {"model": RECORDER, "scorers": ["parzen/hidden"]},
        {"trained=": {"trained": MODULE}},
    ),
    "repeats of what has no epochs": (score, {"model": TREE, "scorers": ["parzen/input"], "repeats": 2}),
    "columns that are no numbers": (
        score,
        {"model": RECORDER, "dataset": MIXED, "scorers": ["heldout_confidence"]},
        {
            "preprocessor": {"model": make_pipeline(dataaudit.preprocessor(MIXED[["a", "colour"]]), TREE)},
        },
    ),
    "gaps without a model": (
        score,
        {"dataset": (GAPS, LABELS)},
        {"fill": {"dataset": DATA}, "HistGradient": {"model": GAP_MODEL}},
    ),
    "gaps beside a Recorder": (
        score,
        {"model": RECORDER, "dataset": (GAPS, LABELS), "scorers": ["heldout_confidence"]},
        {"fill": {"dataset": DATA}},
    ),
    "distances between rows with gaps": (
        score,
        {"dataset": (GAPS, LABELS), "scorers": "parzen/input"},
        {"fill": {"dataset": DATA}},
    ),
    "distances between rows with gaps, beside a model": (
        score,
        {"model": GAP_MODEL, "dataset": (GAPS, LABELS), "scorers": "parzen/input"},
        {"fill": {"dataset": DATA}},
    ),
    "distances between rows with gaps, beside a Recorder": (
        score,
        {"model": RECORDER, "dataset": (GAPS, LABELS), "scorers": "parzen/input"},
        {"fill": {"dataset": DATA}},
    ),
    "layers of a classifier": (
        score,
        {"model": MODEL, "scorers": ["parzen/hidden"]},
        {"pass model=": {"model": MODULE, "recipe": ONE}},
    ),
    "an epoch that is not": (
        score,
        {"model": MODULE, "recipe": ONE, "scorers": Density("hidden", epochs=(2,))},
        {"epochs=None": {"scorers": Density("hidden")}},
    ),
    "folds for subsets of several sizes": (
        score,
        {"model": MODULE, "recipe": ONE, "scorers": ["c_score_integral"], "holdout": Holdout(folds=2)},
        {"pass holdout=": {"holdout": Holdout(runs=1, ratios=[0.5])}},
    ),
    "holdout that no scorer reads": (
        score,
        {"model": MODULE, "recipe": ONE, "scorers": ["el2n"], "holdout": Holdout(runs=1)},
    ),
    "holdout beside predictions": (
        score,
        {"predictions": HELD_OUT, "scorers": ["heldout_confidence"], "holdout": Holdout(folds=2)},
        {"'c_score'": {"model": MODEL, "scorers": ["heldout_confidence", "c_score"]}},
    ),
    "holdout of which folds are read": (
        score,
        {"model": MODEL, "scorers": ["heldout_confidence"], "holdout": Holdout(runs=2)},
        {"'holdout_probability'": {"scorers": ["heldout_confidence", "holdout_probability"]}},
    ),
    "holdout without a model": (
        score,
        {"model": RECORDER, "scorers": ["c_score"]},
        {
            "pass model=": {"model": MODEL, "holdout": Holdout(runs=2)},
            "known_scores=": {"known_scores": {"c_score": LABELS / 2}},
        },
    ),
    "dynamics of what trains at once": (score, {"model": TREE, "scorers": ["el2n"]}),
    "evaluations that are not": (score, {"model": MODULE, "recipe": ONE, "scorers": ["augmented_el2n"]}),
    "evaluations of a classifier": (
        score,
        {"model": MODEL, "scorers": ["augmented_el2n"]},
        {"pass model=": {"model": MODULE, "recipe": Recipe(epochs=1, evaluations=1)}},
    ),
    "evaluations of a record": (
        score,
        {"model": RECORDER, "scorers": ["augmented_el2n"]},
        {"pass model=": {"model": MODULE, "recipe": Recipe(epochs=1, evaluations=1)}},
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("pipeline/evidence_sources") == set()
