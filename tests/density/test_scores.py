"""Densities through `dataaudit.score`, against the formulas written out."""

import json
import time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

import dataaudit
from dataaudit import Density, Recipe, networks, score
from dataaudit.density.exact import CpuEngine
from dataaudit.errors import DataAuditError, DataError, ModelError, SettingError
from dataaudit.pipeline.evidence_sources import space_collector
from dataaudit_kernels import reference

FOUR = ("density", "class_density", "relative_density", "parzen")
MODEL_SPACES = ("hidden", "gradient", "gradient_linear", "gradient_sketch")


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return (x[:300] / 16).astype(np.float32), y[:300]


def half_mean_distance(x):
    from scipy.spatial.distance import pdist

    return pdist(np.asarray(x, np.float64)).mean() / 2


def expected(x, labels, h):
    total, same = reference.rbf_sums(x, labels, h)
    n = len(x)
    return {
        "density": total / n,
        "class_density": same / n,
        "relative_density": (2 * same - total) / n,
        "parzen": same / total,
    }


def test_the_four_scores_of_inputs_need_no_model(digits):
    audit = score(None, digits, [f"{name}/input" for name in FOUR], progress=False)
    for name, values in expected(digits[0], digits[1], half_mean_distance(digits[0])).items():
        np.testing.assert_allclose(audit.columns[f"{name}/input"], values, rtol=1e-4, atol=1e-7)
    assert audit.settings["model"] == "none"
    [how] = audit.settings["density"]["density/input"]
    assert how["engine"] == "cpu"
    assert how["bandwidth"] == pytest.approx(half_mean_distance(digits[0]))
    assert how["bandwidth_stderr"] == 0
    assert json.loads(json.dumps(audit.settings)) == audit.settings


def test_all_scores_come_from_one_pass_over_the_pairs_and_one_over_the_data(digits, monkeypatch):
    from dataaudit.representations import collect

    passes, forwards = [], []
    sums, represent = CpuEngine.sums, collect.represent

    def counted(self, *arguments):
        passes.append(arguments)
        return sums(self, *arguments)

    def seen(*arguments):
        forwards.append(arguments)
        return represent(*arguments)

    monkeypatch.setattr(CpuEngine, "sums", counted)
    monkeypatch.setattr(space_collector, "represent", seen)
    names = [f"{name}/{space}" for space in ("input", "hidden", "gradient") for name in FOUR]
    score(networks.MLP(64, 10, (16,)), digits, names, recipe=Recipe(epochs=1), progress=False)
    assert len(passes) == 3
    assert len(forwards) == 1


def test_pixels_give_the_same_scores_at_any_scale(digits):
    pixels = (digits[0] * 255).astype(np.uint8).reshape(-1, 1, 8, 8)
    exact = score(None, (pixels, digits[1]), "parzen/input", progress=False)
    floats = score(None, (pixels / 255.0, digits[1]), "parzen/input", progress=False)
    np.testing.assert_allclose(exact.columns["parzen/input"], floats.columns["parzen/input"], rtol=1e-4)


def test_columns_of_tables_are_standardised(digits):
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": 1000 * rng.normal(size=80) + 5, "c": 7.0})
    labels = rng.integers(2, size=80)
    audit = score(None, frame.assign(label=labels), "parzen/input", label="label", progress=False)
    x = ((frame - frame.mean()) / frame.std(ddof=0)).fillna(0.0).to_numpy()
    want = expected(x, labels, half_mean_distance(x))["parzen"]
    np.testing.assert_allclose(audit.columns["parzen/input"], want, rtol=1e-4)
    assert audit.settings["density"]["parzen/input"][0]["inputs"] == "columns standardised"


def test_a_memory_mapped_array_is_not_copied(digits, tmp_path):
    from dataaudit.data import as_examples
    from dataaudit.representations.input import input_rows

    np.save(tmp_path / "x.npy", digits[0].reshape(-1, 8, 8))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows, _ = input_rows(as_examples((x, digits[1])))
    assert np.shares_memory(rows, x)
    assert rows.shape == (300, 64)


def test_every_engine_gives_the_same_scores(digits):
    names, model = ["parzen/hidden", "density/gradient"], networks.MLP(64, 10, (16,))
    audits = [
        score(model, digits, names, recipe=Recipe(epochs=2), engine=engine, progress=False)
        for engine in ("cpu", "reference", "auto")
    ]
    for name in names:
        for audit in audits[1:]:
            np.testing.assert_allclose(audit.columns[name], audits[0].columns[name], rtol=1e-4)
    assert [audit.settings["density"]["parzen/hidden"][0]["engine"] for audit in audits] == ["cpu", "reference", "cpu"]


