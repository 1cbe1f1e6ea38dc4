"""The label quality against a plain loop over all classes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import SettingError
from dataaudit.evidence.base import Evidence
from dataaudit.labels.noise import PRIOR_COUNT, noise_rates
from dataaudit.scores.quality import LabelQuality


def evidence(n, classes, seed, scale=3.0, share=1.0, **options):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    recorder = Recorder(n, classes, **options)
    for _ in range(3):
        seen = np.flatnonzero(rng.random(n) < share)
        seen = seen if len(seen) else np.arange(1)
        logits = scale * rng.normal(size=(len(seen), classes)) + 3.0 * np.eye(classes)[labels[seen]]
        recorder.update(seen, torch.tensor(logits), labels[seen])
        recorder.end_epoch()
    return Evidence(labels, tuple(map(str, range(classes))), dynamics=recorder.dynamics())


def oracle(e, structure=0.07, floor=0.02):
    """The formulas of `LabelQuality`, one example and one class at a time."""
    means, labels, classes = e.dynamics.mean_probabilities.astype(np.float64), e.labels, len(e.class_names)
    known = [i for i in range(len(labels)) if e.dynamics.seen[i]]
    own = e.dynamics.mean_confidence
    threshold = []
    for k in range(classes):
        mine = [own[i] for i in known if labels[i] == k]
        threshold.append(np.mean([p for p in mine if p >= np.mean(mine) - 1e-9]) if mine else np.inf)
    joint = np.zeros((classes, classes))
    for i in known:
        reached = [k for k in range(classes) if means[i, k] >= threshold[k]]
        if reached:
            joint[max(reached, key=lambda k: means[i, k]), labels[i]] += 1
    rates = joint / (joint.sum(1, keepdims=True) + PRIOR_COUNT)
    background = np.median(rates[~np.eye(classes, dtype=bool)])
    scores = np.full(len(labels), np.nan)
    for i in known:
        y = labels[i]
        right = (rates[y, y] + floor) * own[i]
        wrong = 0.0
        for k in range(classes):
            if k != y:
                x = max(rates[k, y] - background, 0.0)
                wrong += (floor + background + x**5 / (x**4 + structure**4)) * means[i, k]
        scores[i] = right / (right + wrong) - e.dynamics.mean_el2n[i]
    return scores, rates, background


@settings(max_examples=40, deadline=None)
@given(
    n=st.sampled_from([1, 2, 30, 257]),
    classes=st.integers(2, 7),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([0.3, 3.0, 20.0]),
    share=st.sampled_from([0.5, 1.0]),
)
def test_equals_the_oracle(n, classes, seed, scale, share):
    e = evidence(n, classes, seed, scale, share)
    expected, rates, background = oracle(e)
    found = noise_rates(e.dynamics, e.labels, classes)
    grid = np.indices((classes, classes)).reshape(2, -1)
    # A mean that equals its own threshold, up to rounding, may fall on either side.
    close = np.allclose(found.between(grid[0], grid[1], classes).reshape(classes, classes), rates, atol=1e-12)
    if close:
        assert found.background == pytest.approx(background, abs=1e-12)
        np.testing.assert_allclose(LabelQuality().score(e).values, expected, rtol=1e-5, atol=1e-6)
    values = LabelQuality().score(e).values
    assert ((values >= -np.sqrt(2)) & (values <= 1) | np.isnan(values)).all()
    assert (np.isnan(values) == (e.dynamics.seen == 0)).all()


def test_equals_the_oracle_on_a_larger_run():
    e = evidence(2000, 5, seed=1)
    expected, rates, background = oracle(e)
    found = noise_rates(e.dynamics, e.labels, 5)
    grid = np.indices((5, 5)).reshape(2, -1)
    np.testing.assert_allclose(found.between(grid[0], grid[1], 5).reshape(5, 5), rates, atol=1e-12)
    assert found.background == pytest.approx(background, abs=1e-12)
    np.testing.assert_allclose(LabelQuality().score(e).values, expected, rtol=1e-5, atol=1e-6)


def test_many_classes_need_no_matrix_of_classes():
    exact = evidence(3000, 30, seed=2)
    sketched = evidence(3000, 30, seed=2, dense_elements=10)
    assert sketched.dynamics.probability_classes is not None
    a, b = LabelQuality().score(exact).values, LabelQuality().score(sketched).values
    assert np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1] > 0.99


def test_noise_with_a_structure_makes_its_rival_count():
    """Two examples of equal confidence: the rival that labellers often mistake weighs more."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 250)
    labels = truth.copy()
    labels[(truth == 0) & (rng.random(1000) < 0.3)] = 1
    recorder = Recorder(1000, 4)
    logits = 5.0 * np.eye(4)[truth]
    twins = np.flatnonzero((truth == 1) & (labels == 1))[:2]
    logits[twins] = [[2.0, 2.5, 0.0, 0.0], [0.0, 2.5, 2.0, 0.0]]
    recorder.update(np.arange(1000), torch.tensor(logits), labels)
    recorder.end_epoch()
    e = Evidence(labels, ("a", "b", "c", "d"), dynamics=recorder.dynamics())
    scores = LabelQuality().score(e).values
    assert scores[twins[0]] < scores[twins[1]]
    assert noise_rates(e.dynamics, labels, 4).between(np.array([0]), np.array([1]), 4)[0] == pytest.approx(
        0.3, abs=0.07
    )


def test_a_class_nobody_carries_is_harmless():
    e = evidence(50, 4, seed=3)
    wider = replace(e, class_names=("0", "1", "2", "3", "unused"))
    dynamics = replace(
        e.dynamics,
        mean_probabilities=np.hstack([e.dynamics.mean_probabilities, np.zeros((50, 1), np.float32)]),
    )
    values = LabelQuality().score(replace(wider, dynamics=dynamics)).values
    assert np.isfinite(values).all()


@pytest.mark.parametrize("arguments", [{"structure": 0.0}, {"floor": 1.0}, {"floor": "a"}])
def test_wrong_shares_are_refused(arguments):
    with pytest.raises(SettingError, match="between 0 and 1"):
        LabelQuality(**arguments)
