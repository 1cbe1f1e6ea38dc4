"""Labels around each example against a plain loop."""

import tracemalloc

import numpy as np
import pytest

from dataaudit.neighbours import labels as neighbour_labels
from dataaudit.neighbours.labels import NeighbourLabelsNeed, labels_around
from dataaudit.neighbours.search import Faiss, Torch
from dataaudit.representations.spaces import Space

NEED = NeighbourLabelsNeed(Space("input"))


def cloud(n, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return rng.normal(size=(n, 3)) + labels[:, None], labels


def plain(inputs, labels, classes, among, depth):
    shares, same, votes = [], [], []
    for i, row in enumerate(inputs):
        others = np.array([j for j in among if j != i])
        near = others[np.argsort(((inputs[others] - row) ** 2).sum(1), kind="stable")][:depth]
        count, weight = np.zeros(classes), np.bincount(np.delete(labels, i), minlength=classes) / (len(labels) - 1)
        for rank, j in enumerate(near, 1):
            count[labels[j]] += 1
            weight[labels[j]] += 1 / rank
        shares.append(weight / weight.sum())
        same.append(count[labels[i]])
        votes.append(count.max())
    return np.array(shares), np.array(same), np.array(votes)


@pytest.mark.parametrize("search", [Faiss(), Torch(block=500)])
@pytest.mark.parametrize(("n", "among"), [(63, 20000), (257, 100)])
def test_it_equals_a_plain_loop(search, n, among):
    inputs, labels = cloud(n)
    found = labels_around(NEED, inputs, {}, labels, 4, search, 3, False, depth=10, among=among, queries=50)
    chosen = np.sort(np.random.default_rng(3).permutation(n)[:among])
    shares, same, votes = plain(inputs, labels, 4, chosen, 10)
    np.testing.assert_allclose(found.probabilities.dense(slice(0, n)), shares, atol=1e-6)
    np.testing.assert_array_equal(found.same, same)
    np.testing.assert_array_equal(found.votes, votes)
    assert found.settings["among"] == min(n, among)
    assert found.depth == 10


def test_an_example_has_no_vote_in_its_own_case():
    inputs, labels = cloud(40)
    turned = labels.copy()
    turned[7] = (turned[7] + 1) % 4
    one, other = (
        labels_around(NEED, inputs, {}, y, 4, Faiss(), 0, False).probabilities.dense(slice(7, 8))
        for y in (labels, turned)
    )
    np.testing.assert_allclose(one, other, atol=1e-7)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_a_common_factor_changes_nothing(factor):
    inputs, labels = cloud(100)
    one, other = (labels_around(NEED, x, {}, labels, 4, Faiss(), 0, False) for x in (inputs, inputs * factor))
    np.testing.assert_array_equal(one.same, other.same)


def test_duplicates_and_few_examples():
    found = labels_around(NEED, np.zeros((5, 2)), {}, np.array([0, 0, 1, 1, 1]), 2, Faiss(), 0, False)
    assert found.depth == 4
    np.testing.assert_array_equal(found.same, [1, 1, 2, 2, 2])


def test_rows_outside_the_sample_may_have_too_few_neighbours():
    """A search of one cell finds fewer than are asked for, and says -1."""
    inputs, labels = cloud(600)
    search = Faiss("ivf", cells=30, probes=1, gpu=False)
    found = labels_around(NEED, inputs.astype(np.float32), {}, labels, 4, search, 0, False, among=300)
    dense = found.probabilities.dense(slice(0, 600))
    np.testing.assert_allclose(dense.sum(1), 1, atol=1e-6)
    assert (found.votes <= found.depth).all()


def test_the_sample_is_centred_block_by_block(monkeypatch):
    inputs, labels = cloud(300)
    whole = labels_around(NEED, inputs, {}, labels, 4, Torch(), 0, False, among=100)
    for name in ("PART_VALUES", "QUERY_VALUES"):
        monkeypatch.setattr(neighbour_labels, name, 30)
    blocks = labels_around(NEED, inputs, {}, labels, 4, Torch(), 0, False, among=100)
    np.testing.assert_array_equal(blocks.same, whole.same)
    np.testing.assert_array_equal(blocks.votes, whole.votes)
    rows = np.ones((1000, 1000), np.float32)
    tracemalloc.start()
    try:
        neighbour_labels._centred(rows, np.zeros(1000), 1.0)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * rows.nbytes
    finally:
        tracemalloc.stop()