def test_epochs_are_watched_without_changing_the_training(digits):
    model, recipe = networks.MLP(64, 10, (16,)), Recipe(epochs=3)
    plain = score(model, digits, ["mean_margin", "parzen/hidden"], recipe=recipe, progress=False)
    watched = [
        "mean_margin",
        "parzen/hidden",
        Density("hidden", "parzen", epochs=[3]),
        Density("hidden", "parzen", epochs=[1]),
        Density("hidden", "parzen", epochs=[1, 3]),
    ]
    audit = score(model, digits, watched, recipe=recipe, progress=False)
    np.testing.assert_array_equal(audit.columns["mean_margin"], plain.columns["mean_margin"])
    np.testing.assert_array_equal(audit.columns["parzen/hidden@3"], plain.columns["parzen/hidden"])
    mean = (audit.columns["parzen/hidden@1"] + audit.columns["parzen/hidden@3"]) / 2
    np.testing.assert_allclose(audit.columns["parzen/hidden@1,3"], mean, rtol=1e-12)
    assert (audit.columns["parzen/hidden@1"] != audit.columns["parzen/hidden@3"]).any()
    alone = score(model, digits, Density("hidden", "parzen", epochs=[1, 3]), recipe=recipe, progress=False)
    assert [one.settings["evaluation_passes"] for one in (plain, audit, alone)] == [1, 3, 2]
    assert [one.settings["fits"] for one in (plain, audit, alone)] == [{"training": 1}] * 3


def test_bandwidths_by_number_and_by_multiple(digits):
    h = half_mean_distance(digits[0])
    scorers = [Density("input", "parzen", bandwidth="0.5x"), Density("input", "parzen", bandwidth=h / 2)]
    audit = score(None, digits, scorers, progress=False)
    first, second = (audit.columns[scorer.name] for scorer in scorers)
    np.testing.assert_allclose(first, second, rtol=1e-9)
    np.testing.assert_allclose(first, expected(digits[0], digits[1], h / 2)["parzen"], rtol=1e-3)


def test_where_no_neighbour_is_within_reach_the_label_has_its_share(digits):
    scorer = Density("input", "parzen", bandwidth=1e-3)
    audit = score(None, digits, scorer, progress=False)
    counts = np.bincount(digits[1])
    alone = audit.columns[scorer.name]
    np.testing.assert_allclose(alone, (counts[digits[1]] - 1) / 299)
    assert audit.settings["density"][scorer.name][0]["out_of_reach"] == 300
    assert any("no neighbour within reach" in note for note in audit.settings["notes"])


def test_scores_survive_saving(digits, tmp_path):
    audit = score(None, digits, ["parzen/input", "density/input"], progress=False)
    audit.save(tmp_path / "audit")
    audit.report(tmp_path / "report.html")
    loaded = dataaudit.Audit.load(tmp_path / "audit")
    np.testing.assert_array_equal(loaded.columns["parzen/input"], audit.columns["parzen/input"])
    assert loaded.settings["density"] == audit.settings["density"]
    assert "parzen/input" in (tmp_path / "report.html").read_text()


def test_a_trained_model_is_read_as_it_is(digits):
    model = networks.MLP(64, 10, (16,))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.tensor(digits[0])), torch.tensor(digits[1]))
        loss.backward()
        optimizer.step()
    audit = score(model, digits, ["parzen/hidden"], progress=False)
    hidden = nn.Sequential(*list(model)[:-1])(torch.tensor(digits[0])).detach().numpy()
    want = expected(hidden, digits[1], half_mean_distance(hidden))["parzen"]
    np.testing.assert_allclose(audit.columns["parzen/hidden"], want, rtol=1e-4)
    with pytest.raises(SettingError, match="nothing is trained here"):
        score(model, digits, Density("hidden", epochs=[1]), progress=False)


BAD = [
    (lambda: Density("inptu"), "did you mean 'input'"),
    (lambda: Density("hidden", "sharpness"), "density score 'sharpness'"),
    (lambda: Density("hidden", bandwidth=-1), "bandwidth=-1"),
    (lambda: Density("input", epochs=[1]), "representation of the model"),
    (lambda: Density("hidden", epochs=[0]), "from 1"),
    (lambda: Density("hidden", epochs=[]), "a list of epochs"),
    (lambda: Density("hidden", epochs=3), "a list of epochs"),
    (lambda: Density("gradient", layer="2"), "for 'hidden' alone"),
    (lambda: Density("gradient", loss=len), "softmax cross-entropy only"),
]


@pytest.mark.parametrize(("make", "words"), BAD)
def test_wrong_options_are_refused(make, words):
    with pytest.raises(SettingError, match=words):
        make()


class Convolutional(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 10, 8), nn.Flatten())


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        return 2 * self.linear(x)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(x.reshape(-1, 8, 8)).mean(1)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.square, self.head = nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.square(self.square(x)))


