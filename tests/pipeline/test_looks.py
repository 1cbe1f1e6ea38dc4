"""Data set and model are looked at once before anything is trained, whatever is requested."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit.data import as_examples
from dataaudit.data.examples import Examples
from dataaudit.learners import torch as torch_learners
from dataaudit.learners.torch import TorchLearner
from dataaudit.pipeline.plan import make_plan
from dataaudit.pipeline.request import Request

N = 600
LABELS = np.arange(N) % 3
INPUTS = (np.random.default_rng(0).normal(size=(N, 6)) + 3 * np.eye(6)[LABELS]).astype(np.float32)
QUICK = dataaudit.Recipe(epochs=1)


class Counting(Examples):
    """Rows that count how often they were read."""

    source = "rows that count"

    def __init__(self, inputs):
        super().__init__(LABELS, ("a", "b", "c"))
        self.inputs, self.counts = inputs, np.zeros(N, int)

    def read_rows(self, indices):
        np.add.at(self.counts, indices, 1)
        return self.inputs[indices]

    def show(self, index):
        return self.inputs[index]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))


def trained():
    rows = as_examples((INPUTS, LABELS))
    learner = TorchLearner(network, rows, dataaudit.Recipe(epochs=6), torch.device("cpu"))
    return learner.fit(np.arange(N), 0, None, False).module


@pytest.fixture
def looks(monkeypatch):
    """How often each learner, by the way its weights start, was made, checked, and asked what it knows already."""
    counts = Counter()

    def counted(name):
        original = getattr(TorchLearner, name)

        def call(self, *given, **named):
            result = original(self, *given, **named)
            counts[name, self.recipe.init] += 1
            return result

        monkeypatch.setattr(TorchLearner, name, call)

    for name in ("__init__", "check", "already_fits", "untrained"):
        counted(name)
    return counts


@pytest.mark.parametrize("bad", [(), (3, 77, 599)])
@pytest.mark.parametrize("model", [network, None])
def test_inputs_are_passed_over_once(model, bad):
    inputs = INPUTS.copy()
    inputs[list(bad), 1] = np.nan
    examples = Counting(inputs)
    recipe = None if model is None else QUICK
    plan = make_plan(Request(model, examples, "auto", recipe=recipe, on_bad_rows="drop" if bad else "raise"))
    assert len(plan.run.labels) == N - len(bad)
    assert examples.counts.min() == 1
    assert examples.counts.sum() < N + 20


def test_rows_that_are_left_out_leave_the_fingerprint_of_the_others():
    texts = np.array([f"word {row} of {row % 7}" for row in range(3 * 8192)], object)
    labels = np.arange(len(texts)) % 2
    kept = np.delete(np.arange(len(texts)), bad := [0, 9000, 9001])
    clean = make_plan(Request(None, (texts[kept], labels[kept]), "parzen/input")).subject.inspection
    texts[bad] = ""
    plan = make_plan(Request(None, (texts, labels), "parzen/input", on_bad_rows="drop"))
    assert plan.subject.inspection == clean


@pytest.mark.parametrize("knows", [False, True])
def test_a_model_is_looked_at_once(looks, knows):
    """Held-out predictions and subset runs share the learner that starts afresh."""
    module = trained() if knows else network()
    looks.clear()
    scorers, holdout = ["heldout_confidence", "c_score"], dataaudit.Holdout(runs=4)
    make_plan(Request(module, (INPUTS, LABELS), scorers, recipe=QUICK, holdout=holdout))
    assert looks == {
        ("__init__", "auto"): 1,
        ("check", "auto"): 1,
        ("already_fits", "auto"): 1,
        ("check", "reset"): 1,
        **({("already_fits", "reset"): 1} if knows else {}),
    }


def test_layers_are_looked_for_once(looks):
    pictures = np.random.default_rng(0).random((60, 1, 8, 8), np.float32)
    model = dataaudit.networks.build("small_cnn", (1, 8, 8), 3)
    scorers = ["consensus", "density/hidden", "knn_c_score/hidden"]
    make_plan(Request(model, (pictures, LABELS[:60]), scorers, recipe=QUICK))
    assert looks["untrained", "auto"] == 1


class Made(nn.Linear):
    def __init__(self):
        super().__init__(6, 3)


ONE = network()
RESET = dataaudit.Recipe(epochs=1, init="reset")


@pytest.mark.parametrize(("model", "recipe"), [(network, QUICK), (lambda: ONE, QUICK), (Made, QUICK), (Made(), RESET)])
def test_what_starts_afresh_is_never_asked_whether_it_was_trained(monkeypatch, model, recipe):
    monkeypatch.setattr(torch_learners, "shows_training", lambda *given: pytest.fail("asked"))
    make_plan(Request(model, (INPUTS, LABELS), ["el2n", "heldout_confidence"], recipe=recipe))
