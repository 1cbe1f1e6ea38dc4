"""Searches and graphs against all distances in float64."""

import sys

import faiss
import numpy as np
import pytest

from dataaudit.errors import DataError, MissingPackageError, SettingError
from dataaudit.neighbours import faiss_search, rows
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import Auto, Faiss, NeighbourSearch, Torch, name_of, resolve
from dataaudit.representations.spaces import Space
from dataaudit.testing import SearchContract


class TestFaiss(SearchContract):
    def search(self):
        return Faiss()


class TestTorch(SearchContract):
    def search(self):
        return Torch(block=1000)


class TestIvf(SearchContract):
    recall = 0.6

    def search(self):
        return Faiss("ivf", cells=4, probes=3)


class TestLinkedIvf(SearchContract):
    recall = 0.6

    def search(self):
        return Faiss("ivf", cells=6, probes=2, linked_rows=0)


class TestAuto(SearchContract):
    def search(self):
        return Auto()


SEARCHES = pytest.mark.parametrize("search", [Faiss(), Torch()], ids=lambda search: search.name)


def found(x, depth, search=None, seed=0, **options):
    return neighbour_graph(NeighbourNeed(Space("input"), depth=depth), x, {}, search or Faiss(), seed, False, **options)


def check(graph, x):
    """The graph is that of all distances, ties in the random order of seed 0, the row itself left out."""
    wide = np.asarray(x, np.float64)
    apart = ((wide[:, None] - wide[None]) ** 2).sum(-1)
    np.fill_diagonal(apart, np.inf)
    nearest = np.sort(apart, axis=1)[:, : graph.depth]
    np.testing.assert_allclose(graph.distances, np.sqrt(nearest), rtol=1e-12, atol=0)
    assert (graph.indices != np.arange(len(x))[:, None]).all()
    assert all(len(set(row)) == graph.depth for row in graph.indices.tolist())
    mine = np.sqrt(np.take_along_axis(apart, graph.indices.astype(np.int64), 1))
    np.testing.assert_allclose(mine, graph.distances, rtol=1e-12, atol=0)
    inside = ~graph.starts()[:, 1:]
    ranks = np.argsort(np.random.default_rng(0).permutation(len(x)))
    assert (np.diff(ranks[graph.indices], axis=1)[inside] > 0).all()
    assert (np.diff(graph.distances, axis=1) >= 0).all()


@SEARCHES
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint8, np.int16, np.float16, bool])
@pytest.mark.parametrize(("n", "d", "depth"), [(2, 1, 1), (2, 3, 100), (63, 20, 7), (257, 33, 100), (257, 2, 300)])
def test_the_graph_is_that_of_all_distances(n, d, depth, kind, search):
    x = (np.random.default_rng(n).normal(size=(n, d)) * 40 + 100).astype(kind)
    graph = found(x, depth, search)
    assert graph.depth == min(depth, n - 1)
    check(graph, x)


@SEARCHES
def test_duplicates_count_but_for_the_row_itself(search):
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(10, 5)).astype(np.float32), 30, axis=0) + np.float32(1000)
    graph = found(x, 40, search)
    check(graph, x)
    assert (graph.distances[:, :29] == 0).all()
    assert (graph.distances[:, 29:] > 0).all()
    assert graph.settings["cut_ties"] == 300
    # Of the 29 others at one place all are found.
    for i in (0, 17, 299):
        assert set(graph.indices[i, :29]) == set(range(i // 30 * 30, i // 30 * 30 + 30)) - {i}
    assert found(x, 29, search).settings["cut_ties"] == 0
    assert found(x, 28, search).settings["cut_ties"] == 300


def test_a_tie_that_the_depth_cuts_keeps_a_random_part():
    x, labels = np.zeros((400, 3), np.float32), np.arange(400) // 200
    graph = found(x, 60)
    share = labels[graph.indices].mean(1)
    assert 0.2 < share.mean() < 0.8
    assert graph.settings["cut_ties"] == 400


def test_far_from_the_origin_the_nearest_are_still_found():
    rng = np.random.default_rng(0)
    x = (1e4 + rng.normal(size=(300, 8))).astype(np.float64)
    check(found(x, 20), x)


def test_distances_that_differ_by_rounding_alone_are_tied():
    corners = np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.2, 0.3, 0.1], [0.3, 0.2, 0.1]])
    x = np.concatenate([np.zeros((1, 3)), corners])
    assert len(set(found(x, 4).distances[0].tolist())) == 1


