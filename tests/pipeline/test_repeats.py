"""Several training runs in one audit."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from torch.optim.optimizer import register_optimizer_step_pre_hook

import dataaudit
from dataaudit.dynamics.several import joined
from dataaudit.errors import SettingError
from dataaudit.pipeline.evidence_sources.cross_validation import fold_seed
from dataaudit.pipeline.interrupted import Interrupted

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 90)
IMAGES = (RNG.normal(size=(90, 1, 12, 12)) + LABELS[:, None, None, None]).astype(np.float32)
RECIPE = dataaudit.Recipe(epochs=4, evaluations=2, batch_size=32)


NETWORK = dataaudit.networks.build("small_cnn", (1, 12, 12), 3)


def audited(repeats, seed=0, scorers="auto"):
    data = IMAGES, LABELS
    return dataaudit.score(NETWORK, data, scorers, recipe=RECIPE, seed=seed, repeats=repeats, progress=False)


def same(found, expected):
    for name in ("mean_margin", "mean_el2n", "correct", "first_correct", "forgetting", "informed_probabilities"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_each_run_is_the_one_of_its_seed():
    audit = audited(3)
    alone = [audited(1, fold_seed(0, number)) for number in range(3)]
    same(audit.dynamics, joined([one.dynamics for one in alone], LABELS))
    same(audit.evidence.evaluations, joined([one.evidence.evaluations for one in alone], LABELS))
    near = np.mean([one.evidence.neighbour_labels.probabilities.dense(slice(0, 90)) for one in alone], axis=0)
    np.testing.assert_allclose(audit.evidence.neighbour_labels.probabilities.dense(slice(0, 90)), near, atol=1e-6)
    assert audit.settings["repeats"] == 3
    assert audit.settings["passes"] == pytest.approx(3 * (4 + 2 / 3), abs=0.01)
    assert audit.settings["fits"]["training"] == 3
    assert audit.settings["evaluation_passes"] == 6
    # What is read from the trained model is the first one's.
    np.testing.assert_array_equal(audit.columns["confidence"], alone[0].columns["confidence"])
    assert np.isfinite(audit.columns["consensus"]).all()
    assert not np.array_equal(audit.columns["consensus"], alone[0].columns["consensus"])


def test_one_run_says_nothing_of_repeats():
    assert "repeats" not in audited(1, scorers="el2n").settings


def test_evaluations_alone_are_repeated():
    audit = audited(2, scorers="augmented_el2n")
    alone = [audited(1, fold_seed(0, number), "augmented_el2n") for number in range(2)]
    same(audit.evidence.evaluations, joined([one.evidence.evaluations for one in alone], LABELS))


def test_boosting_stages_are_repeated():
    model = HistGradientBoostingClassifier(max_iter=5, early_stopping=False)
    data = IMAGES.reshape(90, -1), LABELS
    audit = dataaudit.score(model, data, "el2n", repeats=2, progress=False)
    assert audit.dynamics.epochs == 2 * dataaudit.score(model, data, "el2n", progress=False).dynamics.epochs


def test_a_saved_audit_keeps_all_runs(tmp_path):
    audit = audited(2)
    audit.save(tmp_path / "audit")
    found = dataaudit.Audit.load(tmp_path / "audit")
    same(found.dynamics, audit.dynamics)
    assert found.settings["repeats"] == 2


@pytest.mark.parametrize("repeats", [0, -1, True, 1.5, "3", None])
def test_other_than_whole_numbers_are_refused(repeats):
    with pytest.raises(SettingError, match="a whole number of at least 1"):
        audited(repeats)


def test_what_has_no_epochs_is_refused():
    data = IMAGES.reshape(90, -1), LABELS
    with pytest.raises(SettingError, match="a model that has no epochs"):
        dataaudit.score(LogisticRegression(), data, repeats=2, progress=False)
    with pytest.raises(SettingError, match="nothing that is trained here"):
        dataaudit.score(None, data, repeats=2, progress=False)
    recorder = dataaudit.Recorder(90, 3)
    recorder.update(np.arange(90), torch.zeros(90, 3), LABELS)
    recorder.end_epoch()
    with pytest.raises(SettingError, match="nothing that is trained here"):
        dataaudit.score(recorder, data, repeats=2, progress=False)


@pytest.mark.parametrize("complete", [0, 1])
def test_ctrl_c_in_a_later_run_keeps_what_is_complete(complete):
    """The optimizer of the run that Ctrl-C falls into is interrupted at its first step."""
    steps_of_a_run, begun = RECIPE.epochs * 3, 0

    def pressed(*_):
        nonlocal begun
        begun += 1
        if begun > (1 + complete) * steps_of_a_run:
            raise KeyboardInterrupt

    handle = register_optimizer_step_pre_hook(pressed)
    try:
        with pytest.raises(Interrupted) as caught:
            audited(3)
    finally:
        handle.remove()
    kept, whole = caught.value.audit(), audited(1 + complete)
    assert kept.settings["passes"] == pytest.approx((1 + complete) * (4 + 2 / 3), abs=0.01)
    assert kept.settings.get("repeats", 1) == 1 + complete
    same(kept.dynamics, whole.dynamics)
    np.testing.assert_array_equal(kept.columns["consensus"], whole.columns["consensus"])


def test_a_model_that_draws_nothing_at_random_is_told_of():
    model = HistGradientBoostingClassifier(max_iter=5, early_stopping=False)
    data = IMAGES.reshape(90, -1), LABELS
    told = "every training run showed the same"
    assert any(told in note for note in dataaudit.score(model, data, repeats=2, progress=False).settings["notes"])
    assert not any(told in note for note in audited(2).settings["notes"])
    assert not any(told in note for note in audited(1).settings["notes"])


def test_scores_that_read_no_training_run_are_refused():
    with pytest.raises(SettingError, match="repeats=2 for a call that records no training run"):
        audited(2, scorers="knn_c_score/hidden")
