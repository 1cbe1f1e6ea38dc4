"""Counts, errors, intervals and reliability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, spearmanr

from dataaudit.holdout.base import Outcome
from dataaudit.holdout.plan import Plan, Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.tally import Tally, integrated, reliability, runs_needed, wilson


def records(n, runs, ratio=0.7, seed=0, design="random"):
    """Runs of a learner that is right with a probability of each example's own; and those probabilities."""
    plan, rng = Plan(np.zeros(n, np.int64), seed, design), np.random.default_rng(seed)
    truth = rng.random(n)
    made = []
    for number in range(runs):
        held = plan.held_out(Run(ratio, number))
        right = rng.random(held.sum()) < truth[held]
        made.append(Record.of(Run(ratio, number), held, Outcome(right, 0.5 * right + 0.25)))
    return made, truth


@given(st.integers(2, 40), st.integers(1, 30), st.randoms())
@settings(deadline=None, max_examples=40)
def test_counts_are_those_of_matrices_in_any_order(n, runs, random):
    made, _ = records(n, runs)
    held, correct = (np.array(part) for part in zip(*(record.unpacked(n) for record in made), strict=True))
    random.shuffle(made)
    tally = Tally(n, 0)
    for record in made:
        tally.add(record)
    scores = tally.scores()
    k = held.sum(0)
    np.testing.assert_array_equal(scores.holdouts, k)
    with np.errstate(invalid="ignore", divide="ignore"):
        np.testing.assert_array_equal(scores.values, (held & correct).sum(0) / k)
    assert np.isnan(scores.values[k == 0]).all()
    for row in range(n):
        if k[row]:
            interval = binomtest(int((held & correct).sum(0)[row]), int(k[row])).proportion_ci(method="wilson")
            np.testing.assert_allclose([scores.lower[row], scores.upper[row]], interval, atol=1e-12)
            p = scores.values[row]
            expected = np.sqrt(p * (1 - p) / k[row]) if 0 < p < 1 else 0.5 / (k[row] + 1)
            np.testing.assert_allclose(scores.stderr[row], expected, atol=1e-15)
    assert (scores.stderr[k > 0] > 0).all()


def test_the_mean_probability_has_the_error_of_a_mean():
    made, _ = records(5, 40)
    tally = Tally(5, 0)
    for record in made:
        tally.add(record)
    masks = [record.unpacked(5)[0] for record in made]
    held = [(record, mask) for record, mask in zip(made, masks, strict=True) if mask[2]]
    values = [float(record.probability[mask[:2].sum()]) for record, mask in held]
    scores = tally.scores()
    np.testing.assert_allclose(scores.probability[2], np.mean(values))
    np.testing.assert_allclose(scores.probability_stderr[2], np.std(values, ddof=1) / np.sqrt(len(values)), rtol=1e-6)


def test_reliability_predicts_the_agreement_of_two_estimates():
    first, second = Tally(3000, 0), Tally(3000, 0)
    for tally, seed in ((first, 1), (second, 2)):
        plan, rng = Plan(np.zeros(3000, np.int64), seed), np.random.default_rng(seed)
        truth = np.random.default_rng(9).beta(2, 1, size=3000)
        for number in range(60):
            held = plan.held_out(Run(0.7, number))
            right = rng.random(held.sum()) < truth[held]
            tally.add(Record.of(Run(0.7, number), held, Outcome(right, right.astype(float))))
    a, b = first.scores(), second.scores()
    agreement = spearmanr(a.values, b.values).statistic
    assert abs(a.reliability - agreement) < 0.02
    assert abs(a.probability_reliability - a.reliability) < 1e-9


def test_more_runs_are_more_reliable_as_predicted():
    made, _ = records(2000, 160)
    tally = Tally(2000, 0)
    for record in made[:40]:
        tally.add(record)
    few = tally.scores().reliability
    for record in made[40:]:
        tally.add(record)
    many = tally.scores().reliability
    assert many > few
    assert abs(runs_needed(40, few, many) - 160) < 50


@pytest.mark.parametrize(
    ("runs", "reliable", "target", "expected"),
    [(100, 0.8, 0.95, 475), (100, 1.0, 0.95, 100), (100, 0.0, 0.95, np.inf), (100, float("nan"), 0.9, np.inf)],
)
def test_runs_needed(runs, reliable, target, expected):
    assert runs_needed(runs, reliable, target) == pytest.approx(expected)


def test_no_reliability_from_nothing():
    assert np.isnan(reliability(np.full((1, 5), np.nan), np.ones((1, 5))))
    assert np.isnan(reliability(np.ones((1, 5)), np.ones((1, 5))))
    assert reliability(np.arange(5.0)[None], np.arange(5.0)[None]) == pytest.approx(1.0)


def test_the_integral_is_a_mean_with_its_error():
    tallies = []
    for ratio in (0.3, 0.7):
        tally = Tally(30, 0)
        for record in records(30, 20, ratio)[0]:
            tally.add(record)
        tallies.append(tally)
    found, each = integrated(tallies), [tally.scores() for tally in tallies]
    np.testing.assert_allclose(found.values, (each[0].values + each[1].values) / 2)
    np.testing.assert_allclose(found.stderr, np.hypot(each[0].stderr, each[1].stderr) / 2)
    assert (found.lower <= found.values).all()
    assert (found.values <= found.upper).all()


def test_errors_of_nested_ratios_add_up():
    tallies = []
    for ratio in (0.3, 0.7):
        tally = Tally(30, 0, related=2)
        for record in records(30, 20, ratio, design="nested")[0]:
            tally.add(record)
        tallies.append(tally)
    each = [tally.scores().stderr for tally in tallies]
    np.testing.assert_allclose(integrated(tallies).stderr, (each[0] + each[1]) / 2)


def test_wilson_without_trials_is_unknown():
    lower, upper = wilson(np.array([0.0]), np.array([0.0]))
    assert np.isnan([lower[0], upper[0]]).all()
