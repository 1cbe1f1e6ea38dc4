"""Scores by holdout from end to end: what an audit says, and settings."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import dataaudit
from dataaudit import Holdout
from dataaudit.errors import ModelError, SettingError
from dataaudit.holdout.backends import Joblib


def test_what_an_audit_says(scored, bayes, blobs, tmp_path):
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


def test_the_wrong_labels_score_lowest(scored, bayes, blobs):
    audit = scored(bayes, blobs, runs=60)
    wrong = blobs[1] != np.arange(120) % 3
    assert audit.columns["c_score"][wrong].mean() < 0.2 < 0.8 < audit.columns["c_score"][~wrong].mean()


def test_folds_hold_everybody_out_once(scored, bayes, blobs):
    audit = scored(bayes, blobs, ["c_score", "heldout_confidence"], folds=4)
    assert (audit.uncertainty("c_score").holdouts == 1).all()
    assert audit.settings["holdout"]["plan"]["folds"] == 4
    audit = scored(LogisticRegression(), blobs, "heldout_confidence", folds=6)
    assert np.isfinite(audit.columns["heldout_confidence"]).all()
    assert not np.array_equal(
        audit.columns["heldout_confidence"],
        scored(LogisticRegression(), blobs, "heldout_confidence", folds=3).columns["heldout_confidence"],
    )


def test_balanced_counts(scored, bayes, blobs):
    counts = scored(bayes, blobs, runs=7, balanced=True).uncertainty().holdouts
    assert counts.max() - counts.min() <= 1


def test_auto_joins_the_other_scores(bayes, blobs):
    audit = dataaudit.score(LogisticRegression(), blobs, holdout=Holdout(runs=3), progress=False)
    assert {"c_score", "holdout_probability", "heldout_confidence"} <= set(audit.columns)


def test_runs_are_added_until_they_are_reliable(scored, blobs, bayes):
    audit = scored(bayes, blobs, runs="auto", reliability=0.9, budget=500)
    assert audit.reliability["c_score"] >= 0.9
    assert "reached 0.9" in audit.settings["holdout"]["stopped"]
    audit = scored(bayes, blobs, runs="auto", reliability=0.9999, budget=30)
    assert audit.settings["holdout"]["runs"] == {"0.7": 30}
    assert any("budget of 30 runs spent" in note for note in audit.settings["notes"])


def test_a_subset_without_a_class_is_counted(scored, bayes):
    rng = np.random.default_rng(0)
    labels = np.array([0] * 20 + [1] * 20 + [2])
    inputs = rng.normal(size=(41, 3)) + 3.0 * np.eye(3)[labels]
    audit = scored(bayes, (inputs, labels), runs=20)
    missing = audit.settings["holdout"]["runs_missing_a_class"]
    assert missing == audit.uncertainty().holdouts.iloc[-1] > 0
    assert audit.columns["c_score"][-1] == 0
    assert any("without one of the classes" in note for note in audit.settings["notes"])


def test_a_subset_of_one_class_predicts_it(scored):
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


def test_settings_that_nothing_uses_are_refused(scored, bayes, blobs, noisy, network):
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


def test_no_bar_without_progress(scored, bayes, blobs, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scored(bayes, blobs, runs=2)
    assert capsys.readouterr() == ("", "")


def test_numpy_integers_are_integers(scored, blobs, tmp_path, bayes):
    audit = scored(bayes, blobs, folds=np.int64(3), runs=np.int64(6), seed=np.int64(3), store=tmp_path / "runs")
    audit.save(tmp_path / "audit")
    assert audit.settings["seed"] == 3


def test_every_score_that_is_asked_for_must_be_reliable(scored, blobs, bayes):
    names = ["c_score", "c_score_integral", "holdout_probability"]
    audit = scored(bayes, blobs, names, runs="auto", reliability=0.8, budget=400, ratios=(0.5, 0.7))
    assert min(audit.reliability.values()) >= 0.8
    assert "reached 0.8" in audit.settings["holdout"]["stopped"]


def test_only_the_folds_count_for_held_out_confidence(scored, blobs):
    with pytest.raises(SettingError, match="folds alone"):
        scored(LogisticRegression(), blobs, "heldout_confidence", runs=3)
