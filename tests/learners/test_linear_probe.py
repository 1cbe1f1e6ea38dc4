import pickle
from dataclasses import replace
from itertools import pairwise

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

import dataaudit
from dataaudit.data import as_examples
from dataaudit.errors import DataError, ModelError, SettingError
from dataaudit.holdout.base import NestedFitPredict
from dataaudit.learners import ridge
from dataaudit.learners.adapt import as_learner
from dataaudit.learners.blas import one_thread
from dataaudit.learners.linear_probe import LinearProbe, LinearProbeLearner
from dataaudit.learners.recipes import Recipe
from dataaudit.learners.ridge import ridge_fit_predict
from dataaudit.testing import LearnerContract

TOLERANCE = 1e-5
"""Largest difference of an output from that of Ridge in float64, for features of unit scale."""


def made(n, d, classes=3, *, decay=1.0, offset=2.0, seed=0):
    """Correlated features of unit scale with an offset, and labels that they explain in part."""
    rng = np.random.default_rng([n, d, seed])
    spread = np.arange(1, d + 1.0) ** -decay
    spread *= np.sqrt(d / (spread**2).sum())
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    hidden = rng.normal(size=(n, d)) * spread
    labels = (hidden @ rng.normal(size=(d, classes)) + np.sqrt(d) * rng.normal(size=(n, classes))).argmax(1)
    labels[:classes] = np.arange(classes)
    return (hidden @ turn + offset).astype(np.float32), labels.astype(np.int64)


def oracle(features, labels, classes, alpha, train, rows):
    """Outputs of scikit-learn's Ridge, fitted in float64."""
    features = features.astype(np.float64)
    model = Ridge(alpha=alpha).fit(features[train], np.eye(classes)[labels[train]])
    return model.predict(features[rows])


def models_of(trial, order, sizes, monkeypatch):
    """Models that a nested call made."""
    found = {}
    original = ridge.RidgeFitPredict.side_models

    def side(self, *arguments, **named):
        made_here = original(self, *arguments, **named)
        found.update(made_here)
        return made_here

    with monkeypatch.context() as patch:
        patch.setattr(ridge.RidgeFitPredict, "side_models", side)
        outcomes = {(direction, size): outcome for direction, size, outcome in trial.nested(order, sizes)}
    return found, outcomes


def check_nested(features, labels, classes, alpha, sizes, monkeypatch, tolerance=TOLERANCE, **changed):
    """Every model and outcome of a nested call against the oracle."""
    trial = replace(ridge_fit_predict(features, labels, classes, alpha), **changed)
    order = np.random.default_rng(7).permutation(len(labels))
    models, outcomes = models_of(trial, order, sizes, monkeypatch)
    assert set(models) == set(outcomes) == {(direction, size) for direction in (0, 1) for size in sizes}
    for (direction, size), outcome in outcomes.items():
        turned = order[::-1] if direction else order
        held = np.sort(turned[size:])
        wanted = oracle(features, labels, classes, alpha, turned[:size], held)
        np.testing.assert_allclose(trial.outputs(models[direction, size], held), wanted, rtol=0, atol=tolerance)
        assert outcome.correct.dtype == np.bool_
        given_label = wanted[np.arange(len(held)), labels[held]]
        np.testing.assert_allclose(outcome.probability, np.clip(given_label, 0, 1), rtol=0, atol=tolerance)
        top = np.sort(wanted, axis=1)
        clear = top[:, -1] - top[:, -2] > 2 * tolerance
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(outcome.correct[clear], (wanted.argmax(1) == labels[held])[clear])
        alone = trial(np.sort(turned[:size]), held, 0)
        np.testing.assert_allclose(alone.probability, outcome.probability, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(alone.correct[clear], outcome.correct[clear])


@pytest.fixture(params=["ridge", "logistic"])
def kind(request):
    return request.param


class TestContract(LearnerContract):
    @pytest.fixture(autouse=True)
    def _given(self, kind, blobs):
        self.kind, self.blobs = kind, blobs

    def learner(self):
        return LinearProbeLearner(LinearProbe(self.kind), self.blobs)

    def labels(self):
        return self.blobs.labels


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize(
    ("n", "d", "sizes"),
    [
        (257, 20, [26, 51, 77, 103, 128, 154, 180, 206, 231]),
        (256, 20, [64, 128, 192]),
        (63, 40, [6, 31, 32, 57]),
        (40, 63, [4, 12, 20, 36]),
        (5001, 33, [500, 2500, 4501]),
        (120, 1, [60]),
        (9, 2, [1, 2, 7, 8]),
    ],
)
def test_nested_subsets_equal_ridge(n, d, sizes, alpha, monkeypatch):
    features, labels = made(n, d)
    check_nested(features, labels, 3, alpha, sizes, monkeypatch)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 90), st.integers(1, 70), st.sampled_from([1e-2, 1.0, 30.0]), st.data())
