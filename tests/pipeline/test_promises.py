"""Promises of score() beside its scores: nothing said that did not happen, nothing ignored, nothing lost."""

import contextlib
import inspect

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

import dataaudit
from dataaudit.curriculum.trainers.losses import RecordedLosses
from dataaudit.errors import DataAuditError, DataError, ModelError, SettingError
from dataaudit.evidence.base import Need
from dataaudit.pipeline.interrupted import Interrupted
from dataaudit.scores.base import Scores

RNG = np.random.default_rng(0)
LABELS = np.arange(120) % 3
INPUTS = (RNG.normal(size=(120, 6)) + 3 * np.eye(6)[LABELS]).astype(np.float32)
DATA = INPUTS, LABELS
QUICK = dataaudit.Recipe(epochs=2, batch_size=32)


def network(norm=False):
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(16)] if norm else []
    return nn.Sequential(nn.Linear(6, 16), *middle, nn.ReLU(), nn.Linear(16, 3))


def loop(module, epochs, end=True):
    """A user's own loop, and its record."""
    recorder = dataaudit.Recorder(120, 3)
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(epochs):
        for rows in torch.arange(120).split(30):
            logits = module(torch.tensor(INPUTS[rows]))
            recorder.update(rows, logits, LABELS[rows])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, torch.tensor(LABELS[rows])).backward()
            optimizer.step()
        if end:
            recorder.end_epoch()
    return recorder


def score(model, data=DATA, *arguments, **options):
    return dataaudit.score(model, data, *arguments, progress=False, **options)


@pytest.mark.parametrize("norm", [False, True])
def test_a_trained_module_is_held_out_from_reset_weights(norm):
    """Buffers of normalisation are reset, and what was seen of the weights as passed is not taken for theirs."""
    module = network(norm)
    loop(module, 20)
    audit = score(module, DATA, "heldout_confidence", recipe=None)
    reset = score(module, DATA, "heldout_confidence", recipe=dataaudit.Recipe(epochs=2, init="reset"))
    assert np.isfinite(audit.columns["heldout_confidence"]).all()
    assert np.isfinite(reset.columns["heldout_confidence"]).all()


def test_no_recipe_is_told_where_nothing_was_trained():
    module = network()
    recorder = loop(module, 20)
    assert score(recorder, trained=module).settings["recipe"] is None
    assert score(module, recipe=dataaudit.Recipe(epochs=7)).settings["recipe"] is None
    assert score(network, recipe=QUICK).settings["recipe"]["epochs"] == 2


@pytest.mark.parametrize(
    "options",
    [
        {"split": "x"},
        {"label": "y"},
        {"inputs": "z"},
        {"transform": str},
        {"processor": 3},
        {"cache": "f"},
        {"device": "nonsense"},
    ],
)
def test_options_of_a_data_set_are_refused_without_one(options):
    with pytest.raises(SettingError, match=f"{next(iter(options))}= without a data set"):
        score(loop(network(), 1), None, **options)


def test_an_empty_record_is_refused_with_a_data_set_too():
    for recorder in (dataaudit.Recorder(120, 3), loop(network(), 1, end=False)):
        with pytest.raises(DataError, match="without a complete epoch"):
            score(recorder)


def test_held_out_predictions_beside_a_record_are_those_without_its_module():
    module = network()
    recorder = loop(module, 3)
    alone = score(recorder, DATA, "heldout_confidence")
    beside = score(recorder, DATA, "heldout_confidence", trained=module)
    np.testing.assert_array_equal(alone.columns["heldout_confidence"], beside.columns["heldout_confidence"])
    with pytest.raises(ModelError, match="pass dataset="):
        score(recorder, None, "heldout_confidence")


def test_predictions_count_as_read_by_the_consensus():
    probabilities = np.full((120, 3), 1 / 3)
    assert list(score(None, DATA, "consensus", predictions=probabilities).columns) == ["consensus"]
    np.testing.assert_array_equal(
        score(None, DATA, "consensus", predictions=torch.tensor(probabilities, requires_grad=True)).columns[
            "consensus"
        ],
        score(None, DATA, "consensus", predictions=probabilities).columns["consensus"],
    )


