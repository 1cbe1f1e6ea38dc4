import pickle
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import dataaudit
from dataaudit.data import as_examples
from dataaudit.errors import DataError, ModelError, SettingError
from dataaudit.learners.adapt import as_learner
from dataaudit.learners.nearest import NearestNeighbours, NearestNeighboursLearner
from dataaudit.learners.recipes import Recipe
from dataaudit.testing import LearnerContract


@pytest.fixture(params=[1, 4])
def k(request):
    return request.param


class TestContract(LearnerContract):
    @pytest.fixture(autouse=True)
    def _given(self, k, blobs):
        self.k, self.blobs = k, blobs

    def learner(self):
        return NearestNeighboursLearner(NearestNeighbours(self.k), self.blobs)

    def labels(self):
        return self.blobs.labels


def bound(features, labels, k, **sizes):
    learner = NearestNeighboursLearner(NearestNeighbours(k), as_examples((features, labels)))
    return replace(learner.fit_predict(), **sizes)


def check(features, labels, k, train, held, **sizes):
    """Against scikit-learn, in float64; where votes tie, the class of the nearest voter among the tied."""
    trial = bound(features, labels, k, **sizes)
    k = min(k, len(train))
    model = KNeighborsClassifier(k, algorithm="brute").fit(features[train].astype(np.float64), labels[train])
    shares = np.zeros((len(held), labels.max() + 1))
    shares[:, model.classes_] = model.predict_proba(features[held].astype(np.float64))
    voters = labels[train][model.kneighbors(features[held].astype(np.float64), return_distance=False)]
    leads = shares[np.arange(len(held))[:, None], voters] == shares.max(1, keepdims=True)
    predicted = voters[np.arange(len(held)), leads.argmax(1)]
    outcome = trial(train, held, 0)
    np.testing.assert_array_equal(outcome.correct, predicted == labels[held])
    np.testing.assert_allclose(outcome.probability, shares[np.arange(len(held)), labels[held]])
    np.testing.assert_array_equal(trial.logits(trial.fit(train), held).argmax(1), predicted)


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 80), st.integers(1, 20), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_votes_equal_scikit_learns(n, d, k, seed):
    rng = np.random.default_rng(seed)
    features = (rng.normal(size=(n, d)) + 3.0).astype(np.float32)
    labels = np.concatenate([[0, 1, 2], rng.integers(3, size=n - 3)])
    order = rng.permutation(n)
    train = int(rng.integers(1, n))
    check(features, labels, min(k, n), np.sort(order[:train]), np.sort(order[train:]))


def test_blocks_and_features_far_from_zero():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(700, 12)) + 50.0).astype(np.float32)
    order = rng.permutation(700)
    check(features, rng.integers(4, size=700), 5, np.sort(order[:300]), np.sort(order[300:]), block_values=5000)


def test_of_equal_distances_the_first_row_votes():
    """Whole numbers, many at the same distance."""
    features = np.array([[0.0], [2.0], [0.0], [2.0], [1.0], [1.0]], np.float32)
    labels = np.array([0, 1, 1, 0, 0, 1])
    outcome = bound(features, labels, 1)(np.array([3, 2, 1, 0]), np.array([4, 5]), 0)
    np.testing.assert_array_equal(outcome.correct, [True, False])
    outcome = bound(features, labels, 3)(np.array([0, 1, 2, 3]), np.array([4, 5]), 0)
    np.testing.assert_allclose(outcome.probability, [1 / 3, 2 / 3])


def test_ties_of_votes_go_to_the_nearest_voter():
    features = np.array([[0.0], [1.0], [3.0], [4.0], [2.1]], np.float32)
    labels = np.array([0, 0, 1, 1, 1])
    trial = bound(features, labels, 4)
    outcome = trial(np.arange(4), np.array([4]), 0)
    assert outcome.correct[0]
    assert outcome.probability[0] == 0.5
    assert trial.logits(np.arange(4), np.array([4])).argmax() == 1


def test_digits():
    digits = load_digits()
    order = np.random.default_rng(0).permutation(1797)
    features = digits.data.astype(np.float32)
    outcome = bound(features, digits.target, 1)(np.sort(order[:1200]), np.sort(order[1200:]), 0)
    assert outcome.correct.mean() > 0.97
    assert set(np.unique(outcome.probability)) == {0.0, 1.0}


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_trials_can_be_pickled(blobs, k, dumps):
    trial = NearestNeighboursLearner(NearestNeighbours(k), blobs).fit_predict()
    mine, theirs = (t(np.arange(45), np.arange(45, 90), 0) for t in (trial, pickle.loads(dumps(trial))))
    np.testing.assert_array_equal(mine.correct, theirs.correct)
    np.testing.assert_array_equal(mine.probability, theirs.probability)


def test_wrong_labels_are_found(noisy):
    inputs, labels, wrong = noisy
    audit = dataaudit.score(NearestNeighbours(5), (inputs, labels), progress=False)
    assert audit.settings["model"] == "NearestNeighbours"
    assert audit.settings["recipe"] == {"k": 5}
    assert wrong[audit.ranking()[:15]].mean() > 0.9


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3"])
def test_bad_numbers_are_refused(k):
    with pytest.raises(SettingError, match="at least 1"):
        NearestNeighbours(k)


def test_what_does_not_fit_the_data_is_refused(blobs, noisy):
    with pytest.raises(SettingError, match="at most 90"):
        as_learner(NearestNeighbours(91), blobs, None, "auto")
    with pytest.raises(SettingError, match="recipe for NearestNeighbours"):
        as_learner(NearestNeighbours(), blobs, Recipe(), "auto")
    with pytest.raises(SettingError, match="'auto' or 'cpu'"):
        as_learner(NearestNeighbours(), blobs, None, "cuda")
    with pytest.raises(ModelError, match="trained elsewhere"):
        as_learner(NearestNeighbours(), blobs, None, "cpu").untrained()
    holes = noisy[0].copy()
    holes[5] = np.nan
    with pytest.raises(DataError, match="row 5"):
        dataaudit.score(NearestNeighbours(), (holes, noisy[1]), progress=False)
