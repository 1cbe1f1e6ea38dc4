"""Scores by holdout from end to end: against a plain loop, resumed, damaged, failing, stopped."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from torch import nn

import dataaudit
from dataaudit import Holdout, Recipe
from dataaudit.errors import Interrupted, ModelError, SettingError, StorageError
from dataaudit.holdout import Joblib


def algorithm_1(model, inputs, labels, ratio, runs, seed):
    """The paper's algorithm 1, as it is printed (with the accuracy of equation 2)."""
    n, size = len(labels), round(ratio * len(labels))
    held_out, correct = np.zeros((runs, n), bool), np.zeros((runs, n), bool)
    for number in range(runs):
        order = np.random.default_rng([seed, round(ratio * 1e6), number]).permutation(n)
        train = np.sort(order[:size])
        held_out[number] = ~np.isin(np.arange(n), train)
        fitted = clone(model).fit(inputs[train], labels[train])
        correct[number] = fitted.predict(inputs) == labels
    return (held_out & correct).sum(0) / held_out.sum(0)


def scored(model, data, names="c_score", seed=0, recipe=None, **options):
    return dataaudit.score(model, data, names, seed=seed, recipe=recipe, holdout=Holdout(**options), progress=False)


@pytest.mark.parametrize("backend", ["serial", "joblib", "ray"])
def test_algorithm_1_bit_for_bit(backend, request):
    if backend == "ray":
        request.getfixturevalue("local_ray")
    inputs, labels = load_digits(return_X_y=True)
    audit = scored(GaussianNB(), (inputs, labels), runs=60, seed=3, backend=backend)
    np.testing.assert_array_equal(audit.columns["c_score"], algorithm_1(GaussianNB(), inputs, labels, 0.7, 60, 3))
    assert audit.settings["holdout"]["backend"]["name"] == backend


def test_what_an_audit_says(bayes, blobs, tmp_path):
    audit = scored(bayes, blobs, ["c_score", "c_score_integral", "holdout_probability"], runs=4, ratios=(0.5, 0.7))
    assert audit.default == "c_score"
    assert set(audit.reliability) == {"c_score", "c_score_integral", "holdout_probability"}
    frame = audit.uncertainty()
    assert list(frame.columns) == ["score", "stderr", "lower", "upper", "holdouts"]
    never = frame.holdouts == 0
    assert never.any()
    assert frame.score.isna().tolist() == never.tolist()
    told = audit.settings["holdout"]
    assert told["never_held_out"]["holdout"] == never.sum()
    assert told["runs"] == {"0.5": 4, "0.7": 4}
    assert any("never held out" in note for note in audit.settings["notes"])
    back = dataaudit.Audit.load(audit.save(tmp_path / "audit"))
    assert back.reliability == pytest.approx(audit.reliability, nan_ok=True)
    assert back.uncertainty().equals(frame)
    with pytest.raises(SettingError, match="a score of this audit"):
        audit.uncertainty("nothing")


def test_the_wrong_labels_score_lowest(bayes, blobs):
    audit = scored(bayes, blobs, runs=60)
    wrong = blobs[1] != np.arange(120) % 3
    assert audit.columns["c_score"][wrong].mean() < 0.2 < 0.8 < audit.columns["c_score"][~wrong].mean()


def test_torch_modules_start_afresh_in_every_run(noisy, network, quick):
    inputs, labels, wrong = noisy
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    audit = scored(module, (inputs, labels), recipe=quick, runs=12)
    assert all((value == before[name]).all() for name, value in module.state_dict().items())
    assert audit.settings["holdout"]["init"] == "reset"
    factory = scored(network, (inputs, labels), recipe=quick, runs=12)
    for found in (audit, factory):
        values = found.columns["c_score"]
        known = np.isfinite(values)
        assert values[known & wrong].mean() < 0.3 < 0.8 < values[known & ~wrong].mean()