class Callback(RecordedLosses):
    """What a Trainer's callback leaves."""

    def __init__(self, recorder, trained):
        self._recorder, self.trained = recorder, trained


class Tokens(nn.Module):
    """A model that takes something else than the data set's inputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Embedding(9, 3)

    def forward(self, x):
        return self.layer(x.long()).sum(1) if x.shape[1] == 4 else x


def test_a_trainers_model_that_cannot_be_asked_is_told_of_and_raises_where_it_is_needed():
    module = network()
    recorder = loop(module, 2)
    assert "confidence" in score(Callback(recorder, module)).columns
    audit = score(Callback(recorder, Tokens()))
    assert any("the Trainer's model is not asked" in note for note in audit.settings["notes"])
    assert "confidence" not in audit.columns
    with pytest.raises(ModelError) as caught:
        score(Callback(recorder, Tokens()), DATA, "confidence")
    assert "no model" not in str(caught.value)
    broken = score(Callback(recorder, None))
    assert any("broken off" in note for note in broken.settings["notes"])
    with pytest.raises(SettingError, match="processor="):
        score(Callback(recorder, module), processor=3)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"repeats": 0}, "repeats=0"),
        ({"known_scores": {"zzz": np.zeros(120)}}, "known_scores="),
        ({"recipe": "nope"}, "nope"),
    ],
)
def test_cheap_checks_come_before_the_data_is_read(options, error):
    class Unread(torch.utils.data.Dataset):
        def __len__(self):
            return 120

        def __getitem__(self, index):
            raise AssertionError("read")

    with pytest.raises(SettingError, match=error):
        score(network, Unread(), **options)


def test_a_call_that_is_refused_leaves_no_folder(tmp_path):
    with pytest.raises(SettingError, match="repeats=2"):
        score(None, DATA, "parzen/input", cache=tmp_path / "kept", repeats=2)
    assert not (tmp_path / "kept").exists()


class Wants:
    """A scorer of a need that no source meets."""

    name, summary, needs = "wants", "", frozenset({"something"})

    def score(self, evidence):
        return Scores(np.zeros(120))


def test_a_need_that_no_source_meets_is_refused_before_training():
    with pytest.raises(SettingError, match="which needs 'something'"):
        score(None, DATA, [Wants(), "parzen/input"])


def pressed(after):
    """Ctrl-C at the optimizer's step number `after`."""
    steps = 0

    def hook(*_):
        nonlocal steps
        steps += 1
        if steps > after:
            raise KeyboardInterrupt

    return register_optimizer_step_pre_hook(hook)


def test_an_interrupted_audit_trains_nothing_when_it_is_asked_for_its_model():
    handle = pressed(6)
    try:
        with pytest.raises(Interrupted) as caught:
            score(network, DATA, ["el2n", "confidence"], recipe=dataaudit.Recipe(epochs=4, batch_size=32))
    finally:
        handle.remove()
    audit = caught.value.audit()
    assert audit.dynamics.epochs == 1
    handle = pressed(0)
    try:
        found = audit.score_new(INPUTS[:4], progress=False)
    finally:
        handle.remove()
    assert "predicted" not in found


def test_ctrl_c_while_scoring_keeps_the_evidence():
    class Pressing:
        name, summary, needs = "pressing", "", frozenset()
        pressed = 0

        def score(self, evidence):
            Pressing.pressed += 1
            if Pressing.pressed == 1:
                raise KeyboardInterrupt
            return Scores(np.zeros(120))

    with pytest.raises(Interrupted) as caught:
        score(network, DATA, ["el2n", Pressing()], recipe=QUICK)
    assert caught.value.epochs == 2
    first, second = caught.value.audit(), caught.value.audit()
    assert "el2n" in first.columns
    assert second.timings["total"] < first.timings["total"] + first.timings["score"] + 1