def test_odd_sizes(n, d, alpha, data):
    sizes = sorted(data.draw(st.sets(st.integers(1, n - 1), min_size=1, max_size=5)))
    features, labels = made(n, d, min(3, n))
    with pytest.MonkeyPatch.context() as monkeypatch:
        trial = ridge_fit_predict(features, labels, 3, alpha)
        order = np.random.default_rng(7).permutation(n)
        models, _ = models_of(trial, order, sizes, monkeypatch)
        for (direction, size), model in models.items():
            turned = order[::-1] if direction else order
            wanted = oracle(features, labels, 3, alpha, turned[:size], turned[size:])
            np.testing.assert_allclose(trial.outputs(model, turned[size:]), wanted, rtol=0, atol=TOLERANCE)


def test_float32_products_do_where_subsets_are_large(monkeypatch):
    """Several blocks a piece, and no subset that asks for float64 again."""
    features, labels = made(9001, 65, 10)

    def refuse(*arguments, **named):
        raise AssertionError("asked for float64")

    original = ridge.RidgeFitPredict.side_models
    monkeypatch.setattr(
        ridge.RidgeFitPredict, "side_models", lambda self, *a, **named: refuse() if named else original(self, *a)
    )
    check_nested(features, labels, 10, 1.0, [900, 2700, 4500, 6301, 8101], monkeypatch)


def test_rare_features_ask_for_float64(monkeypatch):
    """A feature of two rows, with little penalty: products are taken again."""
    rng = np.random.default_rng(0)
    features, labels = made(4001, 30)
    features[:, 5] = 0.0
    features[[17, 3000], 5] = 1.0
    features += rng.normal(size=30).astype(np.float32)
    again = []
    original = ridge.RidgeFitPredict.side_models

    def counted(self, *arguments, **named):
        again.append(bool(named))
        return original(self, *arguments, **named)

    monkeypatch.setattr(ridge.RidgeFitPredict, "side_models", counted)
    check_nested(features, labels, 3, 1e-3, [400, 2000, 3601], monkeypatch, tolerance=3e-6)
    assert any(again)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_nested(features, labels, 3, 1e-3, [400, 2000, 3601], monkeypatch, tolerance=3e-6, condition=np.inf)


def test_far_units_and_constant_features(monkeypatch):
    features, labels = made(500, 12)
    features *= np.float32(10.0) ** np.arange(-3, 9).astype(np.float32)[np.r_[0:6, 0:6]]
    features[:, 3] = 7.0
    check_nested(features, labels, 3, 1.0, [50, 250, 450], monkeypatch)


def test_missing_classes_and_one_class_alone():
    """Sorted labels, so that prefixes lack classes; the first holds one."""
    features, labels = made(90, 4, 3, seed=1)
    labels = np.sort(labels)
    trial = ridge_fit_predict(features, labels, 3, 1.0)
    count = int((labels == 0).sum())
    outcomes = {(d, t): outcome for d, t, outcome in trial.nested(np.arange(90), [count])}
    np.testing.assert_array_equal(outcomes[0, count].correct, np.zeros(90 - count, bool))
    np.testing.assert_allclose(outcomes[0, count].probability, 0.0, atol=1e-6)
    model = trial.fit(np.arange(count))
    np.testing.assert_allclose(trial.outputs(model, np.arange(90)), np.tile([1.0, 0.0, 0.0], (90, 1)), atol=1e-6)
    assert np.isfinite(trial.logits(model, np.arange(90))).all()
    alone = LinearProbeLearner(LinearProbe("logistic"), as_examples((features, labels))).fit_predict()
    assert not alone(np.arange(count), np.arange(count, 90), 0).correct.any()
    shares = alone.probabilities(alone.fit(np.arange(count)), np.arange(90))
    np.testing.assert_array_equal(shares, np.tile([1.0, 0.0, 0.0], (90, 1)))