class Stubborn(nn.Module):
    """A layer whose weights nothing renews."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(__import__("torch").ones(3))
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        return self.layer(x) * self.scale


def test_a_module_that_cannot_be_reset_is_refused(noisy, quick):
    inputs, labels, _ = noisy
    with pytest.raises(ModelError, match="reset_parameters"):
        scored(Stubborn(), (inputs, labels), recipe=quick, runs=2)
    kept = scored(Stubborn(), (inputs, labels), recipe=Recipe(epochs=1, init="keep"), runs=2)
    assert kept.settings["holdout"]["init"] == "keep"


def test_a_fitted_model_is_refused(noisy, network):
    import torch

    inputs, labels, _ = noisy
    torch.manual_seed(0)
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.tensor(inputs)), torch.tensor(labels)).backward()
        optimizer.step()
    with pytest.raises(ModelError, match="already classifies"):
        scored(module, (inputs, labels), recipe=Recipe(epochs=1, init="keep"), runs=2)
    with pytest.raises(ModelError, match="already classifies"):
        scored(lambda: module, (inputs, labels), recipe=Recipe(epochs=1), runs=2)
    scored(module, (inputs, labels), recipe=Recipe(epochs=1), runs=1)


def test_folds_hold_everybody_out_once(bayes, blobs):
    audit = scored(bayes, blobs, ["c_score", "heldout_confidence"], folds=4)
    assert (audit.uncertainty("c_score").holdouts == 1).all()
    assert audit.settings["holdout"]["plan"]["folds"] == 4
    audit = scored(LogisticRegression(), blobs, "heldout_confidence", folds=6)
    assert np.isfinite(audit.columns["heldout_confidence"]).all()
    assert not np.array_equal(
        audit.columns["heldout_confidence"],
        scored(LogisticRegression(), blobs, "heldout_confidence", folds=3).columns["heldout_confidence"],
    )


def test_balanced_counts(bayes, blobs):
    counts = scored(bayes, blobs, runs=7, balanced=True).uncertainty().holdouts
    assert counts.max() - counts.min() <= 1


def test_auto_joins_the_other_scores(bayes, blobs):
    audit = dataaudit.score(LogisticRegression(), blobs, holdout=Holdout(runs=3), progress=False)
    assert {"c_score", "holdout_probability", "heldout_confidence"} <= set(audit.columns)


class Counted(GaussianNB):
    """Leaves a file for each fit."""

    def __init__(self, folder=None, fail=None, var_smoothing=1e-9, priors=None):
        super().__init__(priors=priors, var_smoothing=var_smoothing)
        self.folder = folder
        self.fail = fail

    def fit(self, inputs, labels):
        made = sum(1 for _ in Path(self.folder).iterdir())
        (Path(self.folder) / str(made)).touch()
        if self.fail is not None and made in self.fail:
            raise RuntimeError(f"no convergence in fit {made}")
        return super().fit(inputs, labels)


def fits(folder):
    return sum(1 for _ in Path(folder).iterdir())


def test_only_missing_runs_are_made(blobs, tmp_path):
    counts = tmp_path / "fits"
    counts.mkdir()
    model, store = Counted(str(counts)), tmp_path / "runs"
    few = scored(model, blobs, runs=10, store=store)
    assert fits(counts) == 10
    many = scored(model, blobs, runs=15, store=store)
    assert fits(counts) == 15
    again = scored(model, blobs, runs=10, store=store)
    assert fits(counts) == 15
    assert again.settings["holdout"]["read_from_store"] == 10
    np.testing.assert_array_equal(again.columns["c_score"], few.columns["c_score"])
    undisturbed = scored(model, blobs, runs=15)
    np.testing.assert_array_equal(many.columns["c_score"], undisturbed.columns["c_score"])
    scored(model, blobs, ["c_score", "c_score_integral"], runs=15, ratios=(0.3, 0.7), store=store)
    assert fits(counts) == 15 + 15 + 15


def test_damaged_records_are_named_and_made_again(blobs, tmp_path, bayes):
    store = tmp_path / "runs"
    whole = scored(bayes, blobs, runs=8, store=store)
    records = sorted(store.rglob("*.npz"))
    records[2].write_bytes(records[2].read_bytes()[:-20])
    records[5].write_bytes(b"")
    records[6].unlink()
    # A record that is sound but sits in another's place.
    moved = records[1].with_name("000003" + records[1].name[6:])
    records[1].rename(moved)
    records[3].unlink()
    mended = scored(bayes, blobs, runs=8, store=store)
    np.testing.assert_array_equal(mended.columns["c_score"], whole.columns["c_score"])
    told = mended.settings["holdout"]
    assert told["read_from_store"] == 3
    assert len(told["damaged_records"]) == 3
    assert any(records[2].name in name for name in told["damaged_records"])
    assert any("damaged records" in note for note in mended.settings["notes"])
    assert len(list(store.rglob("*.npz"))) == 8


def test_another_plan_data_set_or_recipe_is_refused(blobs, tmp_path, bayes):
    store, (inputs, labels) = tmp_path / "runs", blobs
    scored(bayes, blobs, runs=2, store=store)
    for other in (
        lambda: scored(bayes, blobs, runs=2, store=store, seed=1),
        lambda: scored(bayes, blobs, runs=2, store=store, balanced=True),
        lambda: scored(bayes, (inputs + 1, labels), runs=2, store=store),
        lambda: scored(GaussianNB(var_smoothing=0.1), blobs, runs=2, store=store),
        lambda: scored(LogisticRegression(), blobs, runs=2, store=store),
    ):
        with pytest.raises(StorageError, match="another"):
            other()


def test_several_processes_may_write_one_store(blobs, tmp_path, bayes):
    store = tmp_path / "runs"
    audit = scored(bayes, blobs, runs=6, store=store, backend=Joblib(n_jobs=2))
    alone = scored(bayes, blobs, runs=6, store=store)
    assert alone.settings["holdout"]["read_from_store"] == 6
    np.testing.assert_array_equal(alone.columns["c_score"], audit.columns["c_score"])


def test_a_run_that_fails_is_made_again(blobs, tmp_path):
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.mkdir()
    twice.mkdir()
    audit = scored(Counted(str(once), fail=(5,)), blobs, runs=10)
    assert audit.settings["holdout"]["failed"] == []
    np.testing.assert_array_equal(audit.columns["c_score"], scored(GaussianNB(), blobs, runs=10).columns["c_score"])
    with pytest.warns(UserWarning, match="failed twice"):
        audit = scored(Counted(str(twice), fail=(5, 10)), blobs, runs=10)
    (failed,) = audit.settings["holdout"]["failed"]
    assert failed["runs"] == [[0.7, 5]]
    assert "no convergence in fit 10" in failed["traceback"]
    assert audit.settings["holdout"]["runs"] == {"0.7": 9}
    json.dumps(audit.settings)


def test_when_all_runs_fail_the_first_traceback_is_shown(blobs, tmp_path):
    with pytest.raises(ModelError, match="no convergence in fit"):
        scored(Counted(str(tmp_path), fail=range(100)), blobs, runs=3)


def test_a_full_disk_stops_and_keeps_what_is_stored(blobs, tmp_path, bayes, monkeypatch):
    from dataaudit.holdout.store import Store

    store, write, written = tmp_path / "runs", Store.write, []

    def full(self, record):
        if len(written) == 4:
            raise StorageError("the store (No space left on device)", "room", "mend the disk")
        written.append(record)
        write(self, record)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", full)
        with pytest.raises(StorageError, match="No space left"):
            scored(bayes, blobs, runs=9, store=store)
    audit = scored(bayes, blobs, runs=9, store=store)
    assert audit.settings["holdout"]["read_from_store"] == 4
    np.testing.assert_array_equal(audit.columns["c_score"], scored(bayes, blobs, runs=9).columns["c_score"])


def test_ctrl_c_keeps_complete_runs(blobs, tmp_path, monkeypatch):
    from dataaudit.holdout.job import Job

    call, calls = Job.__call__, []

    def interrupted(self, runs):
        calls.append(runs)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return call(self, runs)

    with monkeypatch.context() as patched:
        patched.setattr(Job, "__call__", interrupted)
        with pytest.raises(Interrupted, match="5 complete holdout runs") as caught:
            scored(GaussianNB(), blobs, runs=20)
    audit = caught.value.audit()
    np.testing.assert_array_equal(audit.columns["c_score"], scored(GaussianNB(), blobs, runs=5).columns["c_score"])
    assert audit.settings["holdout"]["runs"] == {"0.7": 5}


def test_runs_are_added_until_they_are_reliable(blobs, bayes):
    audit = scored(bayes, blobs, runs="auto", reliability=0.9, budget=500)
    assert audit.reliability["c_score"] >= 0.9
    assert "reached 0.9" in audit.settings["holdout"]["stopped"]
    audit = scored(bayes, blobs, runs="auto", reliability=0.9999, budget=30)
    assert audit.settings["holdout"]["runs"] == {"0.7": 30}
    assert any("budget of 30 runs spent" in note for note in audit.settings["notes"])


def test_a_subset_without_a_class_is_counted(bayes):
    rng = np.random.default_rng(0)
    labels = np.array([0] * 20 + [1] * 20 + [2])
    inputs = rng.normal(size=(41, 3)) + 3.0 * np.eye(3)[labels]
    audit = scored(bayes, (inputs, labels), runs=20)
    missing = audit.settings["holdout"]["runs_missing_a_class"]
    assert missing == audit.uncertainty().holdouts.iloc[-1] > 0
    assert audit.columns["c_score"][-1] == 0
    assert any("without one of the classes" in note for note in audit.settings["notes"])


def test_a_subset_of_one_class_predicts_it():
    inputs, labels = np.random.default_rng(0).normal(size=(4, 2)), np.array([0, 0, 0, 1])
    audit = scored(LogisticRegression(), (inputs, labels), ratio=0.5, runs=40)
    values = audit.columns["c_score"]
    assert values[3] == 0
    assert (values[:3] > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 0.0}, "ratio"),
        ({"ratio": 1.0}, "ratio"),
        ({"ratios": ()}, "ratios"),
        ({"ratios": (0.3, 0.3)}, "once"),
        ({"runs": 0}, "runs=0"),
        ({"runs": True}, "runs=True"),
        ({"runs": "many"}, "runs='many'"),
        ({"budget": 1}, "budget"),
        ({"budget": 30}, "runs='auto'"),
        ({"reliability": 0.9, "runs": 20}, "runs='auto'"),
        ({"store": "memory://x", "backend": "joblib"}, "other processes"),
        ({"reliability": 1.0}, "reliability"),
        ({"folds": 1}, "folds"),
        ({"folds": 3, "runs": 4}, "multiple"),
        ({"folds": 3, "balanced": True}, "folds alone"),
        ({"folds": 3, "ratio": 0.5}, "folds alone"),
        ({"stratify": True, "balanced": True}, "one of them"),
        ({"stratify": 1}, "stratify"),
        ({"backend": "jobli"}, "did you mean 'joblib'"),
        ({"backend": 3}, "backend"),
        ({"backend": Joblib}, "backend"),
        ({"store": 3}, "store"),
        ({"storage_options": {}}, "storage_options"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(SettingError, match=message):
        Holdout(**options)


def test_settings_that_nothing_uses_are_refused(bayes, blobs, noisy, network):
    with pytest.raises(SettingError, match="none of which is estimated by holdout"):
        scored(bayes, blobs, "density/input", runs=3)
    with pytest.raises(SettingError, match="folds for"):
        scored(bayes, blobs, "c_score_integral", folds=3)
    with pytest.raises(SettingError, match="holdout="):
        dataaudit.score(bayes, blobs, "c_score", holdout=3, progress=False)
    with pytest.raises(SettingError, match="at least 200"):
        scored(bayes, blobs, folds=200)
    with pytest.raises(ModelError, match="model"):
        scored(None, blobs)


def test_no_bar_without_progress(bayes, blobs, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scored(bayes, blobs, runs=2)
    assert capsys.readouterr() == ("", "")


def test_a_fitted_module_leaks_nowhere_on_its_way_to_a_fresh_start():
    """Weights that no reset renews, and buffers that hold the answers."""
    import torch

    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(200, 5)).astype(np.float32), rng.integers(2, size=200)

    class Scaled(nn.Linear):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.scale = nn.Parameter(torch.ones(sizes[1]))

        def forward(self, x):
            return super().forward(x) * self.scale

    class Remembering(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.tensor(inputs))
            self.register_buffer("answers", nn.functional.one_hot(torch.tensor(labels)).float())
            self.layer = nn.Linear(5, 2)

        def forward(self, x):
            near = torch.cdist(x, self.seen).argmin(1)
            return 9.0 * self.answers[near] + 0.01 * self.layer(x)

    short = Recipe(epochs=1, learning_rate=1e-4)
    for module, message in (
        (nn.utils.weight_norm(nn.Linear(5, 2)), "renews|copied"),
        (Scaled(5, 2), "'scale'"),
        (Remembering(), "already classifies"),
    ):
        with pytest.raises(ModelError, match=message):
            scored(module, (inputs, labels), recipe=short, runs=3)


def test_frozen_classifiers_are_refused(blobs):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import VotingClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.neighbors import KNeighborsClassifier

    fitted = FrozenEstimator(KNeighborsClassifier(1).fit(*blobs))
    for model in (CalibratedClassifierCV(fitted), VotingClassifier([("a", fitted)], voting="soft")):
        with pytest.raises(ModelError, match="stays as it was fitted"):
            scored(model, blobs, runs=3)


def test_a_disk_that_fails_for_a_moment_costs_no_record(blobs, tmp_path, bayes, monkeypatch):
    from fsspec.implementations.local import LocalFileSystem

    store = tmp_path / "runs"
    scored(bayes, blobs, runs=5, store=store)
    read = LocalFileSystem.cat_file

    def failing(self, path, *args, **kwargs):
        if path.endswith(".npz"):
            raise OSError(110, "Connection timed out")
        return read(self, path, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(LocalFileSystem, "cat_file", failing)
        with pytest.raises(StorageError, match="timed out"):
            scored(bayes, blobs, runs=5, store=store)
    assert scored(bayes, blobs, runs=5, store=store).settings["holdout"]["read_from_store"] == 5


def test_ratios_are_equal_to_millionths(blobs, tmp_path, bayes):
    store = tmp_path / "runs"
    scored(bayes, blobs, runs=3, ratio=0.3, store=store)
    again = scored(bayes, blobs, runs=3, ratio=float(np.arange(0.1, 1, 0.1)[2]), store=store)
    assert again.settings["holdout"]["read_from_store"] == 3
    with pytest.raises(SettingError, match="once"):
        Holdout(ratios=[0.3, 0.30000000000000004])


class Leaver(GaussianNB):
    """Ends the process, as careless code may."""

    def fit(self, inputs, labels):
        raise SystemExit(3)


def test_a_model_that_exits_is_a_failed_run(blobs):
    with pytest.raises(ModelError, match="SystemExit"):
        scored(Leaver(), blobs, runs=2)


def test_a_hopeless_model_is_given_up_early(blobs, tmp_path):
    for options in ({"runs": "auto", "budget": 300}, {"runs": 200}):
        folder = tmp_path / str(options["runs"])
        folder.mkdir()
        with pytest.raises(ModelError, match="no convergence"):
            scored(Counted(str(folder), fail=range(1000)), blobs, **options)
        assert fits(folder) == 10


def test_numpy_integers_are_integers(blobs, tmp_path, bayes):
    audit = scored(bayes, blobs, folds=np.int64(3), runs=np.int64(6), seed=np.int64(3), store=tmp_path / "runs")
    audit.save(tmp_path / "audit")
    assert audit.settings["seed"] == 3


class Wanderer(GaussianNB):
    """Changes the working folder while it fits."""

    def __init__(self, away=None):
        super().__init__()
        self.away = away

    def fit(self, inputs, labels):
        os.chdir(self.away)
        return super().fit(inputs, labels)


def test_the_store_is_one_folder_wherever_a_model_goes(blobs, tmp_path, monkeypatch):
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path)
    scored(Wanderer(str(tmp_path / "away")), blobs, runs=3, store="runs")
    assert len(list((tmp_path / "runs").rglob("*.npz"))) == 3


def test_the_store_knows_functions_by_their_code(noisy, network, tmp_path):
    inputs, labels, _ = noisy

    class Shift:
        def __init__(self, by):
            self.by = by

        def __call__(self, x, generator):
            return x + self.by

    def recipe(augment):
        return Recipe(epochs=1, augment=augment)

    store = tmp_path / "runs"
    scored(network, (inputs, labels), recipe=recipe(Shift(0.1)), runs=1, store=store)
    again = scored(network, (inputs, labels), recipe=recipe(Shift(0.1)), runs=1, store=store)
    assert again.settings["holdout"]["read_from_store"] == 1
    for other in (Shift(0.2), lambda x, generator: x * 2):
        with pytest.raises(StorageError, match="another recipe"):
            scored(network, (inputs, labels), recipe=recipe(other), runs=1, store=store)


def test_every_score_that_is_asked_for_must_be_reliable(blobs, bayes):
    names = ["c_score", "c_score_integral", "holdout_probability"]
    audit = scored(bayes, blobs, names, runs="auto", reliability=0.8, budget=400, ratios=(0.5, 0.7))
    assert min(audit.reliability.values()) >= 0.8
    assert "reached 0.8" in audit.settings["holdout"]["stopped"]


def test_ctrl_c_keeps_epochs_and_runs(noisy, network, quick, monkeypatch):
    from dataaudit.holdout.job import Job

    inputs, labels, _ = noisy
    call, calls = Job.__call__, []

    def interrupted(self, runs):
        calls.append(runs)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return call(self, runs)

    with monkeypatch.context() as patched:
        patched.setattr(Job, "__call__", interrupted)
        with pytest.raises(Interrupted, match="4 complete epochs and 2 complete holdout runs") as caught:
            scored(network, (inputs, labels), "auto", recipe=quick, runs=5)
    audit = caught.value.audit()
    assert {"c_score", "mean_margin"} <= set(audit.columns)
    assert audit.settings["model"] == "Sequential"


def test_only_the_folds_count_for_held_out_confidence(blobs):
    with pytest.raises(SettingError, match="folds alone"):
        scored(LogisticRegression(), blobs, "heldout_confidence", runs=3)


class Uncopied:
    """Refuses to be pickled, not to be copied."""

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        raise TypeError("cannot pickle this")


class Locked(GaussianNB):
    """Holds something that stays in its process."""

    def __init__(self, lock=None):
        super().__init__()
        self.lock = lock


def test_a_model_that_cannot_be_sent_is_named(blobs):
    with pytest.raises(ModelError, match="cannot be sent"):
        scored(Locked(Uncopied()), blobs, runs=3, backend=Joblib(n_jobs=2))
