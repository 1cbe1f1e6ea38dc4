"""Scores by holdout from end to end: against a plain loop, resumed, damaged, failing, stopped."""

import json
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
        with pytest.raises(Interrupted, match="5 complete runs") as caught:
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
