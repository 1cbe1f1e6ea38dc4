"""Nearest rows and kernel sums of queries among rows, against float64 loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.findings import cross
from dataaudit.findings.novelty import novelty


def naive(queries, rows, labels, classes, h):
    apart = np.linalg.norm(queries[:, None].astype(float) - rows[None].astype(float), axis=2)
    sums = np.stack([np.exp(-((apart[:, labels == c] / h) ** 2)).sum(1) for c in range(classes)], 1)
    return np.sort(apart, 1), sums


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 63), st.integers(1, 5), st.integers(0, 1000), st.sampled_from([16, 64, 2**22])
)
def test_they_are_what_loops_find_whatever_the_blocks(m, n, d, seed, values):
    rng = np.random.default_rng(seed)
    rows, queries = rng.normal(size=(n, d)) + 50, rng.normal(size=(m, d)) + 50
    queries[0] = rows[-1]
    labels = rng.integers(0, 3, n)
    depth = min(n, 4)
    found = cross.surroundings(queries, rows, labels, 3, depth, 0.8, False, values=values)
    distances, sums = naive(queries, rows, labels, 3, 0.8)
    np.testing.assert_allclose(found.distances, distances[:, :depth], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.kernels, sums, rtol=1e-8, atol=1e-12)
    assert found.distances[0, 0] == 0.0
    measured = np.linalg.norm(queries[:, None] - rows[found.indices], axis=2)
    np.testing.assert_allclose(measured, found.distances, atol=1e-6)


def test_pixels_are_compared_without_wrapping_around():
    rows = np.array([[0, 255], [255, 0]], np.uint8)
    found = cross.surroundings(np.array([[255, 255]], np.uint8), rows, np.array([0, 1]), 2, 2, None, False)
    assert found.distances.tolist() == [[255.0, 255.0]]
    assert found.kernels is None


def test_the_ratio_is_the_distance_in_what_the_neighbours_have():
    rows = np.arange(10.0)[:, None]
    placed = novelty(np.array([[4.0], [14.0]]), rows, np.arange(10) % 2, 2, 1, "1x", 0, False)
    # 4 is an audited row, 14 is 5 from the last, which is 1 from its own neighbour.
    assert placed.distance.tolist() == [0.0, 5.0]
    assert placed.ratio.tolist() == [0.0, 5.0]
    assert placed.nearest.tolist() == [4, 9]
    assert placed.votes.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_equal_audited_rows_leave_no_bandwidth_and_no_error():
    placed = novelty(np.array([[1.0], [2.0]]), np.ones((5, 1)), np.array([0, 1, 1, 0, 1]), 2, 3, "1x", 0, False)
    assert placed.ratio.tolist() == [1.0, np.inf]
    assert placed.density.tolist() == [1.0, 0.0]
    np.testing.assert_allclose(placed.parzen.sum(1), 1.0)
