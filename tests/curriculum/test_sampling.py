"""Draws follow their law, checked against sequential draws and exact probabilities."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from dataaudit.curriculum.sampling import draw, uniforms

STREAM = [0.011546754286331562, 0.24154919656271823, 0.11142585551493822]
DRAWN = [2, 1, 4, 0, 3]
WEIGHTS = np.array([0.0, 1.0, 4.0, 0.5, 0.0, 2.0, 2.5])


def test_uniform_numbers_are_uniform_and_a_prefix_of_more():
    found = uniforms(5, 3, 20000)
    assert kstest(found, "uniform").pvalue > 0.01
    assert (found > 0).all()
    assert (found < 1).all()
    np.testing.assert_array_equal(uniforms(5, 3, 100), found[:100])
    assert abs(np.corrcoef(found, uniforms(5, 4, 20000))[0, 1]) < 0.03
    assert abs(np.corrcoef(found, uniforms(6, 3, 20000))[0, 1]) < 0.03


def test_the_stream_stays_what_it_is():
    """A resumed run must draw what the interrupted one would have drawn, by whatever version."""
    np.testing.assert_array_equal(uniforms(0, 0, 3), STREAM)
    assert draw(np.ones(5), 5, False, 2**64 - 1, 7).tolist() == DRAWN
    raw = np.random.Philox(key=np.array([0, 0], np.uint64)).random_raw(3)
    np.testing.assert_array_equal([(int(number) >> 12) * 2.0**-52 + 2.0**-53 for number in raw], STREAM)


@pytest.mark.parametrize("seed", [0, 1])
def test_frequencies_with_replacement(seed):
    found = np.bincount(draw(WEIGHTS, 40000, True, seed, 0), minlength=7)
    able = WEIGHTS > 0
    assert found[~able].sum() == 0
    assert chisquare(found[able], 40000 * WEIGHTS[able] / WEIGHTS.sum()).pvalue > 0.01


def in_sequence(weights, order):
    """Probability of an order of sequential draws without replacement, as the formula has it."""
    left, probability = weights.sum(), 1.0
    for position in order:
        probability *= weights[position] / left
        left -= weights[position]
    return probability


def test_frequencies_without_replacement_are_those_of_sequential_draws():
    weights = np.array([1.0, 3.0, 0.0, 2.0])
    orders = list(permutations([0, 1, 3], 2))
    expected = np.array([in_sequence(weights, order) for order in orders])
    assert expected.sum() == pytest.approx(1.0)
    drawn = [tuple(draw(weights, 2, False, 11, epoch)) for epoch in range(6000)]
    counts = np.array([drawn.count(order) for order in orders])
    assert counts.sum() == 6000
    assert chisquare(counts, 6000 * expected).pvalue > 0.01


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60).filter(any), st.integers(0, 2**64 - 1), st.integers(0, 99))
def test_laws(weights, seed, epoch):
    weights = np.array(weights)
    able = np.count_nonzero(weights)
    distinct = draw(weights, able, False, seed, epoch)
    assert sorted(distinct) == np.flatnonzero(weights).tolist()
    np.testing.assert_array_equal(draw(weights, max(able // 2, 1), False, seed, epoch), distinct[: max(able // 2, 1)])
    again = draw(weights, 50, True, seed, epoch)
    assert (weights[again] > 0).all()
    np.testing.assert_array_equal(draw(weights, 20, True, seed, epoch), again[:20])
    # Only proportions count.
    np.testing.assert_array_equal(draw(weights * 4.0, able, False, seed, epoch), distinct)


def test_weights_of_very_different_size():
    weights = np.array([1e-300, 1.0, 0.0, 5e-324, 1e300])
    assert draw(weights, 4, False, 0, 0)[0] == 4
    assert set(draw(weights, 4, False, 0, 0)) == {0, 1, 3, 4}
    assert set(draw(weights, 100, True, 0, 0)) == {4}
