"""Holdout runs of small networks trained at once: what each gives alone."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

import dataaudit
from dataaudit import Holdout, Recipe
from dataaudit.data import as_examples
from dataaudit.errors import ModelError, SettingError
from dataaudit.holdout.base import BatchedFitPredict, Outcome
from dataaudit.holdout.execute import Execution
from dataaudit.holdout.plan import Plan, Run
from dataaudit.learners.batched import fit_predict_of
from dataaudit.learners.networks import MLP, SmallCNN
from dataaudit.learners.recipes import CropFlip
from dataaudit.learners.torch import TorchLearner

VECTORS = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, size=(60, 1, 8, 8), dtype=np.uint8)
LABELS = np.arange(60) % 3
SHORT = Recipe(epochs=2, batch_size=16, learning_rate=0.05, precision="float32")


def normalised():
    """A convolution with batch normalisation, whose running means are the run's own."""
    layers = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    return nn.Sequential(*layers)


class Averaging(nn.Module):
    """A network that takes off a running mean, set anew with every batch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, x):
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * x.mean(0)
        return self.layer(x - 3 * self.mean)


class Branching(nn.Module):
    """A network that looks at its values, which no batch of networks can."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        out = self.layer(x)
        return out if out.sum() > 0 else 2 * out


def learner_of(factory, inputs, recipe=SHORT):
    """A checked learner of a factory, bound to inputs."""
    found = TorchLearner(factory, as_examples((inputs, LABELS)), recipe, torch.device("cpu"))
    found.check(0)
    return found


@pytest.mark.parametrize(
    ("factory", "inputs", "recipe"),
    [
        (partial(MLP, 5, 3, (8,)), VECTORS, SHORT),
        (
            partial(SmallCNN, 1, 3),
            IMAGES,
            Recipe(epochs=2, batch_size=16, optimizer="adamw", learning_rate=0.01, precision="float32"),
        ),
        (normalised, IMAGES, Recipe(epochs=2, batch_size=16, augment=CropFlip(1), precision="float32")),
        (Averaging, VECTORS, SHORT),
    ],
    ids=["mlp", "cnn", "batch normalisation, crops", "a mean of its own"],
)
def test_runs_at_once_are_those_alone(factory, inputs, recipe):
    learner, plan = learner_of(factory, inputs, recipe), Plan(LABELS, 0)
    runs = [Run(0.7, number) for number in range(3)]
    held = [plan.held_out(run) for run in runs]
    seeds = [plan.training_seed(run) for run in runs]
    batched, note = fit_predict_of(learner, 3)
    assert batched.at_once == 3
    assert note == ""
    together = batched.together([np.flatnonzero(~h) for h in held], [np.flatnonzero(h) for h in held], seeds)
    for rows, seed, found in zip(held, seeds, together, strict=True):
        alone = learner.fit_predict()(np.flatnonzero(~rows), np.flatnonzero(rows), seed)
        assert found.probability == pytest.approx(alone.probability, abs=2e-5)
        assert (found.correct == alone.correct).all()


def test_an_audit_of_runs_at_once(scored):
    alone, together = (scored(ratio=0.7, runs=5, at_once=number) for number in (1, 2))
    assert together.settings["holdout"]["at_once"] == 2
    assert together.settings["holdout"]["runs"] == {"0.7": 5}
    assert (together.uncertainty().holdouts == alone.uncertainty().holdouts).all()
    np.testing.assert_allclose(
        together.columns["holdout_probability"], alone.columns["holdout_probability"], atol=1e-3, equal_nan=True
    )


@pytest.fixture
def scored():
    """Holdout scores of an MLP on vectors."""

    def score(**options):
        names = ["c_score", "holdout_probability"]
        data = (VECTORS, LABELS)
        holdout = Holdout(**options)
        return dataaudit.score(partial(MLP, 5, 3, (8,)), data, names, recipe=SHORT, holdout=holdout, progress=False)

    return score


def test_folds_of_two_sizes_and_a_store(scored, tmp_path):
    options = {"folds": 7, "store": tmp_path / "runs"}
    assert (scored(at_once=7, **options).uncertainty().holdouts == 1).all()
    assert scored(**options).settings["holdout"]["read_from_store"] == 7


