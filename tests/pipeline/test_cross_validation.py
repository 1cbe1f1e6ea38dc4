"""Predictions of models that did not see the example: draws of folds, and how many."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

import dataaudit
from dataaudit.data import as_examples
from dataaudit.learners.adapt import as_learner
from dataaudit.pipeline.evidence_sources.cross_validation import MOST, draws_of, fold_seed, heldout_predictions

INPUTS, LABELS = load_iris(return_X_y=True)


def learner_of(model, inputs=INPUTS, labels=LABELS):
    return as_learner(model, as_examples((inputs, labels)), None, "cpu", None)


def test_several_draws_give_the_mean_of_their_probabilities():
    learner = learner_of(LogisticRegression(max_iter=500))
    each = [heldout_predictions(learner, LABELS, 3, fold_seed(5, number), False) for number in range(4)]
    together = heldout_predictions(learner, LABELS, 3, 5, False, draws=4)
    mean = np.mean([one.probabilities.dense(slice(None)) for one in each], 0)
    np.testing.assert_allclose(together.probabilities.dense(slice(None)), mean, atol=1e-6)
    np.testing.assert_allclose(together.confidence, mean[np.arange(150), LABELS], atol=1e-6)
    np.testing.assert_array_equal(together.predicted, mean.argmax(1))


def test_the_first_draw_is_that_of_the_audit_and_draws_differ():
    assert fold_seed(7, 0) == 7
    assert len({fold_seed(7, number) for number in range(MOST)}) == MOST


@pytest.mark.parametrize(
    ("model", "n", "d", "draws"),
    [
        (LogisticRegression(), 150, 4, MOST),
        (LogisticRegression(), 10000, 64, 3),
        (HistGradientBoostingClassifier(max_iter=60), 700, 36, MOST),
        (HistGradientBoostingClassifier(max_iter=60), 10000, 36, 1),
        (RandomForestClassifier(100), 2000, 36, MOST),
        (SVC(), 150, 4, 1),
        (SVC(), 2000, 36, 1),
    ],
)
def test_draws_follow_rows_columns_classes_and_kind(model, n, d, draws):
    labels = np.arange(n) % 3
    assert draws_of(learner_of(model, np.zeros((n, d), np.float32), labels), n) == draws


def test_folds_of_a_torch_module_are_drawn_once():
    model = dataaudit.networks.build("mlp", (4,), 3)
    assert draws_of(learner_of(model, INPUTS.astype(np.float32)), len(LABELS)) == 1


def test_settings_say_how_sources_came_about_and_what_each_counts():
    audit = dataaudit.score(LogisticRegression(max_iter=500), (INPUTS, LABELS), progress=False)
    consensus = audit.settings["consensus"]
    assert consensus["heldout"]["method"] == "3 folds, drawn 10 times"
    assert audit.settings["fits"]["folds"] == 30
    assert set(consensus) == {"heldout", "neighbours", "ridge"}
    np.testing.assert_allclose(sum(one["weight"] for one in consensus.values()), 0.8, atol=1e-3)
    boosted = dataaudit.score(HistGradientBoostingClassifier(max_iter=3), (INPUTS, LABELS), progress=False)
    assert boosted.settings["consensus"]["dynamics"] == {"weight": 0.6, "method": "boosting stages"}
    alone = dataaudit.score(None, (INPUTS, LABELS), progress=False)
    assert alone.settings["consensus"]["heldout"]["method"] == "ridge regression, each left out"


def test_asked_for_folds_are_drawn_once():
    asked = dataaudit.Holdout(folds=5)
    scorers = ["consensus", "heldout_confidence"]
    audit = dataaudit.score(LogisticRegression(max_iter=500), (INPUTS, LABELS), scorers, holdout=asked, progress=False)
    assert audit.settings["consensus"]["heldout"]["method"] == "5 folds, drawn 1 time"


@pytest.mark.parametrize("model", [None, HistGradientBoostingClassifier(max_iter=3)])
def test_units_of_columns_move_no_rank(model):
    factors = 10.0 ** np.array([-3.0, 3.0, 0.0, 1.5])
    ranks = [
        dataaudit.score(model, (rows, LABELS), "consensus", progress=False).columns["consensus"].argsort().argsort()
        for rows in (INPUTS, INPUTS * factors)
    ]
    assert np.corrcoef(*ranks)[0, 1] >= 0.99
