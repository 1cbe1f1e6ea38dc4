"""Samples that hold their share of every label, and how far their errors are corrected."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit_kernels.sampled_errors import inflation, spread_order
from dataaudit_kernels.sampled_estimate import Sample, estimate
from dataaudit_kernels.taylor import basis_of


@given(st.lists(st.integers(0, 5), max_size=80), st.integers(0, 2**16))
def test_every_beginning_holds_its_share_of_each_label(labels, seed):
    given_labels = np.array(labels, np.int64)
    order = spread_order(given_labels, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))
    for label in np.unique(given_labels):
        held = np.cumsum(given_labels[order] == label)
        share = np.arange(1, len(labels) + 1) * np.mean(given_labels == label)
        # Where a beginning ends depends on all labels' chances: one for its own, and one for that.
        assert np.abs(held - share).max() < 2


def test_every_row_is_drawn_as_often_as_any_other():
    labels = np.repeat([0, 1, 2], [3, 10, 47])
    seen = np.zeros(60)
    for seed in range(4000):
        seen[spread_order(labels, np.random.default_rng(seed))[:20]] += 1
    # 5 standard errors of a share of a third.
    np.testing.assert_allclose(seen / 4000, 1 / 3, atol=5 * np.sqrt(2 / 9 / 4000))


def drawn(seed=0, m=60, d=3):
    rng = np.random.default_rng(seed)
    members = rng.normal(size=(m, d)).astype(np.float32)
    labels = rng.integers(4, size=m)
    return rng.normal(size=(5, d)).astype(np.float32), Sample(members, basis_of(members, 0.3, d), labels)


def test_terms_add_up_to_the_moments():
    rows, sample = drawn()
    terms, moments = sample.terms(rows), sample.moments(rows).sum(1)
    np.testing.assert_allclose(terms.sum(1), moments[:, 1:5], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose((terms[..., :1] * terms).sum(1), moments[:, 5:9], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("controls", [True, False])
def test_equals_fits_without_each_member(controls):
    rows, sample = drawn()
    out = sample.labels == 3
    want = []
    for row, terms in enumerate(sample.terms(rows)):
        values, labels = terms[~out, 0], sample.labels[~out]
        wide = np.column_stack([np.ones(len(values)), terms[~out, 1:]]) if controls else np.ones((len(values), 1))
        alone = np.empty(len(values))
        for member in range(len(values)):
            others = np.arange(len(values)) != member
            alone[member] = values[member] - wide[member] @ np.linalg.lstsq(wide[others], values[others], rcond=None)[0]
        within = sum(np.mean(labels == label) * alone[labels == label].var(ddof=1) for label in range(3))
        residuals = values - wide @ np.linalg.lstsq(wide, values, rcond=None)[0]
        want.append(within / (residuals @ residuals / (len(values) - wide.shape[1])))
        assert want[row] > 0
    found = inflation(rows, sample, np.tile(out, (5, 1)), controls)
    assert found == pytest.approx(np.mean(want), rel=1e-5)


def test_the_label_explains_what_varies():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    members = (rng.normal(size=(200, 2)) / 20 + 3 * labels[:, None]).astype(np.float32)
    sample = Sample(members, basis_of(members, 0.3, 2), labels)
    assert inflation(members[:4], sample, np.zeros((4, 200), bool), False) < 0.05


def test_few_members_and_constant_values_change_nothing():
    rows, sample = drawn(m=20)
    assert inflation(rows, sample, np.zeros((5, 20), bool), True) == 1
    same = np.ones((50, 2), np.float32)
    sample = Sample(same, basis_of(rows[:, :2], 0.3, 2), np.zeros(50, np.int64))
    assert inflation(same[:3], sample, np.zeros((3, 50), bool), False) == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(32, 60), st.integers(1, 40), st.integers(0, 2**16))
def test_labels_of_few_members_share_a_stratum(m, labels, seed):
    rng = np.random.default_rng(seed)
    members = rng.normal(size=(m, 2)).astype(np.float32)
    sample = Sample(members, basis_of(members, 0.3, 2), rng.integers(labels, size=m))
    found = inflation(members[:3] + 1, sample, np.zeros((3, m), bool), False)
    assert np.isfinite(found)
    assert found > 0


def test_a_stratified_sample_misses_by_less():
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(5), 200)
    population = (rng.normal(size=(1000, 4)) + 2 * rng.normal(size=(5, 4))[labels]).astype(np.float32)
    basis = basis_of(population, 0.05, 4)
    rows = population[::50]
    whole = Sample(population, basis).moments(rows)[:, :, 1].sum(1)
    size = np.full(len(rows), 1000)
    errors = []
    for order in (lambda: rng.permutation(1000), lambda: spread_order(labels, rng)):
        found = [estimate(Sample(population[order()[:100]], basis).moments(rows), size, None).total for _ in range(60)]
        errors.append(np.sqrt(np.mean((found - whole) ** 2)))
    assert errors[1] < 0.7 * errors[0]
