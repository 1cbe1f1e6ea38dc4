"""Defaults of learners, and binding to other rows."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import nn

from dataaudit.data import as_examples
from dataaudit.errors import SettingError
from dataaudit.learners.adapt import as_learner
from dataaudit.learners.linear_probe import LinearProbe
from dataaudit.learners.nearest import NearestNeighbours
from dataaudit.learners.recipes import Recipe

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
INPUTS = (RNG.normal(size=(60, 4)) + 3 * LABELS[:, None]).astype(np.float32)


def small():
    return nn.Linear(4, 3)


def learner_of(model, rows=slice(None), recipe=None):
    learner = as_learner(model, as_examples((INPUTS[rows], LABELS[rows])), recipe, "cpu")
    learner.check(0)
    return learner


@pytest.mark.parametrize("model", [small, LogisticRegression(), LinearProbe(), NearestNeighbours(3)])
def test_bound_to_other_rows_it_trains_as_if_made_for_them(model):
    recipe = Recipe(epochs=2) if model is small else None
    rows = np.arange(0, 60, 2)
    half = learner_of(model, recipe=recipe).on(as_examples((INPUTS[rows], LABELS[rows])))
    made = learner_of(model, rows, recipe)
    half.check(0)
    everything = np.arange(30)
    found, expected = (learner.fit(everything, 0, None, False).logits(everything) for learner in (half, made))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert half.identity == made.identity


def test_neighbours_must_be_there_in_the_other_rows_too():
    with pytest.raises(SettingError, match="at most 30"):
        learner_of(NearestNeighbours(31)).on(as_examples((INPUTS[::2], LABELS[::2])))


@pytest.mark.parametrize("model", [LinearProbe(), LinearProbe("logistic"), NearestNeighbours(3)])
def test_a_model_of_features_answers_for_other_rows(model):
    fitted = learner_of(model, np.arange(40)).fit(np.arange(40), 0, None, False)
    both = learner_of(model).fit(np.arange(40), 0, None, False).logits(np.arange(40, 60))
    new = fitted.on(as_examples((INPUTS[40:], LABELS[40:]))).logits(np.arange(20))
    np.testing.assert_allclose(new, both, atol=1e-4)
