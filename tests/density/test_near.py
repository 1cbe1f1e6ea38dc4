"""Engine `faiss`: near rows exactly, the rest from a sample, against all pairs in float64."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataaudit import NeighbourCScore, score
from dataaudit.density.base import Context
from dataaudit.density.engines import resolve
from dataaudit.density.near import FaissEngine
from dataaudit.errors import SettingError
from dataaudit.neighbours import compute
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import Faiss
from dataaudit.pipeline.evidence_sources import space_collector
from dataaudit.representations.base import GradientFactors
from dataaudit.representations.spaces import Space
from dataaudit.testing import EngineContract
from dataaudit_kernels.agreement import spearman
from dataaudit_kernels.rbf_sampled import sampled_sums
from dataaudit_kernels.reference import rbf_sums


class TestFaissEngine(EngineContract):
    """Few rows: all pairs; of more, a small sample beside neighbours."""

    estimates_from = 1500

    def engine(self):
        return FaissEngine(depth=20, tolerance=None, sample=256)


def heavy_tailed(n, d=6, classes=3, seed=0):
    """Rows around centres at very different distances from each other, as gradients lie."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.pareto(1.2, size=(n, 1))
    return x.astype(np.float32), rng.integers(classes, size=n)


def graph_of(x, depth, forget=0, seed=0):
    """The nearest rows; `forget` of them, at random, replaced by ones further away, as a search may miss some."""
    wide = x.astype(np.float64)
    apart = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(-1))
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, : depth + forget]
    if forget:
        keys = np.random.default_rng(seed).random(order.shape).argsort(1)[:, :depth]
        order = np.take_along_axis(order, keys, 1)
    return order, np.take_along_axis(apart, order, 1)


@pytest.mark.parametrize(("exact_class", "forget"), [(1000, 0), (0, 10)])
def test_sums_are_unbiased_and_their_errors_cover_whatever_the_recall(exact_class, forget):
    # Classes of over 512 rows, or all pairs of them are summed whatever was asked for.
    x, labels = heavy_tailed(1300, classes=2)
    h = 1.0
    total, same = rbf_sums(x, labels, h)
    near = graph_of(x, 20, forget)
    runs = [
        sampled_sums(x, labels, h, near, tolerance=None, sample=100, exact_class=exact_class, seed=seed)
        for seed in range(120)
    ]
    assert {run.sample for run in runs} == {100}
    others = np.array([run.total - run.same for run in runs])
    errors = np.array([run.other_stderr for run in runs])
    apart = others.mean(0) - (total - same)
    spread = others.std(0, ddof=1) / np.sqrt(len(runs))
    # Of 1300 means of 120 estimates, nearly all lie within three standard errors of the sum.
    assert np.mean(np.abs(apart) <= 3 * spread + 1e-6 * total) > 0.98
    # Errors of rows that share a sample move together: the spread is known as from one row's 120 estimates, three
    # standard errors of which are allowed.
    room = 3 / np.sqrt(2 * (len(runs) - 1))
    assert np.sqrt((errors**2).mean()) == pytest.approx(np.sqrt(others.var(0, ddof=1).mean()), rel=room)
    if exact_class:
        np.testing.assert_allclose(runs[0].same, same, rtol=EngineContract.tolerance, atol=1e-20)
    else:
        own = np.array([run.same for run in runs])
        room = 3 * own.std(0, ddof=1) / np.sqrt(len(runs)) + 1e-6 * total
        assert np.mean(np.abs(own.mean(0) - same) <= room) > 0.98


@settings(max_examples=15, deadline=None)
@example(n=418, depth=1, h=0.0546875, seed=367728)
@given(
    n=st.integers(300, 500),
    depth=st.integers(1, 40),
    h=st.floats(0.05, 5.0),
    seed=st.integers(0, 10**6),
)
def test_what_was_seen_is_a_lower_bound_and_errors_are_finite(n, depth, h, seed):
    x, labels = heavy_tailed(n, seed=seed)
    indices, distances = graph_of(x, depth)
    found = sampled_sums(x, labels, h, (indices, distances), tolerance=None, sample=100, seed=seed)
    near = np.exp(-((distances / h) ** 2))
    # In float64, though classes that are summed exactly are summed in float32.
    assert (found.total >= near.sum(1) * (1 - 1e-12)).all()
    own = np.where(labels[indices] == labels[:, None], near, 0.0).sum(1)
    assert (found.same >= own * (1 - 1e-12)).all()
    assert (found.total >= found.same).all()
    assert np.isfinite(found.other_stderr).all()
    again = sampled_sums(x, labels, h, (indices, distances), tolerance=None, sample=100, seed=seed)
    np.testing.assert_array_equal(found.total, again.total)


@pytest.mark.parametrize("tails", [False, True])
def test_neighbours_take_the_error_away_at_small_bandwidths(tails):
    """Nearly all of it for rows of one density; of heavy-tailed ones, whose core is dense, the order is what gains."""
    x, labels = heavy_tailed(2000)
    if not tails:
        x = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    total, _ = rbf_sums(x, labels, 0.3)
    empty = np.empty((2000, 0), np.int64), np.empty((2000, 0))
    errors, apart = [], []
    for near in (empty, graph_of(x, 50)):
        found = sampled_sums(x, labels, 0.3, near, tolerance=None, sample=200, exact_class=0)
        errors.append(np.sqrt(np.mean((found.total - total) ** 2)))
        apart.append(1 - spearman(found.total, total))
    assert apart[1] < 0.2 * apart[0]
    assert errors[1] < (1.0 if tails else 0.01) * errors[0]


