"""The closed form against every subset and every order of tied points, in float64."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.neighbours.closed_form import c_scores
from dataaudit.neighbours.graph import Neighbours
from dataaudit.neighbours.subsets import tail_of

BOTH = pytest.mark.parametrize("inclusion", ["bernoulli", "fixed"])
GRID = (0.1, 0.3, 0.5, 0.7, 0.9)


def credit(votes, label):
    """Share of the label in the plurality: 1, 1 / number of tied classes, or 0."""
    counts = np.bincount(votes, minlength=label + 1)
    return float(counts[label] == counts.max()) / np.count_nonzero(counts == counts.max())


def expected(subset, distances, labels, label, k):
    """Credit of the k nearest of `subset`, mean over random orders of equal distances."""
    subset = sorted(subset, key=lambda j: distances[j])
    if len(subset) <= k:
        return credit([labels[j] for j in subset], label)
    edge = distances[subset[k - 1]]
    sure = [labels[j] for j in subset if distances[j] < edge]
    tied = [labels[j] for j in subset if distances[j] == edge]
    some = list(combinations(tied, k - len(sure)))
    return sum(credit([*sure, *chosen], label) for chosen in some) / len(some)


def by_size(distances, labels, label, k):
    """Mean credit over the subsets of each size 1..M of M others: [M]."""
    others = range(len(labels))
    return [
        sum(expected(subset, distances, labels, label, k) for subset in combinations(others, size))
        / comb(len(labels), size)
        for size in range(1, len(labels) + 1)
    ]


def mixed(values, ratio, inclusion):
    """The mean over sizes: fixed, kept with probability `ratio`, or the integral over it."""
    m = len(values)
    sizes = np.arange(1, m + 1)
    if inclusion == "fixed":
        if ratio == "integral":
            return float(np.mean(values))
        return values[int(np.clip(np.rint(ratio * (m + 1)), 1, m)) - 1]

    def kept(size, s):
        # 1 - (1 - s)^M, written so that it does not cancel: s times a sum of powers.
        return comb(m, size) * s ** (size - 1) * (1 - s) ** (m - size) / sum((1 - s) ** p for p in range(m))

    if ratio == "integral":
        nodes, masses = np.polynomial.legendre.leggauss(100)
        shares = [masses @ kept(size, (nodes + 1) / 2) / 2 for size in sizes]
    else:
        shares = [kept(size, ratio) for size in sizes]
    return float(np.dot(shares, values))


def enumerated(distances, labels, k, ratio, inclusion):
    """C-scores [n] from all pairwise distances [n, n]."""
    n = len(labels)
    found = []
    for i in range(n):
        rest = [j for j in range(n) if j != i]
        values = by_size(distances[i][rest], [labels[j] for j in rest], labels[i], k)
        grid = [ratio] if isinstance(ratio, (str, float)) else ratio
        found.append(np.mean([mixed(values, one, inclusion) for one in grid]))
    return np.array(found)


def graph(distances, depth=None):
    """Neighbours of all pairwise distances [n, n]."""
    n = len(distances)
    far = distances + np.diag(np.full(n, np.inf))
    order = np.argsort(far, axis=1, kind="stable")[:, : depth or n - 1]
    return Neighbours(order, np.take_along_axis(far, order, 1))


def points(name):
    rng = np.random.default_rng(len(name))
    return {
        "distinct": (rng.normal(size=(8, 2)), [0, 0, 1, 1, 2, 0, 1, 0]),
        "tied on a line": (np.array([[0], [1], [2], [3], [4], [5], [6.0]]), [0, 1, 0, 0, 1, 2, 1]),
        "duplicates": (np.array([[0], [0], [0], [1], [1], [3], [3], [3.0]]), [0, 1, 0, 1, 2, 0, 1, 2]),
        "all equal": (np.zeros((6, 1)), [0, 0, 1, 1, 1, 2]),
        "one class": (rng.normal(size=(5, 1)), [3, 3, 3, 3, 3]),
        "all classes differ": (rng.integers(3, size=(7, 1)).astype(float), [0, 1, 2, 3, 4, 5, 6]),
        "two": (np.array([[0.0], [1.0]]), [0, 1]),
        "three": (np.array([[0.0], [1.0], [1.0]]), [0, 0, 1]),
        "square grid": (np.array([[x, y] for x in range(3) for y in range(3)][:8], float), [0, 1, 0, 1, 0, 1, 2, 0]),
    }[name]


NAMES = (
    "distinct",
    "tied on a line",
    "duplicates",
    "all equal",
    "one class",
    "all classes differ",
    "two",
    "three",
    "square grid",
)


def pairwise(x):
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))


@BOTH
@pytest.mark.parametrize("k", [1, 2, 3, 4, 6, 9])
@pytest.mark.parametrize("name", NAMES)
def test_every_subset_of_every_size(name, k, inclusion):
    x, labels = points(name)
    labels, distances = np.array(labels), pairwise(np.asarray(x))
    n = len(labels)
    sizes = [(size + 0.25) / n for size in range(1, n)] if inclusion == "fixed" else [0.05, 0.4, 0.95]
    for ratio in ("integral", GRID, *sizes):
        wanted = enumerated(distances, labels, k, ratio, inclusion)
        found = c_scores(graph(distances), labels, k, ratio, inclusion)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@BOTH
@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_beyond_the_depth_all_are_tied(depth, k, inclusion):
    x, labels = points("distinct")
    labels, distances = np.array(labels), pairwise(x)
    near = graph(distances, depth)
    # The oracle sees the same graph: whatever is not in it lies at one larger distance.
    flat = np.full_like(distances, 1e3)
    np.put_along_axis(flat, near.indices, near.distances, 1)
    for ratio in ("integral", 0.4, GRID):
        wanted = enumerated(flat, labels, k, ratio, inclusion)
        np.testing.assert_allclose(c_scores(near, labels, k, ratio, inclusion), wanted, rtol=0, atol=1e-12)


@st.composite
def tied_graphs(draw):
    """Points on a line with many ties, their labels, a depth and a random order of each row's tied neighbours."""
    n = draw(st.integers(2, 40))
    x = np.array(draw(st.lists(st.integers(0, 12), min_size=n, max_size=n)), float)
    labels = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    return x[:, None], labels, draw(st.integers(0, 2**31))


