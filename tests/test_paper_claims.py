"""The paper's claims: what is judged by which difference, on values whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.paper import dynamics, evidence, schedules
from benchmarks.paper.intervals import correlation_gap, least_step, mean_gap
from benchmarks.paper.laws import Claim
from benchmarks.paper.measures import early_above_last, that_learned
from benchmarks.paper.open_questions import apart
from benchmarks.paper.result import NotMade

RNG = np.random.default_rng(0)


def test_the_better_proxy_is_told_from_the_worse():
    truth = RNG.random(300)
    better, worse = truth + 0.2 * RNG.normal(size=300), truth + RNG.normal(size=300)
    value, lower, upper = correlation_gap(truth, better, worse)
    assert 0 < lower < value < upper
    assert correlation_gap(truth, worse, better)[2] < 0
    with pytest.raises(NotMade, match="the same for every example"):
        correlation_gap(truth, np.ones(300), worse)


def test_intervals_that_hold_together_are_wider():
    values = RNG.normal(size=100)
    alone, together = mean_gap(values), mean_gap(values, of=50)
    assert alone[0] == together[0] == pytest.approx(values.mean())
    assert together[1] < alone[1] < alone[2] < together[2]
    with pytest.raises(NotMade, match="fewer than 20"):
        mean_gap(values, values[:19])


def test_one_fall_among_groups_is_found():
    groups = np.repeat([0, 1, 2, -1], 50)
    rising = groups + 0.1 * RNG.normal(size=200)
    falling = np.where(groups == 2, -1.0, rising)
    assert least_step(rising[None], groups)[3][1] > 0
    row, low, high, interval = least_step(np.array([rising, falling]), groups)
    assert (row, low, high) == (1, 1, 2)
    assert interval[2] < 0
    with pytest.raises(NotMade, match="three groups"):
        least_step(rising[None, :100], groups[:100])


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.2, 0.1, 0.3), "holds"),
        ((-0.2, -0.3, -0.1), "does not hold"),
        ((0.1, -0.1, 0.3), "cannot be told here"),
    ],
)
def test_a_claim_is_judged_by_its_interval(interval, verdict):
    assert Claim("said", lambda setting, data: ("difference", interval)).judge(None, None).verdict == verdict


def test_what_data_cannot_tell_says_why():
    def untold(setting, data):
        raise NotMade("too few")

    law = Claim("said", untold).judge(None, None)
    assert (law.verdict, law.why) == ("cannot be told here", "too few")


def test_a_network_that_learned_nothing_says_nothing_of_what_is_learned_when():
    labels = np.arange(40) % 4

    def ended(right):
        correct = np.arange(40)[None] < right
        return [evidence.Recording(correct, correct, correct, np.full(1, np.nan))]

    assert len(that_learned(ended(16), labels, "Adam")) == 1
    with pytest.raises(NotMade, match=r"by Adam this network gets 28 % right .* class has 25 %"):
        that_learned(ended(11), labels, "Adam")
    assert len(that_learned(ended(40), np.arange(40) // 36, "Adam")) == 1, "the commonest class has nine in ten"


def test_the_best_of_many_equal_epochs_is_not_taken_for_an_early_peak(monkeypatch):
    rng, truth = np.random.default_rng(1), np.linspace(0, 1, 400)
    noise = (truth + rng.normal(size=(40, 400))).astype(np.float16)
    run = evidence.Recording(noise > 0, noise, noise, np.full(40, np.nan))
    monkeypatch.setattr(evidence, "truth", lambda setting, data: evidence.Truth(truth, "known"))
    monkeypatch.setattr(dynamics, "main_run", lambda setting, data: run)
    _, (_, lower, upper) = early_above_last(None, None)
    assert lower < 0 < upper


def test_groups_of_equal_size_leave_out_those_with_few_examples():
    truth = np.concatenate([np.full(25, 0.05), np.full(40, 0.6), np.full(100, 0.95), np.full(5, 0.2), [np.nan]])
    rows = schedules.equal_groups(truth, seed=0)
    kept, counts = np.unique(truth[rows], return_counts=True)
    np.testing.assert_array_equal(kept, [0.05, 0.6, 0.95])
    np.testing.assert_array_equal(counts, 25)
    with pytest.raises(NotMade, match="fewer than two groups"):
        schedules.equal_groups(truth[:25], seed=0)


def test_exceptions_and_regular_examples_share_none():
    low, high = schedules.ends(np.array([0.1] * 10 + [1.0] * 90 + [np.nan]))
    assert low[:10].all()
    assert not low[10:].any()
    assert high[10:100].all()
    assert not high[100]
    assert not schedules.ends(np.ones(20))[1].any()
    with pytest.raises(NotMade, match="no example has a C-score"):
        schedules.ends(np.full(20, np.nan))


def test_people_and_networks_that_differ_come_first():
    truth, agreed = np.array([0.0, 0.0, *np.full(20, 0.5), 1.0, 1.0]), np.full(24, 0.7)
    agreed[[1, 23]] = 0.99, 0.2
    below, above = apart(truth, agreed)
    assert (below[0], above[0]) == (1, 23)
