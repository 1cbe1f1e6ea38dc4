"""Which rows runs train on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.errors import SettingError
from dataaudit.holdout.plan import Plan, Run, check_ratio, stratified_folds

DESIGNS = ("random", "stratified", "balanced", "nested")
plans = st.tuples(
    st.integers(2, 70), st.floats(0.02, 0.98), st.sampled_from(DESIGNS), st.integers(0, 2**40), st.integers(1, 4)
)


@given(plans, st.integers(0, 40))
@settings(deadline=None)
def test_a_subset_has_its_size_and_depends_on_its_run_alone(made, number):
    n, ratio, design, seed, classes = made
    labels = np.arange(n) % classes
    plan, again = Plan(labels, seed, design), Plan(labels, seed, design)
    for earlier in range(number):
        plan.held_out(Run(ratio, earlier))
    run = Run(ratio, number)
    held = plan.held_out(run)
    assert held.shape == (n,)
    assert (~held).sum() == plan.size(ratio)
    assert 1 <= plan.size(ratio) <= n - 1
    np.testing.assert_array_equal(held, again.held_out(run))
    np.testing.assert_array_equal(plan.train(run), np.flatnonzero(~held))
    assert plan.training_seed(run) == again.training_seed(run)
    assert plan.training_seed(run) != plan.training_seed(Run(ratio, number + 1))


def test_a_random_subset_is_the_documented_one():
    plan = Plan(np.zeros(20, np.int64), seed=5)
    order = np.random.default_rng([5, 700_000, 3]).permutation(20)
    np.testing.assert_array_equal(plan.train(Run(0.7, 3)), np.sort(order[:14]))


@given(st.integers(2, 60), st.floats(0.02, 0.98), st.integers(1, 60), st.integers(0, 9))
@settings(deadline=None)
def test_balanced_counts_differ_by_at_most_one(n, ratio, runs, seed):
    plan = Plan(np.zeros(n, np.int64), seed, "balanced")
    counts = np.zeros(n, int)
    for number in range(runs):
        counts += plan.held_out(Run(ratio, number))
        assert np.ptp(counts) <= 1


def test_balanced_subsets_are_not_all_windows_of_one_permutation():
    plan = Plan(np.zeros(40, np.int64), 0, "balanced")
    together = np.zeros((40, 40))
    for number in range(2000):
        held = plan.held_out(Run(0.7, number)).astype(float)
        together += np.outer(held, held)
    pairs = together[~np.eye(40, dtype=bool)] / 2000
    # Two rows are held out together with probability (12/40)(11/39).
    assert abs(pairs.mean() - 12 / 40 * 11 / 39) < 1e-9
    assert np.abs(pairs - pairs.mean()).max() < 6 * np.sqrt(0.085 * 0.915 / 2000)


@given(st.integers(6, 90), st.floats(0.1, 0.9), st.integers(2, 5), st.integers(0, 20))
@settings(deadline=None)
def test_strata_keep_their_share(n, ratio, classes, number):
    labels = np.sort(np.arange(n) % classes)
    plan = Plan(labels, 1, "stratified")
    taken = np.bincount(labels[plan.train(Run(ratio, number))], minlength=classes)
    share = np.bincount(labels) * plan.size(ratio) / n
    assert (np.abs(taken - share) < 1 + 1e-9).all()


def test_nested_subsets_are_nested_and_odd_runs_read_backwards():
    plan = Plan(np.zeros(31, np.int64), 0, "nested")
    small, large = plan.train(Run(0.2, 4)), plan.train(Run(0.6, 4))
    assert set(small) < set(large)
    np.testing.assert_array_equal(plan.order(Run(0.2, 5)), plan.order(Run(0.6, 4))[::-1])
    assert not np.array_equal(plan.order(Run(0.2, 4)), plan.order(Run(0.2, 6)))


@given(st.integers(2, 60), st.integers(2, 5), st.integers(0, 9))
@settings(deadline=None)
def test_folds_hold_every_row_out_once_a_repetition(n, folds, seed):
    folds = min(folds, n)
    plan = Plan(np.arange(n) % 3, seed, "folds", folds)
    for repetition in range(2):
        runs = [Run(1 - 1 / folds, repetition * folds + fold) for fold in range(folds)]
        np.testing.assert_array_equal(np.sum([plan.held_out(run) for run in runs], axis=0), np.ones(n, int))


def test_repetitions_of_folds_differ():
    plan = Plan(np.arange(60) % 3, 0, "folds", 3)
    assert not np.array_equal(plan.held_out(Run(2 / 3, 0)), plan.held_out(Run(2 / 3, 3)))
    sizes = np.bincount(stratified_folds(np.arange(60) % 3, 3, 0))
    assert sizes.tolist() == [20, 20, 20]


def test_the_fingerprint_tells_plans_apart_and_not_their_length():
    labels = np.arange(12) % 3
    plan = Plan(labels, 0)
    assert plan.fingerprint == Plan(labels, 0).fingerprint
    others = [Plan(labels, 1), Plan(labels[:11], 0), Plan(labels, 0, "balanced")]
    others += [Plan(labels, 0, "folds", count) for count in (2, 3)]
    prints = {plan.fingerprint, *(other.fingerprint for other in others)}
    assert len(prints) == 6
    assert Plan(labels, 0, "stratified").fingerprint != Plan(labels[::-1].copy(), 0, "stratified").fingerprint


@pytest.mark.parametrize("ratio", [0, 1, 1.5, -0.1, float("nan"), "0.7", True, None, 1e-9])
def test_wrong_ratios(ratio):
    with pytest.raises(SettingError, match="between 0 and 1"):
        check_ratio(ratio)