def test_memory_mapped_rows(tmp_path):
    x = np.random.default_rng(0).integers(256, size=(200, 30), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    check(found(mapped, 10), x)
    check(found(np.asfortranarray(x), 10), x)


def test_a_graph_is_cut_without_a_new_search():
    x = np.random.default_rng(0).integers(6, size=(100, 2)).astype(np.float32)
    deep = found(x, 50)
    for depth in (1, 7, 50, 60):
        cut, own = deep.first(depth), found(x, depth)
        np.testing.assert_array_equal(cut.distances, own.distances[:, :50])
        assert cut.settings["depth"] == cut.depth == min(depth, 50)
        if depth < 50:
            assert cut.settings["cut_ties"] == own.settings["cut_ties"]


def test_auto_compares_all_pairs_of_few_rows_and_says_what_it_chose():
    x = np.random.default_rng(0).normal(size=(1500, 8)).astype(np.float32)
    few = found(x, 20, Auto()).settings
    assert (few["search"], few["index"], few["choice"]) == ("torch", "exact", "auto")
    assert "recall" not in few
    many = found(x, 20, Auto(all_pairs=1e6)).settings
    assert (many["search"], many["index"], many["choice"]) == ("faiss", "ivf", "auto")
    assert many["recall"] > 0.9
    assert many["trained_on"] == 1500


@pytest.mark.parametrize("search", [Faiss(block_values=300), Torch(block=5000)], ids=["faiss", "torch"])
def test_rows_in_several_blocks_are_those_of_one(search):
    """Out of core: neither the rows nor the answers are in one piece, and nothing changes."""
    rng = np.random.default_rng(0)
    x = rng.integers(4, size=(700, 5)).astype(np.float32)
    whole = found(x, 40, type(search)())
    parts = found(x, 40, search, block_values=600)
    check(parts, x)
    np.testing.assert_array_equal(parts.distances, whole.distances)


@pytest.mark.parametrize("index", ["exact", "ivf"])
def test_no_more_than_blocks_of_memory_mapped_rows_are_read(index, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32))
    taken = []

    class Watched(np.memmap):
        def __getitem__(self, wanted):
            made = super().__getitem__(wanted)
            taken.append(len(made))
            return made

    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    centred = rows.CentredRows(mapped.view(Watched), np.arange(3000), 2000)
    Faiss(index, cells=20, probes=20, block_values=2000).open(centred, 30)(centred[np.arange(100)], 30)
    assert taken
    assert max(taken) <= 250


@pytest.mark.parametrize("kind", [np.float16, np.int32, np.dtype(">f4")])
def test_memory_mapped_rows_of_other_types_are_converted_as_they_are_read(kind, tmp_path):
    x = np.random.default_rng(0).integers(-50, 50, size=(200, 6)).astype(kind)
    np.save(tmp_path / "x.npy", x)
    check(found(np.load(tmp_path / "x.npy", mmap_mode="r"), 10), x)


def test_rows_far_from_all_others_are_compared_with_all_where_auto_chose_cells():
    x = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    x[[5, 700]] *= 1e4
    graph = found(x, 100, Auto(all_pairs=0.0, beyond=Faiss("ivf", cells=400, probes=8)))
    assert graph.settings["compared_with_all"] >= 1
    exact = found(x, 100)
    for row in (5, 700):
        np.testing.assert_array_equal(graph.distances[row], exact.distances[row])
    with pytest.raises(SettingError, match="search='auto'"):
        found(x, 100, Faiss("ivf", cells=400, probes=8))


def test_nan_in_a_late_row_is_named():
    x = np.zeros((3000, 4), np.float32)
    x[2990, 1] = np.nan
    with pytest.raises(DataError, match="row 2990"):
        found(x, 5)


@pytest.mark.parametrize("search", [Faiss(), Faiss("ivf"), Torch()], ids=lambda s: getattr(s, "index", 0))
def test_constant_rows_and_more_neighbours_than_rows(search):
    graph = found(np.full((40, 3), 7.0, np.float32), 100, search)
    assert graph.depth == 39
    assert (graph.distances == 0).all()


def test_a_gpu_that_is_not_there_is_refused():
    if faiss.get_num_gpus():
        pytest.skip("FAISS has a CUDA device here")
    with pytest.raises(SettingError, match="no CUDA device"):
        resolve(Faiss(gpu=True))