REFUSED = [
    (Convolutional, "density/hidden", "without a linear layer"),
    (Convolutional, "density/gradient_linear", "without a linear layer"),
    (Scaled, "density/gradient", "gradient_sketch"),
    (Tokens, "density/hidden", "one row an example"),
    (Twice, "density/gradient_linear", "2 times"),
    (lambda: networks.MLP(64, 10), Density("hidden", layer="9"), "layer='9'"),
    (lambda: networks.MLP(64, 10), Density("hidden", epochs=[4]), "epochs 1 to 2"),
    (LogisticRegression(), "density/hidden", "a torch module"),
    (None, "density/hidden", "a model"),
]


@pytest.mark.parametrize(("model", "scorer", "words"), REFUSED)
def test_what_cannot_be_read_is_refused_before_training(model, scorer, words, digits, monkeypatch):
    from dataaudit.learners.torch import TorchLearner

    def refuse(*arguments, **named):
        raise AssertionError("training began")

    monkeypatch.setattr(TorchLearner, "fit", refuse)
    recipe = Recipe(epochs=2) if callable(model) else None
    with pytest.raises(DataAuditError, match=words) as caught:
        score(model, digits, scorer, recipe=recipe, progress=False)
    assert isinstance(caught.value, (ModelError, SettingError))


def test_wrong_data_and_engines_are_refused(digits):
    with pytest.raises(DataError, match="all equal"):
        score(None, (np.ones((20, 3)), np.arange(20) % 2), "density/input", progress=False)
    with pytest.raises(SettingError, match="engine 'fast'"):
        score(None, digits, "density/input", engine="fast", progress=False)
    bad = digits[0].copy()
    bad[[3, 17], 0] = np.nan
    with pytest.raises(DataError, match="rows 3, 17"):
        score(None, (bad, digits[1]), "density/input", progress=False)


def test_a_scikit_learn_model_may_have_missing_values_but_distances_not(digits):
    from sklearn.ensemble import HistGradientBoostingClassifier

    holes = digits[0].copy()
    holes[5, 2] = np.nan
    with pytest.raises(DataError, match="row 5"):
        score(HistGradientBoostingClassifier(max_iter=2), (holes, digits[1]), "density/input", progress=False)


@pytest.mark.parametrize("epochs", [np.int64(1), 1.0, [[1]], "12", [], [1.5]])
def test_epochs_are_a_list_of_numbers(epochs):
    with pytest.raises(SettingError, match="list of epochs"):
        Density("hidden", epochs=epochs)


def test_epochs_of_numpy_are_saved(tmp_path, noisy, network, quick):
    inputs, labels, _ = noisy
    scorer = Density("hidden", "parzen", epochs=np.array([1, 2]))
    audit = dataaudit.score(network, (inputs, labels), scorer, recipe=quick, progress=False)
    assert dataaudit.Audit.load(audit.save(tmp_path / "audit")).default == "parzen/hidden@1,2"


def test_the_audit_says_what_ran(noisy, network, quick):
    inputs, labels, _ = noisy
    engine = CpuEngine(precision="auto")
    pixels = (inputs * 10).clip(0, 255).astype(np.uint8)
    audit = dataaudit.score(
        network, (pixels, labels), ["density/input", "density/gradient"], recipe=quick, engine=engine, progress=False
    )
    assert audit.settings["density"]["density/gradient"][0]["precision"] == "float32"
    assert audit.settings["density"]["density/input"][0]["precision"] in ("uint8", "float32")


def test_what_a_kernel_refuses_is_an_error_of_the_data():
    rows = np.array([[0.0], [1.0], [1e30]])
    with pytest.raises(DataError, match="1e15 bandwidths"):
        dataaudit.score(None, (rows, [0, 1, 0]), Density("input", bandwidth=1.0), progress=False)


def test_a_factory_is_no_trained_model(noisy, network):
    inputs, labels, _ = noisy
    recorder = dataaudit.Recorder(300, 3)
    recorder.update(np.arange(300), torch.zeros(300, 3), labels)
    recorder.end_epoch()
    with pytest.raises(ModelError, match="factory"):
        dataaudit.score(recorder, (inputs, labels), "density/hidden", trained=network, progress=False)


def test_ctrl_c_stops_a_density_at_an_epoch(noisy, network, quick):
    import os
    import signal

    inputs, labels, _ = noisy

    class Slow(CpuEngine):
        def sums(self, *arguments):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)
            raise AssertionError("went on after Ctrl-C")

    start = time.perf_counter()
    with pytest.raises(dataaudit.Interrupted) as caught:
        dataaudit.score(
            network,
            (inputs, labels),
            ["el2n", Density("hidden", epochs=[2])],
            recipe=quick,
            engine=Slow(),
            progress=False,
        )
    assert time.perf_counter() - start < 20
    assert caught.value.epochs == 2
    assert caught.value.audit().dynamics.epochs == 2
