"""Weights of ranks: they add up, agree with each other, and with sums over sizes."""

import numpy as np
import pytest

from dataaudit.neighbours.subsets import NODES, default_depth, first_weights, panels, tail_of, vote_weights

RATIOS = ("integral", 0.1, 0.5, 0.9, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9))
BOTH = pytest.mark.parametrize("inclusion", ["bernoulli", "fixed"])


@BOTH
@pytest.mark.parametrize("ratio", RATIOS, ids=str)
@pytest.mark.parametrize(("others", "depth"), [(1, 1), (2, 1), (62, 62), (256, 100), (59999, 100), (10**6, 150)])
def test_weights_add_up_to_one(others, depth, ratio, inclusion):
    weights, tail = first_weights(others, depth, ratio, inclusion)
    assert weights.shape == (depth,)
    assert (weights >= 0).all()
    assert weights.sum() + tail == pytest.approx(1, abs=1e-12)
    if depth == others:
        assert tail == pytest.approx(0, abs=1e-12)
    for k in (1, 2, 5, 15, 25):
        found = vote_weights(others, depth, k, ratio, inclusion)
        assert all((part >= 0).all() for part in found)
        assert sum(part.sum() for part in found) == pytest.approx(1, abs=1e-12)
        if depth == others:
            assert found.tail == pytest.approx(0, abs=1e-12)


@BOTH
@pytest.mark.parametrize("ratio", RATIOS, ids=str)
@pytest.mark.parametrize(("others", "depth"), [(3, 3), (62, 40), (59999, 100)])
def test_one_vote_is_the_nearest(others, depth, ratio, inclusion):
    weights, tail = first_weights(others, depth, ratio, inclusion)
    votes = vote_weights(others, depth, 1, ratio, inclusion)
    # Any one of the first t is equally likely: rank r gets the sum over t >= r of within[t] / t.
    ranks = np.arange(1, depth + 1)
    np.testing.assert_allclose(np.cumsum((votes.within[1:] / ranks)[::-1])[::-1], weights, rtol=0, atol=1e-13)
    assert votes.tail == pytest.approx(tail, abs=1e-13)
    assert votes.votes_beyond == pytest.approx(tail, abs=1e-13)


@pytest.mark.parametrize("others", [1, 2, 7, 300])
def test_the_integral_is_the_mean_over_sizes_weighted(others):
    depth = min(others, 50)
    sizes = np.arange(1, others + 1)
    drawn = [first_weights(others, depth, (size + 0.25) / (others + 1), "fixed") for size in sizes]
    mean = np.mean([weights for weights, _ in drawn], axis=0)
    np.testing.assert_allclose(first_weights(others, depth, "integral", "fixed")[0], mean, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("others", "k"), [(3, 1), (3, 5), (62, 1), (62, 5), (62, 15), (62, 25), (2000, 5)])
def test_sizes_one_by_one_give_the_integral_of_votes(others, k):
    depth = min(others, 50)
    ratios = (np.arange(1, others + 1) + 0.25) / (others + 1)
    mean = vote_weights(others, depth, k, ratios, "fixed")
    for found, wanted in zip(vote_weights(others, depth, k, "integral", "fixed"), mean, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("others", [1, 30, 59999, 10**6])
def test_the_quadrature_has_converged(others):
    assert panels(others)[1].sum() == pytest.approx(1, abs=1e-14)
    for k in (1, 5, 15, 25):
        usual, fine = (vote_weights(others, min(others, 200), k, "integral", "bernoulli", n) for n in (NODES, 80))
        for ours, finer in zip(usual, fine, strict=True):
            np.testing.assert_allclose(ours, finer, rtol=0, atol=1e-14)


def test_the_tail_of_the_integral_is_one_in_depth_plus_one():
    for inclusion in ("bernoulli", "fixed"):
        assert first_weights(59999, 100, "integral", inclusion)[1] == pytest.approx(1 / 101, abs=2e-5)


@pytest.mark.parametrize("k", [1, 5, 15])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9, (0.1, 0.9)], ids=str)
def test_the_default_depth_leaves_few_votes_beyond(k, ratio):
    depth = default_depth(k, ratio)
    assert tail_of(10**6, depth, k, ratio, "bernoulli")[1] <= 1.001e-4 or depth == 200
    assert default_depth(k, "integral") == (100 if k == 1 else 200)
    assert tail_of(10**6, 100, 1, "integral", "bernoulli")[0] < 0.01