@pytest.fixture
def device(monkeypatch):
    """A device that is made up: the calls that FAISS gets for one, in order; free bytes and answers are its own."""
    calls = []
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    monkeypatch.setattr(faiss, "StandardGpuResources", lambda: "resources", raising=False)
    monkeypatch.setattr(faiss_search, "free_memory", lambda: 2**33)

    def knn_gpu(resources, queries, block, few):
        calls.append(("knn", resources))
        return faiss.knn(queries, block, few)

    def index_cpu_to_gpu(resources, place, index):
        assert not index.is_trained
        calls.append(("index", resources, place))
        return index

    monkeypatch.setattr(faiss, "knn_gpu", knn_gpu, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", index_cpu_to_gpu, raising=False)
    return calls


def test_a_gpu_that_is_there_is_used(device):
    x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    graph = found(x, 5)
    assert graph.settings["device"] == "cuda"
    assert device == [("knn", "resources")]
    check(graph, x)
    assert found(x, 5, Auto()).settings["search"] == "faiss"
    assert device == 2 * [("knn", "resources")]


def test_cells_are_trained_and_searched_on_a_gpu_that_is_there(device):
    x = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    graph = found(x, 5, Faiss("ivf", recall=1.0))
    assert graph.settings["device"] == "cuda"
    assert device[:2] == [("index", "resources", 0), ("knn", "resources")]
    check(graph, x)
    device.clear()
    assert found(x, 5, Faiss("ivf", gpu=False)).settings["device"] == "cpu"
    assert device == []


def test_what_a_gpu_cannot_hold_or_search_is_left_to_the_cpu(device, monkeypatch):
    x = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    assert found(x, 2100).settings["device"] == "cpu"
    assert found(x, 5, Faiss("ivf", probes=2100, cells=2200)).settings["device"] == "cpu"
    with pytest.raises(SettingError, match=r"21\d\d neighbours.*at most 2048"):
        found(x, 2100, Faiss(gpu=True))
    monkeypatch.setattr(faiss_search, "free_memory", lambda: 2**31)
    assert found(x, 5, Faiss("ivf")).settings["device"] == "cpu"
    with pytest.raises(SettingError, match="bytes that are free"):
        found(x, 5, Faiss("ivf", gpu=True))
    assert device == []


def test_rows_too_far_for_float64_are_refused():
    with pytest.raises(DataError, match="float64 holds"):
        found(np.array([[0.0], [1e200]]), 1)


def test_searches_by_name_and_instance():
    assert resolve("auto") == Auto()
    assert name_of(Auto()) == "auto"
    assert resolve("torch").name == "torch"
    mine = Torch(block=10)
    assert resolve(mine) is mine
    assert isinstance(mine, NeighbourSearch)
    for wrong in ("annoy", 3, None, Faiss):
        with pytest.raises(SettingError, match=r"faiss.*torch"):
            resolve(wrong)
    for wrong in (Torch(device="cuda:77"), Torch(device="abacus"), Torch(block=0)):
        with pytest.raises(SettingError):
            resolve(wrong)
    assert [resolve(name).index for name in ("faiss", "ivf")] == ["exact", "ivf"]
    for options in ({"recall": 0}, {"recall": 1.5}, {"recall": True}, {"probes": 0}):
        with pytest.raises(SettingError):
            Faiss(**options)
    for options in ({"index": "lsh"}, {"cells": 1.5}, {"gpu": 3}):
        with pytest.raises(SettingError):
            Faiss(**options)


@pytest.mark.parametrize("options", [{"all_pairs": -1}, {"all_pairs": "many"}, {"beyond": "ivf"}])
def test_choices_that_are_none_are_refused(options):
    with pytest.raises(SettingError):
        Auto(**options)


def test_without_faiss_auto_is_torch_and_a_named_search_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    x = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    assert found(x, 5, Auto(all_pairs=0.0)).settings["search"] == "torch"
    with pytest.raises(MissingPackageError, match=r"pip install 'dataaudit\[cpu\]'"):
        resolve("faiss")


@pytest.mark.parametrize("depth", [20, 60])
def test_ties_that_the_depth_cuts_are_cut_at_random(depth):
    """Sorted by class, as many data sets are: whoever comes first must not win."""
    rows = np.random.default_rng(0).integers(0, 2, size=(600, 2)).astype(np.float32)
    labels = np.repeat([0, 1], 300)
    for name in ("torch", "faiss"):
        graph = neighbour_graph(NeighbourNeed(Space("input")), rows, {}, resolve(name), 0, False).first(depth)
        share = labels[graph.indices].mean()
        assert abs(share - 0.5) < 0.15, (name, share)
        again = neighbour_graph(NeighbourNeed(Space("input")), rows, {}, resolve(name), 1, False).first(depth)
        assert not np.array_equal(graph.indices, again.indices)
