"""Memory of audits with many classes: little beside the table of probabilities, and nothing of one that is mapped."""

import tracemalloc

import numpy as np
import pytest

from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities, blocks
from dataaudit.labels.combine import combined
from dataaudit.labels.label_errors import estimate_label_errors
from dataaudit.neighbours.labels import NeighbourLabelsNeed, labels_around
from dataaudit.neighbours.search import resolve
from dataaudit.pipeline.evidence_sources.predictions import predictions_of
from dataaudit.representations.spaces import Space


def peak(call):
    """Bytes allocated at most during a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_mapped_table_is_read_block_by_block(tmp_path):
    n, classes = 3000, 1000
    labels = np.arange(n) % classes
    table = np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.float32, (n, classes))
    table[:] = 0.1 / (classes - 1)
    table[np.arange(n), labels] = 0.9
    table.flush()
    mapped, names, known = np.load(tmp_path / "p.npy", mmap_mode="r"), tuple(map(str, range(classes))), np.ones(n, bool)
    brought = predictions_of(mapped, labels, names)
    assert peak(lambda: predictions_of(mapped, labels, names)) < table.nbytes
    # Where a row has no label, too.
    without, left_out = np.delete(labels, 7), np.array([7])
    assert peak(lambda: predictions_of(mapped, without, names, left_out)) < table.nbytes
    some = predictions_of(mapped, without, names, left_out).probabilities
    np.testing.assert_array_equal(some.dense(slice(5, 9)), brought.probabilities.dense(slice(5, 10))[[0, 1, 3, 4]])
    product = combined({"heldout": brought.probabilities}, labels, classes)
    assert peak(lambda: combined({"heldout": brought.probabilities}, labels, classes)) < 2 * table.nbytes
    together = CombinedProbabilities(product, product, known, ~known)
    # Tables of all pairs of classes are 8 MiB each.
    assert peak(lambda: estimate_label_errors(together, labels, classes)) < 4 * 8 * classes**2


@pytest.mark.parametrize(("n", "classes"), [(300, 60), (3000, 1000)])
def test_votes_give_the_probabilities_that_a_table_holds(n, classes):
    """In one block, and in many."""
    rng = np.random.default_rng(0)
    labels, rows = np.arange(n) % classes, rng.normal(size=(n, 3))
    need, search = NeighbourLabelsNeed(Space("input")), resolve("torch")
    table, votes = (
        labels_around(need, rows, {}, labels, classes, search, 0, False, depth=20, **options).probabilities
        for options in ({"dense_elements": 0}, {})
    )
    assert isinstance(table, ClassProbabilities)
    assert not isinstance(votes, ClassProbabilities)
    parts = list(blocks(n, classes))
    assert (len(parts) == 1) == (n == 300)
    for part in parts:
        np.testing.assert_array_equal(table.dense(part), votes.dense(part))
