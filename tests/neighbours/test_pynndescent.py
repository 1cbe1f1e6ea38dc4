"""The search by pynndescent: one file, for the package compiles for half a minute in each process."""

import sys

import numpy as np
import pytest

from dataaudit import NeighbourCScore, score
from dataaudit.errors import MissingPackageError, SettingError
from dataaudit.neighbours.base import GraphIndex, near_rows
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed, labels_around
from dataaudit.neighbours.search import PyNNDescent, name_of, resolve
from dataaudit.representations.spaces import Space
from dataaudit.testing import SearchContract


def rows(n=1500, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def found(x, depth, search=None, seed=0):
    return neighbour_graph(NeighbourNeed(Space("input"), depth=depth), x, {}, search or PyNNDescent(), seed, False)


class TestPyNNDescent(SearchContract):
    recall = 0.9

    def search(self):
        return PyNNDescent()


def test_its_own_rows_have_the_nearest_of_all():
    x = rows(600, 5)
    x[:200] = x[200:400]
    graph = found(x, 20)
    apart = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(2)
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_allclose(graph.distances**2, np.sort(apart, 1)[:, :20], rtol=1e-9, atol=1e-12)
    settings = graph.settings
    assert (settings["search"], settings["recall"], settings["n_neighbors"]) == ("pynndescent", 1.0, 36)
    assert settings["max_candidates"] == 30
    again = found(x, 20)
    np.testing.assert_array_equal(again.indices, graph.indices)
    assert {**again.settings, "seconds": 0} == {**settings, "seconds": 0}


@pytest.mark.parametrize("factor", [2.0**-90, 2.0**60])
def test_neither_a_factor_nor_an_offset_changes_neighbours(factor):
    x = rows(300, 4)
    plain = found(x, 5).indices
    np.testing.assert_array_equal(found(x * np.float32(factor), 5).indices, plain)
    np.testing.assert_array_equal(found(x.astype(np.float64) + 1000, 5).indices, plain)


def test_equal_rows_and_as_many_neighbours_as_there_are():
    graph = found(np.full((40, 3), 7.0, np.float32), 100)
    assert graph.depth == 39
    assert (graph.distances == 0).all()


def test_more_candidates_where_few_find_too_little():
    x = rows(3000, 24)
    easy, hard = (found(x, 20, PyNNDescent(recall=recall)).settings for recall in (0.3, 1.0))
    assert (easy["max_candidates"], easy["delta"]) == (30, 0.01)
    assert (hard["max_candidates"], hard["delta"]) == (60, 0.001)
    assert hard["recall"] > easy["recall"]
    assert abs(easy["recall"] - easy["tried_recall"]) < 0.05
    given = found(x, 20, PyNNDescent(max_candidates=5, delta=0.1, n_neighbors=50)).settings
    assert (given["max_candidates"], given["delta"], given["n_neighbors"]) == (5, 0.1, 50)
    assert "tried_recall" not in given


def test_a_recall_that_cannot_be_had_is_told_with_what_can_be_done():
    x = rows(1500, 24)
    search = PyNNDescent(max_candidates=1, recall=1.0)
    scorer = NeighbourCScore("input", depth=20, name="near")
    audit = score(None, (x, np.arange(1500) % 3), scorer, search=search, progress=False)
    how = audit.settings["neighbours"]["near"][0]
    assert how["recall"] < how["wanted_recall"]
    [note] = [note for note in audit.settings["notes"] if "the search found" in note]
    assert note == (
        f"near: the search found {how['recall']:.1%} of the nearest neighbours, where 100.0% were wanted; "
        "for more of them pass PyNNDescent(max_candidates=...) with more than 1 of at most 100"
    )


def test_labels_around_rows_of_the_graph_and_around_others():
    """A graph is built of the rows it is asked about, and of no sample that other rows are compared with."""
    x, labels = rows(400, 3), np.arange(400) % 3
    need = NeighbourLabelsNeed(Space("input"))
    for among, built in ((400, True), (300, False)):
        ours, exact = (
            labels_around(need, x, {}, labels, 3, resolve(search), 0, False, depth=10, among=among)
            for search in ("pynndescent", "torch")
        )
        assert (ours.same == exact.same).mean() > 0.97
        assert ours.settings["index"] == ("graph" if built else "exact")


def test_answers_are_a_part_of_the_graph():
    x = rows(300, 4)
    index = PyNNDescent().open(x, 12)
    positions = np.array([7, 3, 299])
    near = near_rows(index, x, positions, 5)
    assert isinstance(index, GraphIndex)
    assert near.dtype == np.int64
    np.testing.assert_array_equal(near[:, 0], positions)
    np.testing.assert_array_equal(near, near_rows(index, x, positions, 12)[:, :5])


def test_many_neighbours_of_each_are_found_and_all_others_too():
    x = rows(700, 6)
    for depth in (100, 699):
        graph = found(x, depth)
        assert graph.settings["recall"] > 0.96
        assert np.isfinite(graph.distances).all()


@pytest.mark.parametrize(
    "options",
    [
        {"n_neighbors": 0},
        {"max_candidates": 1.5},
        {"max_candidates": 101},
        {"delta": 1},
        {"recall": 0},
        {"random_state": -1},
        {"random_state": 2**32},
        {"random_state": None},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(SettingError, match=next(iter(options))):
        PyNNDescent(**options)


def test_numbers_of_numpy_are_kept_as_those_of_python():
    search = PyNNDescent(max_candidates=np.int64(5), delta=np.float32(0.5), recall=np.float64(0.5))
    assert {type(search.max_candidates), type(search.delta), type(search.recall)} == {int, float}


def test_it_goes_by_its_name(monkeypatch):
    assert resolve("pynndescent") == PyNNDescent()
    assert name_of(PyNNDescent()) == "pynndescent"
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'dataaudit\[pynndescent\]'"):
        resolve("pynndescent")