def test_a_class_of_one_and_constant_rows():
    x, labels = heavy_tailed(700)
    x[:300] = x[0]
    labels[-1] = 9
    total, same = rbf_sums(x, labels, 1.0)
    found = sampled_sums(x, labels, 1.0, graph_of(x, 10), tolerance=None, sample=100)
    assert found.same[-1] == 0.0
    np.testing.assert_allclose(found.same, same, rtol=EngineContract.tolerance, atol=1e-12)
    assert np.abs(found.total - total).max() <= 6 * np.abs(found.other_stderr).max() + 1e-6 * total.max()


def test_graphs_of_other_rows_and_wrong_settings_are_refused():
    x, labels = heavy_tailed(50)
    with pytest.raises(ValueError, match="graph of these rows"):
        sampled_sums(x, labels, 1.0, graph_of(heavy_tailed(40)[0], 5))
    for engine in (FaissEngine(depth=0), FaissEngine(tolerance=2.0), FaissEngine(sample=3)):
        with pytest.raises(SettingError):
            engine.check()
    assert resolve("faiss").name == "faiss"


def test_one_graph_serves_densities_and_neighbour_scores(monkeypatch):
    x, labels = heavy_tailed(2500)
    searches = []
    make = compute.neighbour_graph
    monkeypatch.setattr(space_collector, "neighbour_graph", lambda *a: searches.append(a[0].depth) or make(*a))
    engine = FaissEngine(tolerance=None, sample=500)
    plan = ["density/input", "parzen/input", NeighbourCScore("input", depth=80)]
    audit = score(None, (x, labels), plan, engine=engine, progress=False)
    exact = score(None, (x, labels), ["density/input"], engine="reference", progress=False)
    assert searches == [80]
    how = audit.settings["density"]["density/input"][0]
    assert (how["engine"], how["near"], how["search"], how["index"]) == ("faiss", 50, "torch", "exact")
    apart = np.abs(audit.columns["density/input"] - exact.columns["density/input"])
    assert np.quantile(apart, 0.9) < 0.05 * exact.columns["density/input"].max()
    again = score(None, (x, labels), ["density/input"], engine=engine, progress=False)
    np.testing.assert_array_equal(again.columns["density/input"], audit.columns["density/input"])


def test_a_class_that_is_nearly_all_has_a_sample_of_the_others_for_itself():
    rng = np.random.default_rng(0)
    x, labels, h = rng.normal(size=(2500, 20)).astype(np.float32), np.zeros(2500, int), float(np.sqrt(40) / 2)
    labels[:5] = 1
    total, same = rbf_sums(x, labels, h)
    wide = x.astype(np.float64)
    squares = (wide**2).sum(1)
    apart = np.maximum(squares[:, None] + squares - 2 * wide @ wide.T, 0.0)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, :10]
    distances = np.sqrt(np.take_along_axis(apart, near, 1))
    found = sampled_sums(x, labels, h, (near, distances), tolerance=None, sample=1024)
    assert np.isfinite(found.other_stderr).all()
    # The five others of the large class are all looked at, as near rows or as members.
    np.testing.assert_allclose((found.total - found.same)[5:], (total - same)[5:], rtol=1e-4)
    share = spearman(found.same / found.total, same / total)
    assert 1 - share == pytest.approx(1 - found.agreement["parzen"], abs=1e-5)


@pytest.mark.parametrize("depth", [5, 80])
@pytest.mark.parametrize("first", [True, False], ids=["neighbours first", "densities first"])
def test_the_engine_has_its_depth_beside_scores_of_any_other(depth, first, monkeypatch):
    x, labels = heavy_tailed(1500)
    searches = []
    make = compute.neighbour_graph
    monkeypatch.setattr(space_collector, "neighbour_graph", lambda *a: searches.append(a[0].depth) or make(*a))
    engine, shown = FaissEngine(tolerance=None, sample=500), NeighbourCScore("input", depth=depth, name="near")
    plan = [shown, "density/input"] if first else ["density/input", shown]
    audit = score(None, (x, labels), plan, engine=engine, progress=False)
    assert searches == [max(depth, 50)]
    assert audit.settings["density"]["density/input"][0]["near"] == 50
    assert audit.settings["neighbours"]["near"][0]["depth"] == depth
    for name, alone in (("density/input", "density/input"), ("near", shown)):
        own = score(None, (x, labels), [alone], engine=engine, progress=False)
        np.testing.assert_array_equal(audit.columns[name], own.columns[name])


def test_the_neighbours_that_were_summed_are_recorded():
    x, labels = heavy_tailed(30)
    engine = FaissEngine()
    assert engine.sums(x, labels, 1.0).settings["near"] == 29
    shallow = compute.neighbour_graph(NeighbourNeed(Space("input"), depth=4), x, {}, Faiss(), 0, False)
    assert engine.sums(x, labels, 1.0, Context(graph=shallow)).settings["near"] == 4
    few = score(None, (x, labels), ["density/input"], engine=engine, progress=False)
    assert few.settings["density"]["density/input"][0]["near"] == 29


def test_gradients_too_wide_are_refused_in_the_name_of_the_engine_asked():
    wide = [GradientFactors(np.ones((5, 100), np.float32), np.ones((5, 200), np.float32), True)]
    with pytest.raises(SettingError, match="engine 'faiss' for gradients of 20100 numbers"):
        FaissEngine().sums(wide, np.zeros(5, int), 1.0)
