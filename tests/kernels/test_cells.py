"""Search of cells by matrix products, against all distances to the rows of those cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit_kernels.cells import Cells


def sorted_cells(rng, n, d, count):
    """Rows around centres, sorted by cell; some cells are empty."""
    own = np.sort(rng.integers(count, size=n))
    rows = (rng.normal(size=(count, d))[own] + rng.normal(size=(n, d))).astype(np.float32)
    return rows, own, Cells(rows, rng.permutation(n), np.searchsorted(own, np.arange(count + 1)))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 120),
    d=st.integers(1, 9),
    count=st.integers(1, 12),
    k=st.integers(1, 30),
    seed=st.integers(0, 2**16),
)
def test_equals_all_distances_to_the_rows_of_those_cells(n, d, count, k, seed):
    rng = np.random.default_rng(seed)
    rows, own, cells = sorted_cells(rng, n, d, count)
    queries = rng.normal(size=(7, d)).astype(np.float32)
    near = np.array([rng.permutation(count)[: max(1, count // 2)] for _ in queries])
    names, apart = cells.search(queries, near, k, 1)
    wide = ((queries[:, None].astype(np.float64) - rows) ** 2).sum(-1)
    for query in range(7):
        seen = np.flatnonzero(np.isin(own, near[query]))
        want = np.sort(wide[query, seen])[:k]
        found = names[query][names[query] >= 0]
        assert len(set(found.tolist())) == len(found) == len(want)
        assert (names[query, len(want) :] == -1).all()
        assert np.isinf(apart[query, len(want) :]).all()
        back = np.argsort(cells.names)
        assert np.isin(back[found], seen).all()
        room = 1e-5 * (1 + (rows**2).sum(1).max())
        np.testing.assert_allclose(wide[query, back[found]], want, atol=room)
        whole = apart[query, : len(want)] + (queries[query].astype(np.float64) ** 2).sum()
        np.testing.assert_allclose(whole, want, atol=room)


def test_rows_at_one_distance_come_in_the_order_of_their_places():
    rows = np.zeros((50, 3), np.float32)
    cells = Cells(rows, np.arange(50), np.array([0, 20, 50]))
    names, apart = cells.search(np.ones((4, 3), np.float32), np.array([[0, 1]] * 4), 60, 2)
    assert (names[:, :50] == np.arange(50)).all()
    assert (names[:, 50:] == -1).all()
    assert (apart[:, :50] == 0).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_pieces_and_threads_change_nothing(threads):
    rng = np.random.default_rng(0)
    _, _, cells = sorted_cells(rng, 2000, 5, 30)
    # Whole numbers, whose products no order of additions rounds.
    cells = Cells(np.round(4 * cells.rows), cells.names, cells.starts)
    queries = np.round(4 * rng.normal(size=(300, 5))).astype(np.float32)
    near = np.array([rng.permutation(30)[:8] for _ in queries])
    whole = cells.search(queries, near, 10, 1)
    pieces = Cells(cells.rows, cells.names, cells.starts, block=37).search(queries, near, 10, threads)
    np.testing.assert_array_equal(pieces[0], whole[0])
    np.testing.assert_array_equal(pieces[1], whole[1])
    smaller = Cells(cells.rows, cells.names, cells.starts, block=37, products=100)
    np.testing.assert_array_equal(smaller.search(queries, near, 10, threads)[1], whole[1])


def test_more_cells_than_sixteen_bits_count():
    count = 2**16 + 5
    # Whole numbers: no difference is lost to rounding.
    rows = np.stack([np.arange(count) % 256, np.arange(count) // 256], 1).astype(np.float32)
    cells = Cells(rows, np.arange(count), np.arange(count + 1))
    queries = rows[[3, 2**16 + 2]]
    near = np.array([[2, 3, 4], [2**16 + 1, 2**16 + 2, 2**16 + 4]])
    assert cells.search(queries, near, 1, 1)[0].tolist() == [[3], [2**16 + 2]]
