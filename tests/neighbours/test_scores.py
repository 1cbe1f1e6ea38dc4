"""`knn_c_score` through `dataaudit.score`, against enumeration-tested closed forms of all distances."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

import dataaudit
from dataaudit import Density, NeighbourCScore, Recipe, networks, score
from dataaudit.errors import MissingPackageError, ModelError, SettingError
from dataaudit.neighbours import compute
from dataaudit.neighbours.closed_form import c_scores
from dataaudit.neighbours.graph import Neighbours
from dataaudit.neighbours.search import Faiss, Torch
from dataaudit.pipeline.evidence_sources import space_collector


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return (x[:300] / 16).astype(np.float32), y[:300]


def expected(x, labels, k=1, ratio="integral", inclusion="bernoulli", depth=100):
    wide = np.asarray(x, np.float64)
    apart = ((wide[:, None] - wide[None]) ** 2).sum(-1)
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, :depth]
    return c_scores(Neighbours(order, np.take_along_axis(apart, order, 1)), labels, k, ratio, inclusion)


def test_inputs_need_no_model(digits):
    scorers = [NeighbourCScore("input", depth=299), NeighbourCScore("input", 5, [0.1, 0.5], "fixed", depth=299)]
    audit = score(None, digits, ["knn_c_score/input", *scorers], progress=False)
    whole, votes = (audit.columns[scorer.name] for scorer in scorers)
    np.testing.assert_allclose(whole, expected(*digits, depth=299), rtol=0, atol=1e-12)
    wanted = expected(*digits, 5, (0.1, 0.5), "fixed", depth=299)
    np.testing.assert_allclose(votes, wanted, rtol=0, atol=1e-12)
    assert scorers[1].name == "knn_c_score/input k=5 ratio=0.1,0.5 inclusion=fixed depth=299"
    [how] = audit.settings["neighbours"]["knn_c_score/input"]
    assert abs(audit.columns["knn_c_score/input"] - whole).max() < how["tail"]
    assert (how["search"], how["index"], how["depth"]) == ("torch", "exact", 100)
    assert how["tail"] == pytest.approx(1 / 101, rel=0.4)
    assert how["seconds"] > 0
    assert audit.timings["neighbours"] > 0
    assert json.loads(json.dumps(audit.settings)) == audit.settings


def test_one_search_and_one_forward_pass_serve_all(digits, monkeypatch):
    from dataaudit.representations import collect

    searches, forwards = [], []
    search, represent = compute.neighbour_graph, collect.represent
    monkeypatch.setattr(space_collector, "neighbour_graph", lambda *a: searches.append(a[0]) or search(*a))
    monkeypatch.setattr(space_collector, "represent", lambda *a: forwards.append(a) or represent(*a))
    names = ["density/input", "density/hidden", "knn_c_score/input", "knn_c_score/hidden"]
    scorers = [*names, *(NeighbourCScore(space, 3, 0.5, depth=d) for space in ("input", "hidden") for d in (20, 150))]
    model, recipe = networks.MLP(64, 10, (16,)), Recipe(epochs=1)
    together = score(model, digits, scorers, recipe=recipe, progress=False)
    assert sorted((need.space.name, need.depth) for need in searches) == [("hidden", 150), ("input", 150)]
    assert len(forwards) == 1
    alone = score(model, digits, ["knn_c_score/hidden"], recipe=recipe, progress=False)
    np.testing.assert_array_equal(alone.columns["knn_c_score/hidden"], together.columns["knn_c_score/hidden"])


def test_searches_agree(digits):
    audits = [
        score(None, digits, "knn_c_score/input", search=search, progress=False)
        for search in ("auto", "faiss", "torch", Torch(block=5000))
    ]
    for audit in audits[1:]:
        np.testing.assert_array_equal(audit.columns["knn_c_score/input"], audits[0].columns["knn_c_score/input"])
    used = [audit.settings["neighbours"]["knn_c_score/input"][0]["search"] for audit in audits]
    assert used == ["torch", "faiss", "torch", "torch"]


def test_epochs_are_averaged(digits):
    model, recipe = networks.MLP(64, 10, (16,)), Recipe(epochs=2)
    scorers = [NeighbourCScore("hidden", epochs=epochs) for epochs in ([1], [2], [1, 2])]
    audit = score(model, digits, ["knn_c_score/hidden", *scorers], recipe=recipe, progress=False)
    first, last, both = (audit.columns[scorer.name] for scorer in scorers)
    np.testing.assert_allclose(both, (first + last) / 2, rtol=1e-12)
    np.testing.assert_array_equal(last, audit.columns["knn_c_score/hidden"])


def test_label_errors_rank_last(noisy, tmp_path):
    inputs, labels, wrong = noisy
    audit = score(None, (inputs, labels), ["knn_c_score/input", "density/input"], progress=False)
    assert wrong[audit.ranking()[:15]].mean() > 0.8
    audit.save(tmp_path / "audit")
    audit.report(tmp_path / "report.html")
    loaded = dataaudit.Audit.load(tmp_path / "audit")
    np.testing.assert_array_equal(loaded.columns["knn_c_score/input"], audit.columns["knn_c_score/input"])


def test_ties_that_the_depth_cuts_are_noted():
    inputs, labels = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0), np.arange(120) % 4
    audit = score(None, (inputs, labels), NeighbourCScore("input", depth=20), progress=False)
    assert any("more neighbours at one distance" in note for note in audit.settings["notes"])
    audit = score(None, (inputs, labels), NeighbourCScore("input", depth=119), progress=False)
    assert not audit.settings["notes"]


def test_low_recall_is_noted(digits):
    search = Faiss("ivf", cells=12, probes=2)
    audit = score(None, digits, NeighbourCScore("input", depth=20), search=search, progress=False)
    [how] = audit.settings["neighbours"]["knn_c_score/input depth=20"]
    assert how["recall"] < 0.99
    assert any(f"{how['recall']:.1%} of the nearest" in note for note in audit.settings["notes"])


BAD = [
    (lambda: NeighbourCScore("gradient"), "no rows to search"),
    (lambda: NeighbourCScore("inptu"), "did you mean 'input'"),
    (lambda: NeighbourCScore("input", k=0), "k=0"),
    (lambda: NeighbourCScore("input", k=26), "from 1 to 25"),
    (lambda: NeighbourCScore("input", ratio=1.0), "between 0 and 1"),
    (lambda: NeighbourCScore("input", ratio=[]), "between 0 and 1"),
    (lambda: NeighbourCScore("input", ratio="all"), "'integral'"),
    (lambda: NeighbourCScore("input", ratio=True), "'integral'"),
    (lambda: NeighbourCScore("input", ratio=[[0.5]]), "between 0 and 1"),
    (lambda: NeighbourCScore("input", inclusion="fixd"), "did you mean 'fixed'"),
    (lambda: NeighbourCScore("input", depth=0), "depth=0"),
    (lambda: NeighbourCScore("input", depth=2.0), "depth=2.0"),
    (lambda: NeighbourCScore("input", epochs=[1]), "representation of the model"),
    (lambda: NeighbourCScore("input", layer="0"), "for 'hidden' alone"),
    (lambda: NeighbourCScore("hidden", epochs=3), "list of epochs"),
]


@pytest.mark.parametrize(("make", "words"), BAD)
def test_wrong_options_are_refused(make, words):
    with pytest.raises(SettingError, match=words):
        make()


def test_what_cannot_be_searched_is_refused_before_training(digits, monkeypatch):
    import sys

    from sklearn.linear_model import LogisticRegression

    with pytest.raises(ModelError, match="a torch module"):
        score(LogisticRegression(), digits, "knn_c_score/hidden", progress=False)
    with pytest.raises(ModelError, match="model=None"):
        score(None, digits, "knn_c_score/hidden", progress=False)
    with pytest.raises(SettingError, match="search 'fast'"):
        score(None, digits, "knn_c_score/input", search="fast", progress=False)
    with pytest.raises(SettingError, match="search 'fast'"):
        score(None, digits, Density("input"), search="fast", progress=False)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingPackageError, match=r"dataaudit\[cpu\]"):
        score(None, digits, "knn_c_score/input", search="faiss", progress=False)
    audit = score(None, digits, "knn_c_score/input", progress=False)
    assert audit.settings["neighbours"]["knn_c_score/input"][0]["search"] == "torch"