def test_logits_keep_the_largest_output(blobs):
    trial = LinearProbeLearner(LinearProbe(alpha=1e-3), blobs).fit_predict()
    rows = np.arange(90)
    model = trial.fit(rows[:20])
    outputs = trial.outputs(model, rows)
    assert (outputs > 1).any()
    assert (outputs < 0).any()
    np.testing.assert_allclose(outputs.sum(1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(trial.logits(model, rows).argmax(1), outputs.argmax(1))


@pytest.mark.parametrize("rows", [np.arange(30), np.arange(80), np.arange(90), np.repeat(np.arange(40), 2)])
def test_any_subset_can_be_fitted(blobs, rows):
    """Repeats included."""
    trial = LinearProbeLearner(LinearProbe(), blobs).fit_predict()
    wanted = oracle(blobs.read(np.arange(90)), blobs.labels, 3, 1.0, rows, np.arange(90))
    np.testing.assert_allclose(trial.outputs(trial.fit(rows), np.arange(90)), wanted, rtol=0, atol=TOLERANCE)


def test_the_number_of_threads_changes_no_bit():
    from threadpoolctl import threadpool_limits

    features, labels = made(9000, 130, 4)
    order = np.random.default_rng(3).permutation(9000)
    found = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads, user_api="blas"):
            trial = replace(ridge_fit_predict(features, labels, 4, 1.0), serial=0)
            found.append([outcome for _, _, outcome in trial.nested(order, [900, 4500, 8100])])
    for one, other in pairwise(found):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.correct, b.correct)
            np.testing.assert_array_equal(a.probability, b.probability)


def test_blas_gets_its_threads_back():
    from threadpoolctl import threadpool_info, threadpool_limits

    def now():
        # Another test may have loaded FAISS, with a BLAS of its own that no product here uses.
        blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
        return [library["num_threads"] for library in blas if "faiss" not in library["filepath"]]

    with threadpool_limits(2, user_api="blas"):
        before = now()
        with one_thread() as outer, one_thread() as inner:
            assert outer == inner == 2
            assert set(now()) == {1}
        assert now() == before


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_trials_can_be_pickled(kind, blobs, dumps):
    trial = LinearProbeLearner(LinearProbe(kind), blobs).fit_predict()
    assert isinstance(trial, NestedFitPredict) == (kind == "ridge")
    again = pickle.loads(dumps(trial))
    order = np.random.default_rng(0).permutation(90)
    mine, theirs = (one(np.sort(order[:45]), np.sort(order[45:]), 0) for one in (trial, again))
    np.testing.assert_array_equal(mine.correct, theirs.correct)
    np.testing.assert_array_equal(mine.probability, theirs.probability)
    if kind == "ridge":
        for mine, theirs in zip(trial.nested(order, [9, 45]), again.nested(order, [9, 45]), strict=True):
            assert mine[:2] == theirs[:2]
            np.testing.assert_array_equal(mine[2].correct, theirs[2].correct)
            np.testing.assert_array_equal(mine[2].probability, theirs[2].probability)


