"""Class probabilities: dense and sketched, and what is left over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataaudit.common import probabilities
from dataaudit.common.probabilities import ClassProbabilities, blocks, spread


def some(n, classes, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), n)


def test_dense_shares_come_back_as_they_were_put():
    given_probabilities, labels = some(50, 7), np.arange(50) % 7
    found = ClassProbabilities.empty(50, 7)
    found.put(slice(0, 50), given_probabilities, labels)
    assert found.classes is None
    np.testing.assert_allclose(found.dense(slice(10, 20)), given_probabilities[10:20], atol=1e-6)


def test_a_sketch_keeps_the_likeliest_and_the_own_class():
    given_probabilities, labels = some(40, 30), np.arange(40) % 30
    found = ClassProbabilities.empty(40, 30, dense_elements=10)
    found.put(np.arange(40), given_probabilities, labels)
    assert found.values.shape == (40, probabilities.SLOTS)
    dense = found.dense(slice(0, 40))
    np.testing.assert_allclose(dense.sum(1), 1.0, atol=1e-6)
    rows = np.arange(40)
    np.testing.assert_allclose(dense[rows, labels], given_probabilities[rows, labels], atol=1e-6)
    best = given_probabilities.argmax(1)
    np.testing.assert_allclose(dense[rows, best], given_probabilities[rows, best], atol=1e-6)


@given(st.integers(1, 20), st.integers(2, 12), st.integers(0, 1000))
def test_rows_add_up_to_one_whatever_is_kept(n, classes, seed):
    rng = np.random.default_rng(seed)
    kept = np.array([rng.permutation(classes)[:2] for _ in range(n)])
    kept[rng.random(kept.shape) < 0.3] = -1
    values = rng.random(kept.shape) * 0.5
    np.testing.assert_allclose(spread(kept, values, classes).sum(1), 1.0)


def test_a_row_without_mass_is_uniform():
    np.testing.assert_array_equal(spread(None, np.full((1, 4), np.nan), 4), np.full((1, 4), 0.25))


@pytest.mark.parametrize(("n", "classes"), [(1, 2), (257, 3), (5, 10**7)])
def test_blocks_cover_every_row_once(n, classes):
    rows = np.concatenate([np.arange(n)[block] for block in blocks(n, classes)])
    np.testing.assert_array_equal(rows, np.arange(n))
