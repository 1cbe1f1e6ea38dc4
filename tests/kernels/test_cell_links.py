"""Links between near rows, against what a plain reading of them gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit_kernels.cell_links import Links, linked, reverse
from dataaudit_kernels.cells import Cells


def whole_numbers(rng, n, d):
    """Rows whose distances float32 holds exactly."""
    return rng.integers(-8, 9, size=(n, d)).astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**16))
def test_links_lead_back(n, m, seed):
    rng = np.random.default_rng(seed)
    links = rng.integers(-1, n, size=(n, m)).astype(np.int32)
    found = reverse(links)
    assert found.shape == links.shape
    for row in range(n):
        want = [i for j in range(m) for i in range(n) if links[i, j] == row and i != row]
        mine = found[row][found[row] >= 0].tolist()
        assert mine == want[:m]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 5), st.integers(1, 8), st.integers(1, 12), st.integers(0, 2**16))
def test_the_nearest_of_what_was_found_and_what_it_links(n, d, m, k, seed):
    rng = np.random.default_rng(seed)
    rows, queries = whole_numbers(rng, n, d), whole_numbers(rng, 5, d)
    links = Links(rows, rng.integers(-1, n, size=(n, m)).astype(np.int32))
    value = ((queries[:, None] - rows) ** 2).sum(-1) - (queries**2).sum(1)[:, None]
    places, apart = np.full((5, k), -1), np.full((5, k), np.inf, np.float32)
    for query in range(5):
        some = rng.permutation(n)[: rng.integers(0, min(n, k) + 1)]
        some = some[np.lexsort((some, value[query, some]))]
        places[query, : len(some)], apart[query, : len(some)] = some, value[query, some]
    given_places, given_apart = places.copy(), apart.copy()
    found, values = links.expand(queries, places, apart, 1)
    np.testing.assert_array_equal(places, given_places)
    np.testing.assert_array_equal(apart, given_apart)
    for query in range(5):
        start = places[query][places[query] >= 0]
        reached = np.union1d(start, links.both[start])
        reached = reached[reached >= 0].astype(int)
        want = np.sort(value[query, reached])[:k]
        np.testing.assert_array_equal(values[query, : len(want)], want)
        assert (found[query, len(want) :] == -1).all()
        mine = found[query, : len(want)]
        assert len(set(mine.tolist())) == len(mine)
        np.testing.assert_array_equal(value[query, mine], want)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_few_cells_miss_is_found_by_links(threads):
    """Rows on a line that winds through cells of their own."""
    turn = np.linspace(0, 40, 1200)
    rows = np.stack([turn * np.cos(turn), turn * np.sin(turn)], 1).astype(np.float32)
    cells = Cells(rows, np.arange(1200), np.arange(0, 1201, 20))
    middles = rows.reshape(60, 20, 2).mean(1)

    def near(some, count=2):
        return ((some[:, None] - middles) ** 2).sum(-1).argsort(1, kind="stable")[:, :count]

    links = linked(cells, near, 12, threads, block=100)
    squares = ((rows[:, None].astype(np.float64) - rows) ** 2).sum(-1)
    edge = np.sort(squares, axis=1)[:, 29:30] + 1e-3
    found = [cells.search(rows, near(rows, 1), 30, threads)]
    found.append(links.expand(rows, *found[0], threads))
    shares = []
    for places, _ in found:
        apart = np.where(places < 0, np.inf, np.take_along_axis(squares, np.maximum(places, 0), 1))
        shares.append((apart <= edge).mean())
    assert shares[0] < 0.7
    assert shares[1] > shares[0] + 0.15
    # A round of NN-descent finds nearer rows to link to than the cells alone.
    alone, _ = cells.search(rows, near(rows), 13, threads)
    tight = np.sort(squares, axis=1)[:, 12:13] + 1e-6
    reach = [(squares[np.arange(1200)[:, None], to] <= tight) & (to >= 0) for to in (alone[:, 1:], links.both[:, :12])]
    assert reach[1].mean() > reach[0].mean() + 0.02
    again = linked(cells, near, 12, 1, block=100)
    np.testing.assert_array_equal(again.both, links.both)


def test_rows_at_one_place():
    rows = np.zeros((30, 2), np.float32)
    cells = Cells(rows, np.arange(30), np.array([0, 30]))
    links = linked(cells, lambda some: np.zeros((len(some), 1), np.int64), 40, 1)
    places, apart = links.expand(rows[:3], *cells.search(rows[:3], np.zeros((3, 1), np.int64), 50, 1), 1)
    assert (np.sort(places[:, :30]) == np.arange(30)).all()
    assert (places[:, 30:] == -1).all()
    assert (apart[:, :30] == 0).all()
