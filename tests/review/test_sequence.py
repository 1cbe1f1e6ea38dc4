"""Bounds for the number of wrong labels hold whenever the reviewer stops, whatever the predictions are."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import chisquare, hypergeom

from dataaudit.review.belief import Belief
from dataaudit.review.design import Design
from dataaudit.review.sequence import ErrorSequence


def sequence(probability, seed=0, count=12):
    design = Design(np.asarray(probability, float), seed, count)
    return ErrorSequence(design, Belief(np.asarray(probability, float), design.bins))


def played(wrong, probability, purpose, looks, seed=0):
    made = sequence(probability, seed)
    for place in range(1, looks + 1):
        row, chance = made.design.next(purpose, place)
        made.look(row, bool(wrong[row]), chance < 1)
    return made


def leaves(made, wrong, left, depth):
    """Chance and evidence against the truth of every way in which the next draws from `left` can go."""
    if depth == 0:
        yield 1.0, made.evidence(np.array([wrong.sum()]))[-1, 0]
        return
    for row in left:
        further = copy.deepcopy(made)
        chance = further.design.chance(row)
        further.look(row, bool(wrong[row]), True)
        for share, evidence in leaves(further, wrong, left - {row}, depth - 1):
            yield chance * share, evidence


@pytest.mark.parametrize("probability", [[0.9, 0.6, 0.3, 0.01, 0.01, 0.01], [0.01, 0.02, 0.9, 0.95, 0.9, 0.5]])
@pytest.mark.parametrize("looked", [(), (0, 4)])
def test_evidence_against_the_truth_is_one_on_average_over_all_draws(probability, looked):
    wrong = np.array([1, 1, 0, 0, 0, 1])
    made = sequence(probability, count=3)
    for row in looked:
        made.look(row, bool(wrong[row]), False)
    every = list(leaves(made, wrong, set(range(6)) - set(looked), 3))
    assert sum(chance for chance, _ in every) == pytest.approx(1)
    assert sum(chance * np.exp(evidence) for chance, evidence in every) == pytest.approx(1, abs=1e-9)


def test_draws_from_one_bin_are_weighed_as_by_the_hypergeometric_distribution():
    n, errors, drawn = 40, 11, 15
    wrong = np.arange(n) < errors
    made, predicted = sequence(np.full(n, 0.2), count=1), 0.0
    for row in np.random.default_rng(3).permutation(n)[:drawn].tolist():
        rate = made.belief.rates()[0]
        predicted += np.log(rate if wrong[row] else 1 - rate)
        made.look(row, bool(wrong[row]), True)
    # Where no errors are left a fair factor can do better than the ratio.
    numbers = np.arange(made.wrong + 1, n - (drawn - made.wrong) + 1)
    in_this_order = hypergeom.logpmf(made.wrong, n, numbers, drawn) - np.log(math.comb(drawn, made.wrong))
    np.testing.assert_allclose(made.evidence(numbers)[-1], predicted - in_this_order, atol=1e-6)


def betting_capital(drawn, rates, n, errors):
    """Logarithm of the capital after each draw (Waudby-Smith and Ramdas 2024, without replacement): 1 + l (x - mean).

    The bet l grows fastest where the next of the `drawn` is an error with the chance that `rates` say.
    """
    capital, found = [0.0], 0
    for number, (x, rate) in enumerate(zip(drawn, rates, strict=True)):
        mean = (errors - found) / (n - number)
        capital.append(capital[-1] + np.log1p((rate - mean) / (mean * (1 - mean)) * (x - mean)))
        found += x
    return capital[1:]


def test_draws_from_one_bin_bet_as_without_replacement():
    n, draws = 60, 40
    rng = np.random.default_rng(7)
    wrong = rng.permutation(n) < 9
    made, drawn, rates = sequence(np.full(n, 0.1), count=1), [], []
    for row in rng.permutation(n)[:draws].tolist():
        drawn.append(int(wrong[row]))
        rates.append(float(made.belief.rates()[0]))
        made.look(row, bool(wrong[row]), True)
    numbers = np.arange(made.wrong + 1, n - (draws - made.wrong))
    capital = np.array([betting_capital(drawn, rates, n, errors) for errors in numbers])
    np.testing.assert_allclose(made.evidence(numbers).T, capital, atol=1e-6)
    inside = numbers[capital.max(axis=1) < np.log(20)]
    lower, upper = made.bounds()
    assert upper == inside[-1]
    # That all errors were found is at the edge of what the capital is defined for.
    assert lower in (inside[0], made.wrong)


def nearest_ratio(chance, left, rate, errors):
    """Ratios [K, 2] of predicted outcomes to those, with so many errors, that are nearest in relative entropy."""

    def shares(price):
        # Stationary where chance ((1 - b) / (1 - r) - b / r) = price * left: rising in r.
        def slope(r, k):
            return chance[k] * ((1 - rate[k]) / (1 - r) - rate[k] / r) - price * left[k]

        return np.array([brentq(slope, 1e-14, 1 - 1e-14, args=(k,), xtol=1e-15) for k in range(len(rate))])

    price = brentq(lambda price: left @ shares(price) - errors, -1e3, 1e3, xtol=1e-14)
    r = shares(price)
    return np.stack([(1 - rate) / (1 - r), rate / r], axis=1)


def test_draws_from_several_bins_are_weighed_by_the_nearest_hypothesis():
    rng = np.random.default_rng(2)
    wrong = rng.random(30) < np.linspace(0.8, 0.02, 30)
    made = sequence(np.linspace(0.9, 0.01, 30), count=3)
    numbers = made.wrong + np.array([4, 9, 16])
    expected = np.zeros(3)
    for place in range(1, 7):
        row, _ = made.design.next("estimate", place)
        chance, left, rate = made.design.chances(), made.design.left.astype(float), made.belief.rates()
        for at, errors in enumerate(numbers - made.wrong):
            ratio = nearest_ratio(chance, left, rate, errors)
            expected[at] += np.log(ratio[made.design.bins[row], int(wrong[row])])
        made.look(row, bool(wrong[row]), True)
    np.testing.assert_allclose(made.evidence(numbers)[-1], expected, atol=1e-6)


data_sets = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.001, 0.02, 0.3, 0.5, 0.9, 1.0])), min_size=2, max_size=60
)


@settings(max_examples=40, deadline=None)
@given(data_sets, st.sampled_from(["find", "estimate", "both"]), st.integers(0, 60), st.integers(0, 9))
def test_bounds_keep_to_what_was_seen_and_close_when_all_was(rows, purpose, looks, seed):
    wrong, probability = map(np.array, zip(*rows, strict=True))
    made = played(wrong, probability, purpose, min(looks, len(rows)), seed)
    lower, upper = made.bounds()
    left = int(made.design.left.sum())
    assert made.wrong <= lower <= upper <= made.wrong + left
    assert np.isfinite(made.estimate())
    if not left:
        assert lower == upper == wrong.sum()
    if not made.drawn:
        assert (lower, upper) == (made.wrong, made.wrong + left)


@settings(max_examples=30, deadline=None)
@given(data_sets, st.integers(1, 60), st.integers(0, 9))
def test_numbers_between_the_bounds_are_possible_and_others_are_excluded(rows, looks, seed):
    wrong, probability = map(np.array, zip(*rows, strict=True))
    made = played(wrong, probability, "both", min(looks, len(rows)), seed)
    if made.drawn:
        lower, upper = made.bounds()
        possible = made.wrong + np.arange(int(made.design.left.sum()) + 1)
        # What was excluded at any time stays so.
        inside = possible[made.evidence(possible).max(axis=0) < -np.log(0.05)]
        if len(inside):
            assert (lower, upper) == (inside[0], inside[-1])


@pytest.mark.parametrize("belief", ["good", "none", "opposite"])
def test_the_truth_is_hardly_ever_excluded_at_any_time(belief):
    n, repeats, excluded = 300, 100, 0
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        wrong = rng.permutation(n) < 24
        signal = {"good": 2.0, "none": 0.0, "opposite": -2.0}[belief]
        probability = expit(rng.normal(size=n) + signal * wrong - 3.0)
        made = played(wrong, probability, "both" if seed % 2 else "estimate", 60, seed)
        excluded += made.evidence(np.array([24])).max() >= np.log(20)
    # Five of a hundred at most are to be expected; more than 13 come less than once in a thousand times.
    assert excluded <= 13


def test_each_row_is_drawn_as_often_as_its_chance_says():
    probability = np.linspace(0.01, 0.9, 18)
    known = Design(probability)
    known.look(17)
    chances = np.array([known.chance(row) for row in range(17)])
    assert chances.sum() == pytest.approx(1)
    drawn = np.zeros(17)
    for seed in range(3000):
        design = Design(probability, seed)
        design.look(17)
        row, chance = design.next("estimate", 2)
        assert chance == pytest.approx(chances[row])
        drawn[row] += 1
    assert chisquare(drawn, chances * 3000).pvalue > 1e-4