def test_dropout_differs_between_runs():
    dropping = partial(nn.Sequential, nn.Linear(5, 3), nn.Dropout(0.5))
    batched, _ = fit_predict_of(learner_of(dropping, VECTORS), 2)
    rows = np.arange(40), np.arange(40, 60)
    one, other = batched.together([rows[0]] * 2, [rows[1]] * 2, [3, 3])
    assert not np.array_equal(one.probability, other.probability)


def test_one_by_one_on_the_cpu_unless_asked():
    found, note = fit_predict_of(learner_of(partial(MLP, 5, 3, (8,)), VECTORS), "auto")
    assert not isinstance(found, BatchedFitPredict)
    assert note == ""


def test_a_model_that_looks_at_its_values():
    with pytest.raises(ModelError, match="at_once=1"):
        fit_predict_of(learner_of(Branching, VECTORS), 4)


class Fixed(nn.Module):
    """A network with weights that no one knows of but itself, and dropout."""

    def __init__(self):
        super().__init__()
        self.first, self.layer = torch.randn(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return nn.functional.dropout(self.layer(x @ self.first), 0.5, self.training)


class Padded(nn.Module):
    """An embedding by a function, whose word for padding is trained where networks are trained at once."""

    def __init__(self):
        super().__init__()
        self.words, self.layer = nn.Parameter(torch.randn(3, 4)), nn.Linear(12, 3)

    def forward(self, x):
        return self.layer(nn.functional.embedding(x.long(), self.words, padding_idx=0).flatten(1))


TOKENS = np.random.default_rng(0).integers(0, 3, (60, 3))


@pytest.mark.parametrize(("factory", "inputs"), [(Fixed, VECTORS), (Padded, TOKENS)])
def test_a_model_that_comes_out_otherwise_than_alone(factory, inputs):
    with pytest.raises(ModelError, match=r"otherwise.*at_once=1"):
        fit_predict_of(learner_of(factory, inputs), 2)


def test_an_embedding_with_padding():
    words = partial(nn.Sequential, nn.Embedding(3, 4, padding_idx=0), nn.Flatten(), nn.Linear(12, 3))
    with pytest.raises(ModelError, match=r"padding_idx=0.*at_once=1"):
        fit_predict_of(learner_of(words, TOKENS), 2)


def test_a_model_of_another_kind():
    with pytest.raises(ModelError, match="a torch module"):
        dataaudit.score(GaussianNB(), (VECTORS, LABELS), "c_score", holdout=Holdout(runs=2, at_once=2), progress=False)


class Sinking:
    """Fails whenever it trains one of the `bad` seeds beside others."""

    def __init__(self, bad, at_once):
        self.bad, self.at_once = bad, at_once

    def __call__(self, train, held_out, seed):
        return Outcome(np.ones(len(held_out), bool), np.full(len(held_out), 0.5, np.float32))

    def together(self, train, held_out, seeds):
        assert not self.bad & {*seeds}
        return [self(*each) for each in zip(train, held_out, seeds, strict=True)]


@pytest.mark.parametrize(("runs", "at_once", "bad", "again"), [(6, 4, [2], 4), (24, 2, range(24), 24)])
def test_runs_that_fail_together_are_made_again_one_by_one(runs, at_once, bad, again):
    plan = Plan(LABELS, 0)
    sinking = Sinking({plan.training_seed(Run(0.7, number)) for number in bad}, at_once)
    execution = Execution(sinking, plan, Holdout(runs=runs), [0.7], False, {})
    execution.carry_out()
    described = execution.describe()
    assert described["runs"] == {"0.7": runs}
    assert described["failed"] == []
    assert sum(len(failure["runs"]) for failure in described["failed_at_once"]) == again
    assert any(f"{again} holdout runs failed when" in note for note in execution.notes())


@pytest.mark.parametrize("number", [0, 2.5, "many", True])
def test_at_once_is_a_number(number):
    with pytest.raises(SettingError, match="at_once"):
        Holdout(at_once=number)