OPTIONS = st.tuples(
    st.sampled_from([1, 2, 3, 7, 15]),
    st.sampled_from(["integral", 0.1, 0.5, 0.9, (0.2, 0.8)]),
    st.sampled_from(["bernoulli", "fixed"]),
)


@settings(max_examples=150, deadline=None)
@given(tied_graphs(), OPTIONS)
def test_neither_the_order_of_ties_nor_of_rows_nor_names_of_classes_matter(made, options):
    x, labels, seed = made
    rng = np.random.default_rng(seed)
    near = graph(pairwise(x))
    scores = c_scores(near, labels, *options)
    assert ((scores >= 0) & (scores <= 1)).all()
    order = np.lexsort((rng.random(near.indices.shape), near.distances))
    shuffled = Neighbours(np.take_along_axis(near.indices, order, 1), near.distances)
    np.testing.assert_allclose(c_scores(shuffled, labels, *options), scores, rtol=0, atol=1e-12)
    rows, names = rng.permutation(len(x)), rng.permutation(5) * 3
    moved = c_scores(graph(pairwise(x[rows])), names[labels[rows]], *options)
    np.testing.assert_allclose(moved, scores[rows], rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(tied_graphs(), OPTIONS, st.integers(1, 20))
def test_what_lies_beyond_the_depth_moves_no_score_by_more_than_the_tail(made, options, depth):
    x, labels, _ = made
    near = graph(pairwise(x))
    depth = min(depth, near.depth)
    if depth < near.depth:
        # A group of ties that the depth cuts is another matter.
        depth = int(np.flatnonzero(near.starts()[0, : depth + 1])[-1]) or near.depth
    row = slice(0, 1)
    whole, cut = c_scores(near, labels, *options)[row], c_scores(near.first(depth), labels, *options)[row]
    tail = tail_of(near.depth, depth, *options)[0]
    assert abs(whole - cut) <= tail + 1e-12


def test_threads_change_nothing():
    rng = np.random.default_rng(0)
    near, labels = graph(pairwise(rng.integers(9, size=(1500, 2)).astype(float)), 30), rng.integers(6, size=1500)
    one, many = (c_scores(near, labels, 5, "integral", "bernoulli", threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one, many)


def test_many_votes_and_classes_stay_finite():
    rng = np.random.default_rng(0)
    near, labels = graph(pairwise(rng.normal(size=(120, 2))), 80), rng.integers(20, size=120)
    for inclusion in ("bernoulli", "fixed"):
        for ratio in ("integral", 0.01, 0.99):
            scores = c_scores(near, labels, 25, ratio, inclusion)
            assert ((scores >= 0) & (scores <= 1)).all()
    # All votes for one label: certain, however many there are.
    np.testing.assert_allclose(c_scores(near, np.zeros(120, int), 25, "integral", "fixed"), 1.0, rtol=0, atol=1e-12)
