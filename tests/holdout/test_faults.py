"""What is stored is resumed, what is damaged or fails is made again, what is interrupted is kept."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from dataaudit import Holdout, Recipe
from dataaudit.errors import ModelError, SettingError, StorageError
from dataaudit.holdout.backends import Joblib
from dataaudit.pipeline.interrupted import Interrupted


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


def test_only_missing_runs_are_made(scored, blobs, tmp_path):
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


def test_damaged_records_are_named_and_made_again(scored, blobs, tmp_path, bayes):
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


def test_several_callers_may_fill_one_store(scored, blobs, tmp_path, bayes):
    store, alone = tmp_path / "runs", scored(bayes, blobs, runs=12)
    scored(bayes, blobs, runs=4, store=store)
    for path in sorted(store.rglob("*.npz"))[:2]:
        path.write_bytes(b"")
    with ThreadPoolExecutor(3) as pool:
        audits = list(pool.map(lambda _: scored(bayes, blobs, runs=12, store=store), range(3)))
    for audit in [*audits, scored(bayes, blobs, runs=12, store=store)]:
        assert audit.settings["holdout"]["runs"] == {"0.7": 12}
        np.testing.assert_array_equal(audit.columns["c_score"], alone.columns["c_score"])
    assert len(list(store.rglob("*.npz"))) == 12
    assert not list(store.rglob("*.partial"))


def test_a_store_is_tried_before_anything_is_trained(scored, blobs, tmp_path, monkeypatch):
    from dataaudit.common import folders

    counts = tmp_path / "fits"
    counts.mkdir()

    def full(folder):
        raise StorageError(f"{folder} (No space left on device)", "room", "mend the disk")

    with monkeypatch.context() as patched:
        patched.setattr(folders, "try_writing", full)
        with pytest.raises(StorageError, match="No space left"):
            scored(Counted(str(counts)), blobs, "auto", runs=3, store=tmp_path / "runs")
    assert fits(counts) == 0


def test_another_plan_data_set_or_recipe_is_refused(scored, blobs, tmp_path, bayes):
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


def test_several_processes_may_write_one_store(scored, blobs, tmp_path, bayes):
    store = tmp_path / "runs"
    audit = scored(bayes, blobs, runs=6, store=store, backend=Joblib(n_jobs=2))
    alone = scored(bayes, blobs, runs=6, store=store)
    assert alone.settings["holdout"]["read_from_store"] == 6
    np.testing.assert_array_equal(alone.columns["c_score"], audit.columns["c_score"])


def test_a_run_that_fails_is_made_again(scored, blobs, tmp_path):
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


def test_when_all_runs_fail_the_first_traceback_is_shown(scored, blobs, tmp_path):
    with pytest.raises(ModelError, match="no convergence in fit"):
        scored(Counted(str(tmp_path), fail=range(100)), blobs, runs=3)


def test_a_full_disk_stops_and_keeps_what_is_stored(scored, blobs, tmp_path, bayes, monkeypatch):
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


def test_ctrl_c_keeps_complete_runs(scored, blobs, tmp_path, monkeypatch):
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


def test_a_disk_that_fails_for_a_moment_costs_no_record(scored, blobs, tmp_path, bayes, monkeypatch):
    from dataaudit.common import folders

    store = tmp_path / "runs"
    scored(bayes, blobs, runs=5, store=store)
    read = folders.opened

    def failing(path, *args):
        if path.suffix == ".npz":
            raise OSError(110, "Connection timed out")
        return read(path, *args)

    with monkeypatch.context() as patched:
        patched.setattr(folders, "opened", failing)
        with pytest.raises(StorageError, match="timed out"):
            scored(bayes, blobs, runs=5, store=store)
    assert scored(bayes, blobs, runs=5, store=store).settings["holdout"]["read_from_store"] == 5


def test_ratios_are_equal_to_millionths(scored, blobs, tmp_path, bayes):
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


def test_a_model_that_exits_is_a_failed_run(scored, blobs):
    with pytest.raises(ModelError, match="SystemExit"):
        scored(Leaver(), blobs, runs=2)


def test_a_hopeless_model_is_given_up_early(scored, blobs, tmp_path):
    for options in ({"runs": "auto", "budget": 300}, {"runs": 200}):
        folder = tmp_path / str(options["runs"])
        folder.mkdir()
        with pytest.raises(ModelError, match="no convergence"):
            scored(Counted(str(folder), fail=range(1000)), blobs, **options)
        assert fits(folder) == 10


class Wanderer(GaussianNB):
    """Changes the working folder while it fits."""

    def __init__(self, away=None):
        super().__init__()
        self.away = away

    def fit(self, inputs, labels):
        os.chdir(self.away)
        return super().fit(inputs, labels)


def test_the_store_is_one_folder_wherever_a_model_goes(scored, blobs, tmp_path, monkeypatch):
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path)
    scored(Wanderer(str(tmp_path / "away")), blobs, runs=3, store="runs")
    assert len(list((tmp_path / "runs").rglob("*.npz"))) == 3


def test_the_store_knows_functions_by_their_code(scored, noisy, network, tmp_path):
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


def test_ctrl_c_keeps_epochs_and_runs(scored, noisy, network, quick, monkeypatch):
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


def test_a_model_that_cannot_be_sent_is_named(scored, blobs):
    with pytest.raises(ModelError, match="cannot be sent"):
        scored(Locked(Uncopied()), blobs, runs=3, backend=Joblib(n_jobs=2))