class Reads(nn.Module):
    """A model of token ids."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(9, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.table(x).mean(1))


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_token_ids_are_no_vectors(dtype):
    rows = np.random.default_rng(0).integers(9, size=(120, 6))
    model = Reads if dtype is np.int64 else network
    audit = score(model, (rows.astype(dtype), LABELS), recipe=QUICK)
    beside = audit.settings["neighbour_labels"]["representation"]
    assert beside == ("hidden" if dtype is np.int64 else "input")
    assert ("ridge" in audit.settings["consensus"]) == (dtype is not np.int64)
    assert any("token ids" in note for note in audit.settings["notes"]) == (dtype is np.int64)


def test_folds_beside_predictions_are_refused_unless_subset_runs_take_them():
    options = {"predictions": np.full((120, 3), 1 / 3), "holdout": dataaudit.Holdout(folds=3)}
    with pytest.raises(SettingError, match="beside predictions="):
        score(network, DATA, "heldout_confidence", recipe=QUICK, **options)
    audit = score(network, DATA, ["heldout_confidence", "holdout_probability"], recipe=QUICK, **options)
    assert np.isfinite(audit.columns["holdout_probability"]).all()


@pytest.mark.parametrize("name", [*inspect.signature(dataaudit.score).parameters])
@pytest.mark.parametrize("value", [np.zeros(3), [], {}], ids=["array", "list", "dictionary"])
def test_an_argument_of_a_strange_type_is_an_error_in_three_parts_or_taken(name, value):
    arguments = {"model": None, "dataset": DATA, "scorers": "parzen/input", "progress": False, name: value}
    with contextlib.suppress(DataAuditError):
        dataaudit.score(**arguments)


class Fixed(nn.Module):
    """Weights that nothing resets."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(6, 3))

    def forward(self, x):
        return x @ self.weights


def test_what_the_consensus_goes_without_is_told_where_one_is_taken():
    told = {
        scorers: any("no part of the consensus" in note for note in audit.settings["notes"])
        for scorers in ("parzen/input", "el2n", "consensus")
        for audit in [score(Fixed(), DATA, scorers, recipe=QUICK)]
    }
    assert told == {"parzen/input": False, "el2n": False, "consensus": True}


def test_why_a_recipe_was_chosen_is_told_where_something_trains_by_it():
    holdout = dataaudit.Holdout(runs=2)
    chosen = dataaudit.recipes.auto(epochs=1)
    calls = {"parzen/input": {}, "heldout_confidence": {}, "el2n": {}, "c_score": {"holdout": holdout}}
    told = {
        name: "recipe_chosen" in score(network(), DATA, name, recipe=chosen, **more).settings
        for name, more in calls.items()
    }
    assert told == {"parzen/input": False, "heldout_confidence": True, "el2n": True, "c_score": True}


class Picture(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 3))


IMAGES = RNG.normal(size=(120, 1, 8, 8)).astype(np.float32)
GAPS = np.where(INPUTS > 4, np.nan, INPUTS)
TOKENS = RNG.integers(0, 9, (120, 4))


class Regression:
    name, summary, needs = "regression", "", frozenset({Need.RIDGE_LOO})

    def score(self, evidence):
        return Scores(evidence.left_out.confidence)


@pytest.mark.parametrize("scorer", ["heldout_confidence", Regression()], ids=["held out", "beside"])
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("inputs", [IMAGES, GAPS, None], ids=["images", "gaps", "none"])
def test_a_regression_on_what_are_no_vectors_is_refused(scorer, recorded, inputs):
    if inputs is None and not recorded:
        return
    model = loop(network(), 1) if recorded else None
    with pytest.raises(ModelError, match=r"vectors of numbers|data set"):
        score(model, None if inputs is None else (inputs, LABELS), scorer)


def test_a_regression_that_a_scorer_names_stands_beside_any_model():
    held_out = score(None, DATA, "heldout_confidence").columns["heldout_confidence"]
    for model in (None, loop(network(), 1), network()):
        audit = score(model, DATA, [Regression()], recipe=None)
        np.testing.assert_array_equal(audit.columns["regression"], held_out)
    with pytest.raises(ModelError, match=r"ridge regression for arrays inputs of shape .* no vectors"):
        score(Picture(), (IMAGES, LABELS), [Regression()])
