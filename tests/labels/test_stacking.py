"""Weights of sources against a plain optimum, and what they do where there is little to go by."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from dataaudit.common.probabilities import ClassProbabilities, softmax
from dataaudit.evidence.base import EPOCHS, LEFT_OUT, STAGES
from dataaudit.labels.combine import WEIGHTS, source_weights
from dataaudit.labels.stacking import PULL, fitted_weights, stacking_loss

FIXED = {"heldout": 0.5, "neighbours": 0.4}


def said(labels, classes, clear, seed):
    """Probabilities that lean towards the labels, the more the larger `clear` is."""
    logits = np.random.default_rng(seed).normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += clear
    return ClassProbabilities(softmax(logits).astype(np.float32), None, classes)


def pair(n, clear, other, classes=4):
    labels = np.arange(n) % classes
    return {"heldout": said(labels, classes, clear, 1), "neighbours": said(labels, classes, other, 2)}, labels


def plain(parts, labels, power):
    logs = np.stack([np.log(part.values.astype(np.float64)) for part in parts.values()])
    near = np.array(list(FIXED.values()))

    def objective(weights):
        product = np.exp(np.tensordot(weights, logs, 1))
        own = product[np.arange(len(labels)), labels] / product.sum(1)
        loss = -np.log(own) if power == 0 else (1 - own**power) / power
        return loss.sum() + PULL * ((weights - near) ** 2).sum()

    found = minimize(objective, near, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x
    return found * near.sum() / found.sum()


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_weights_are_those_of_a_plain_search(power):
    parts, labels = pair(257, 1.5, 0.7)
    found = fitted_weights(parts, labels, 4, FIXED, power)
    np.testing.assert_allclose(list(found.values()), plain(parts, labels, power), atol=1e-4)


@pytest.mark.parametrize("power", [0.0, 0.7, 1.0])
def test_the_slope_is_that_of_differences(power):
    parts, labels = pair(63, 1.0, 0.3)
    logs = [np.log(part.dense(slice(None))) for part in parts.values()]
    at, step = np.array([0.6, 0.3]), 1e-6
    slope = stacking_loss(at, logs, labels, power)[1]
    for place in range(2):
        move = np.eye(2)[place] * step
        ends = (stacking_loss(at + sign * move, logs, labels, power)[0] for sign in (1, -1))
        np.testing.assert_allclose(slope[place], np.subtract(*ends) / (2 * step), rtol=1e-5)


def test_a_better_source_counts_more_and_few_examples_move_weights_less():
    shares = []
    for n in (20, 200, 2000):
        found = fitted_weights(*pair(n, 3.0, 0.0), 4, FIXED)
        shares.append(found["heldout"] / sum(found.values()))
    assert 0.5 / 0.9 < shares[0] < shares[1] < shares[2]
    assert shares[0] < 0.75


def test_a_source_that_says_nothing_true_gets_no_weight():
    labels = np.arange(500) % 4
    parts = {"heldout": said(labels, 4, 2.0, 1), "neighbours": said((labels + 1) % 4, 4, 3.0, 2)}
    assert fitted_weights(parts, labels, 4, FIXED)["neighbours"] == 0.0


def test_one_source_alone_keeps_its_weight():
    parts, labels = pair(63, 1.0, 1.0)
    assert fitted_weights({"heldout": parts["heldout"]}, labels, 4, {"heldout": 1.0}) == {"heldout": 1.0}
    assert fitted_weights({}, labels, 4, {}) == {}


def test_sources_that_say_the_same_share_alike():
    parts, labels = pair(300, 1.0, 1.0)
    same = {"heldout": parts["heldout"], "neighbours": parts["heldout"]}
    found = fitted_weights(same, labels, 4, {"heldout": 0.5, "neighbours": 0.5})
    np.testing.assert_allclose(found["heldout"], found["neighbours"], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 63), st.integers(1, 5), st.floats(-2, 4), st.sampled_from([0.0, 0.7]))
def test_weights_are_never_negative_and_keep_their_sum(n, classes, clear, power):
    found = fitted_weights(*pair(n, clear, 1.0, classes), classes, FIXED, power)
    assert min(found.values()) >= 0
    np.testing.assert_allclose(sum(found.values()), 0.9)


def test_the_bounded_loss_moves_weights_less():
    labels = np.arange(1000) % 4
    parts = {"heldout": said(labels, 4, 12.0, 1), "neighbours": said(labels, 4, 1.5, 2)}
    labels[:100] = (labels[:100] + 1) % 4
    by_log, bounded = (fitted_weights(parts, labels, 4, FIXED, power)["heldout"] for power in (0.0, 0.7))
    assert 0.5 < bounded < by_log


def test_a_sample_of_the_rows_gives_nearly_the_same():
    parts, labels = pair(3001, 2.0, 0.5, 5)
    whole = fitted_weights(parts, labels, 5, FIXED)
    part = fitted_weights(parts, labels, 5, FIXED, most=1000)
    assert abs(whole["heldout"] - part["heldout"]) < 0.05


def test_constants_that_are_passed_make_the_weights():
    parts, labels = pair(300, 2.0, 0.5)
    parts["dynamics"] = said(labels, 4, 3.0, 3)
    apart = {name: parts[name] for name in FIXED}
    changed = replace(WEIGHTS, staged=0.11, hidden={"dynamics": 0.2, "neighbours": 0.7}, pull=1e9)
    fixed = WEIGHTS.fixed[frozenset(parts)]
    for methods, dynamics in (({"dynamics": STAGES}, 0.11), ({"dynamics": EPOCHS}, fixed["dynamics"])):
        found = source_weights(parts, apart, labels, 4, methods, changed)
        assert found["dynamics"] == dynamics
        np.testing.assert_allclose([found[name] for name in FIXED], [fixed[name] for name in FIXED], atol=1e-6)
    learned = {"dynamics": parts["dynamics"], "neighbours": parts["neighbours"]}
    assert source_weights(learned, {}, labels, 4, {}, changed) == changed.hidden
    assert source_weights(learned, {}, labels, 4, {}) == WEIGHTS.hidden
    other = replace(WEIGHTS, bounded=1.0, pull=0.1)
    for methods, power in (({"heldout": LEFT_OUT}, 1.0), ({}, 0.0)):
        found = source_weights(apart, apart, labels, 4, methods, other)
        assert found == fitted_weights(apart, labels, 4, WEIGHTS.fixed[frozenset(apart)], power, 0.1)
        assert found != source_weights(apart, apart, labels, 4, methods)