def test_logistic_is_scikit_learns(blobs):
    trial = LinearProbeLearner(LinearProbe("logistic", alpha=0.5), blobs).fit_predict()
    rows, order = np.arange(90), np.random.default_rng(0).permutation(90)
    train, held = np.sort(order[:30]), np.sort(order[30:])
    model = LogisticRegression(C=2.0, max_iter=1000).fit(blobs.read(train), blobs.labels[train])
    wanted = model.predict_proba(blobs.read(held))
    outcome = trial(train, held, 0)
    assert not isinstance(trial, NestedFitPredict)
    np.testing.assert_allclose(outcome.probability, wanted[np.arange(60), blobs.labels[held]], atol=1e-6)
    np.testing.assert_array_equal(outcome.correct, model.predict(blobs.read(held)) == blobs.labels[held])
    few = trial.fit(rows[blobs.labels != 1])
    assert (trial.logits(few, rows).argmin(1) == 1).all()


def test_wrong_labels_are_found(noisy, kind):
    inputs, labels, wrong = noisy
    audit = dataaudit.score(LinearProbe(kind), (inputs, labels), progress=False)
    assert audit.default == "consensus"
    assert audit.settings["model"] == "LinearProbe"
    assert audit.settings["recipe"] == {"kind": kind, "alpha": 1.0}
    for by in ("consensus", "heldout_confidence"):
        assert wrong[audit.ranking(by)[:15]].mean() > 0.9


def test_tables_of_numbers(noisy):
    inputs, labels, _ = noisy
    frame = pd.DataFrame(inputs).rename(columns=str).assign(label=labels)
    audit = dataaudit.score(LinearProbe(), frame, label="label", progress=False)
    plain = dataaudit.score(LinearProbe(), (inputs, labels), progress=False)
    # The probe takes columns as they are; neighbours are near by standardised ones.
    assert list(audit.scores) == ["consensus", "heldout_confidence"]
    np.testing.assert_array_equal(audit.scores["heldout_confidence"], plain.scores["heldout_confidence"])
    with pytest.raises(DataError, match="columns that are not numbers"):
        dataaudit.score(LinearProbe(), frame.assign(name="x"), label="label", progress=False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "lasso"}, "unknown|known kind"),
        ({"kind": "Ridge"}, "did you mean 'ridge'"),
        ({"alpha": 0.0}, "above 0"),
        ({"alpha": -1}, "above 0"),
        ({"alpha": float("nan")}, "above 0"),
        ({"alpha": float("inf")}, "above 0"),
        ({"alpha": "1"}, "above 0"),
        ({"alpha": True}, "above 0"),
    ],
)
def test_bad_settings_are_refused(values, message):
    with pytest.raises(SettingError, match=message):
        LinearProbe(**values)


def test_recipes_devices_and_missing_values_are_refused(noisy):
    inputs, labels, _ = noisy
    examples = as_examples((inputs, labels))
    with pytest.raises(SettingError, match="recipe for LinearProbe"):
        as_learner(LinearProbe(), examples, Recipe(), "auto")
    with pytest.raises(SettingError, match="'auto' or 'cpu'"):
        as_learner(LinearProbe(), examples, None, "cuda")
    as_learner(LinearProbe(), examples, None, "cpu").check(0)
    with pytest.raises(ModelError, match="trained elsewhere"):
        as_learner(LinearProbe(), examples, None, "cpu").untrained()
    holes = inputs.copy()
    holes[[3, 7], 2] = np.nan
    with pytest.raises(DataError, match="rows 3, 7"):
        dataaudit.score(LinearProbe(), (holes, labels), progress=False)
    with pytest.raises(DataError, match="rows 3, 7"):
        LinearProbeLearner(LinearProbe(), as_examples((holes, labels))).fit_predict()
    large = inputs.astype(np.float64)
    large[4, 0] = 1e39
    with pytest.raises(DataError, match="beyond float32 in row 4"):
        LinearProbeLearner(LinearProbe(), as_examples((large, labels))).fit_predict()


def test_an_alpha_that_vanishes_is_named():
    features = np.ones((6, 3), np.float32)
    features[0] = 2e9
    trial = ridge_fit_predict(features, np.array([0, 1, 0, 1, 0, 1]), 2, 1e-300)
    with pytest.raises(SettingError, match="alpha=1e-300"):
        trial.fit(np.arange(1, 5))


def test_the_benchmark_runs():
    from benchmarks.holdout.linear_probe import main

    assert main(["--quick"]) == 0
