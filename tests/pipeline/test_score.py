"""The verb, from data sets and models of every kind to an audit; and every input that it refuses."""

import copy
import json
import os
import pty
import subprocess
import sys

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import TensorDataset

import dataaudit
from dataaudit import Recipe, Recorder
from dataaudit.errors import DataError, ModelError, SettingError

DYNAMICS = [
    "label_quality",
    "el2n",
    "mean_margin",
    "mean_confidence",
    "variability",
    "learning_speed",
    "cumulative_loss",
    "first_learned",
    "forgetting",
]


def score(*arguments, **options):
    return dataaudit.score(*arguments, **{"progress": False, **options})


def test_one_training_run_finds_the_wrong_labels(noisy, network, quick):
    inputs, labels, wrong = noisy
    audit = score(network, (inputs, labels), recipe=quick)
    # So few vectors train in a moment: they are held out as well.
    assert list(audit.scores) == ["consensus", *DYNAMICS, "confidence", "max_confidence", "heldout_confidence"]
    assert audit.default == "consensus"
    for name in {"consensus", *DYNAMICS, "heldout_confidence"} - {"first_learned", "forgetting", "variability"}:
        assert roc_auc_score(wrong, -audit.scores[name]) > 0.98, name
    worst = audit.suspects(15)
    assert set(worst["row"]) == set(np.flatnonzero(wrong))
    assert (worst["suggested"] == [str((int(given) - 1) % 3) for given in worst["given"]]).all()
    assert audit.settings["seed"] == 0
    assert audit.settings["recipe"]["epochs"] == 4
    assert {"model", "device", "precision", "engine", "versions", "fingerprint", "notes"} <= set(audit.settings)
    stages = {"inspect", "represent", "neighbours", "train", "evaluate", "holdout", "score", "total"}
    assert stages == set(audit.timings)
    assert audit.timings["total"] >= audit.timings["train"]
    assert json.dumps(audit.settings, allow_nan=False)


def test_the_same_seed_gives_the_same_bits(noisy, network, quick):
    inputs, labels, _ = noisy
    first = score(network, (inputs, labels), recipe=quick, seed=5)
    torch.rand(7)
    second = score(network, (inputs, labels), recipe=quick, seed=5)
    other = score(network, (inputs, labels), recipe=quick, seed=6)
    pd.testing.assert_frame_equal(first.scores, second.scores, check_exact=True)
    assert not first.scores.equals(other.scores)


def test_every_kind_of_data_set_gives_the_same_scores(noisy, network, quick, tmp_path):
    inputs, labels, _ = noisy
    frame = pd.DataFrame(inputs, columns=list("abcdef"))
    frame["label"] = labels
    hugging_face = datasets.Dataset.from_dict({"x": inputs.tolist(), "label": labels.tolist()})
    hugging_face = hugging_face.cast_column("label", datasets.ClassLabel(names=["0", "1", "2"]))
    hugging_face = hugging_face.cast_column("x", datasets.List(datasets.Value("float32")))
    hugging_face.save_to_disk(tmp_path / "saved")
    given = [
        (inputs, labels),
        (torch.tensor(inputs), torch.tensor(labels)),
        frame,
        TensorDataset(torch.tensor(inputs), torch.tensor(labels)),
        hugging_face,
        datasets.load_from_disk(tmp_path / "saved"),
        datasets.DatasetDict({"train": hugging_face}),
    ]
    audits = [
        score(network, data, recipe=quick, split="train" if isinstance(data, datasets.DatasetDict) else None)
        for data in given
    ]
    for audit in audits[1:]:
        others = [name for name in audits[0].scores if name != "consensus"]
        pd.testing.assert_frame_equal(audit.scores[others], audits[0].scores[others], check_exact=True)
        assert audit.class_names == ("0", "1", "2")
        np.testing.assert_array_equal(audit.scores["consensus"], audits[0].scores["consensus"])
    # Columns are levelled, whatever holds them.
    consensus = [score(None, data).columns["consensus"] for data in (frame, (inputs, labels))]
    np.testing.assert_array_equal(*consensus)


@pytest.mark.parametrize(
    ("spelled", "names"),
    [
        (np.array([10, 30, 20]), ("10", "20", "30")),
        (np.array(["cat", "ant", "bee"]), ("ant", "bee", "cat")),
        (np.array([True, False, True]), ("False", "True")),
    ],
)
def test_class_names_are_kept(noisy, quick, spelled, names):
    inputs, labels, _ = noisy
    audit = score(lambda: nn.Linear(6, len(names)), (inputs, spelled[labels]), recipe=quick)
    assert audit.class_names == names
    assert set(audit.suspects(300)["given"]) == set(names)


def test_the_callers_model_stays_as_it_was(noisy, quick):
    inputs, labels, _ = noisy
    module = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)).eval()
    before = copy.deepcopy(module.state_dict())
    score(module, (inputs, labels), recipe=quick)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not module.training
    model = LogisticRegression()
    score(model, (inputs, labels))
    assert not hasattr(model, "classes_")


def test_scikit_learn_models(noisy):
    inputs, labels, wrong = noisy
    plain = score(LogisticRegression(), (inputs, labels))
    assert list(plain.scores) == ["consensus", "heldout_confidence"]
    assert plain.default == "consensus"
    assert roc_auc_score(wrong, -plain.scores["consensus"]) > 0.98
    assert roc_auc_score(wrong, -plain.scores["heldout_confidence"]) > 0.98
    assert plain.suspects(15)["suggested"].ne("").all()
    boosted = score(HistGradientBoostingClassifier(max_iter=5), (inputs, labels))
    assert boosted.dynamics.epochs == 5
    assert list(boosted.scores) == ["consensus", *DYNAMICS, "confidence", "max_confidence", "heldout_confidence"]
    with pytest.raises(ModelError, match="trains without epochs"):
        score(LogisticRegression(), (inputs, labels), "learning_speed")


def test_held_out_predictions_are_those_of_models_that_never_saw_the_row(noisy):
    inputs, labels, _ = noisy
    from dataaudit.holdout.plan import stratified_folds
    from dataaudit.pipeline.evidence_sources.cross_validation import MOST, fold_seed

    audit = score(LogisticRegression(), (inputs, labels), "heldout_confidence", seed=3)
    expected = np.zeros(len(labels))
    for draw in range(MOST):
        fold = stratified_folds(labels.astype(np.int64), 3, fold_seed(3, draw))
        for number in range(3):
            mine = LogisticRegression().fit(inputs[fold != number], labels[fold != number])
            rows = np.flatnonzero(fold == number)
            expected[rows] += mine.predict_proba(inputs[rows])[np.arange(len(rows)), labels[rows]] / MOST
    np.testing.assert_allclose(audit.scores["heldout_confidence"], expected, rtol=1e-5)


def test_torch_models_can_be_held_out_too(noisy, network, quick):
    inputs, labels, wrong = noisy
    audit = score(network, (inputs, labels), ["heldout_confidence", "el2n"], recipe=quick)
    assert list(audit.scores) == ["heldout_confidence", "el2n"]
    assert audit.default == "el2n"
    assert roc_auc_score(wrong, -audit.scores["heldout_confidence"]) > 0.95


@pytest.fixture
def trained(noisy, network):
    inputs, labels, _ = noisy
    torch.manual_seed(0)
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.tensor(inputs)), torch.tensor(labels)).backward()
        optimizer.step()
    return module


def test_a_model_that_already_fits_is_not_trained(noisy, trained, quick):
    inputs, labels, _ = noisy
    audit = score(trained, (inputs, labels), recipe=quick)
    assert list(audit.scores) == ["confidence", "max_confidence"]
    assert audit.dynamics is None
    assert any("already classifies" in note for note in audit.settings["notes"])
    assert "label errors: not told: the model was trained on these labels; pass it as it was before" in repr(audit)
    with pytest.raises(ModelError, match=r"was trained on these labels before.*before that training.*init='reset'"):
        audit.mislabeled()
    with torch.inference_mode():
        own = trained(torch.tensor(inputs)).softmax(1)[np.arange(300), labels]
    np.testing.assert_allclose(audit.scores["confidence"], own, rtol=1e-5)
    with pytest.raises(ModelError, match=r"consensus beside a model that was trained.*pass a factory"):
        score(trained, (inputs, labels), "consensus", recipe=quick)
    probabilities = np.full((300, 3), 0.1) + 0.7 * np.eye(3)[labels]
    beside = score(trained, (inputs, labels), recipe=quick, predictions=probabilities)
    assert list(beside.scores) == ["consensus", "confidence", "max_confidence", "heldout_confidence"]
    with pytest.raises(ModelError, match="already classifies") as caught:
        score(trained, (inputs, labels), ["mean_margin", "confidence"], recipe=quick)
    assert "factory" in caught.value.action
    assert "reset" in caught.value.action
    reset = score(trained, (inputs, labels), "mean_margin", recipe=Recipe(epochs=2, init="reset"))
    assert reset.dynamics.epochs == 2


def record(network, inputs, labels, epochs=3, evaluate=True):
    torch.manual_seed(0)
    module, recorder = network(), Recorder(len(inputs), 3)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    x, y = torch.tensor(inputs), torch.tensor(labels)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(50):
            logits = module(x[batch])
            recorder.update(batch, logits, y[batch])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, y[batch]).backward()
            optimizer.step()
        recorder.end_epoch()
    if evaluate:
        recorder.evaluate(torch.arange(len(x)), module(x), y)
    return recorder, module


def test_anybodys_loop_can_be_audited(noisy, network):
    inputs, labels, _ = noisy
    recorder, module = record(network, inputs, labels)
    alone = score(recorder)
    assert alone.class_names == ("0", "1", "2")
    assert any("pass it as the second argument" in note for note in alone.settings["notes"])
    audit = score(recorder, (inputs, labels))
    assert alone.default == audit.default == "consensus"
    # With the data set at hand, its neighbours have a say in the consensus.
    assert (alone.scores["consensus"] != audit.scores["consensus"]).any()
    pd.testing.assert_frame_equal(
        alone.scores.drop(columns="consensus"), audit.scores.drop(columns="consensus"), check_exact=True
    )
    by_name = score(recorder, None, "consensus")
    np.testing.assert_array_equal(by_name.columns["consensus"], alone.columns["consensus"])
    unseen = Recorder(300, 3)
    unseen.evaluate(torch.arange(300), module(torch.tensor(inputs)), torch.tensor(labels))
    with pytest.raises(ModelError, match=r"Recorder without a complete epoch.*call recorder.end_epoch"):
        score(unseen, None, "consensus")
    assert "confidence" in audit.scores
    bare, module = record(network, inputs, labels, evaluate=False)
    assert "confidence" not in score(bare, (inputs, labels)).scores
    with pytest.raises(ModelError, match="no model"):
        score(bare, (inputs, labels), "confidence")
    own = score(bare, (inputs, labels), trained=module)
    assert own.settings["evaluation_passes"] == 1
    assert "fits" not in own.settings
    np.testing.assert_allclose(own.scores["confidence"], audit.scores["confidence"], rtol=1e-6)
    # A loop may freeze what it trained; nothing here trains it further.
    frozen = copy.deepcopy(module).requires_grad_(False)
    pd.testing.assert_frame_equal(score(bare, (inputs, labels), trained=frozen).scores, own.scores, check_exact=True)
    with pytest.raises(ModelError, match="parameters are all frozen"):
        score(bare, (inputs, labels), "density/gradient_sketch", trained=frozen)
    with pytest.raises(DataError, match="Recorder of 300 examples"):
        score(recorder, (inputs[:200], labels[:200]))
    with pytest.raises(DataError, match="differ from the data set"):
        score(recorder, (inputs, (labels + 1) % 3))
    for options in ({"trained": module}, {"predictions": np.full((300, 3), 1 / 3)}):
        with pytest.raises(SettingError, match="without a data set"):
            score(recorder, **options)
    with pytest.raises(SettingError, match="trained=Sequential beside a model"):
        score(module, (inputs, labels), trained=module)
    with pytest.raises(SettingError, match="no data set"):
        score(module)
    with pytest.raises(ModelError, match="factory"):
        score(recorder, (inputs, labels), trained=network)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Two processes that audit the same, without progress and with it on a terminal: folder, and what each printed."""
    folder = tmp_path_factory.mktemp("processes")
    code = (
        "import sys, numpy, dataaudit; from torch import nn; from sklearn.linear_model import SGDClassifier\n"
        "x = numpy.random.default_rng(0).normal(size=(60, 4)).astype('f'); y = numpy.arange(60) // 30\n"
        "options = {'recipe': dataaudit.Recipe(epochs=2)}, {}\n"
        "for model, more in zip((lambda: nn.Linear(4, 2), SGDClassifier(loss='log_loss')), options):\n"
        "    audit = dataaudit.score(model, (x, y), progress=sys.argv[1] == 'drawn', **more)\n"
        "    open(sys.argv[1], 'ab').write(audit.scores.to_numpy().tobytes())\n"
    )
    command = [sys.executable, "-c", code]
    options = {"cwd": folder, "timeout": 120, "check": True, "stdout": subprocess.PIPE}
    quiet = subprocess.run([*command, "quiet"], stderr=subprocess.PIPE, **options)
    master, terminal = pty.openpty()
    drawn = subprocess.run([*command, "drawn"], stderr=terminal, **options)
    os.close(terminal)
    os.set_blocking(master, False)
    errors = os.read(master, 2**20)
    os.close(master)
    return folder, (quiet.stdout, quiet.stderr), (drawn.stdout, errors)


def test_progress_false_is_silent_and_true_draws_on_standard_error(processes):
    _, quiet, drawn = processes
    assert quiet == (b"", b"")
    assert drawn[0] == b""
    assert b"training" in drawn[1]


def test_the_same_seed_gives_the_same_bits_in_another_process(processes):
    folder, _, _ = processes
    scores = (folder / "quiet").read_bytes()
    assert len(scores) > 60 * 8 * 10
    assert scores == (folder / "drawn").read_bytes()


def test_minus_one_of_a_declared_range_is_no_label():
    features = datasets.Features({"x": datasets.List(datasets.Value("float32")), "label": datasets.ClassLabel(2)})
    rows = {"x": np.eye(30, 4).tolist(), "label": [*(np.arange(29) % 3 % 2).tolist(), -1]}
    audit = score(lambda: nn.Linear(4, 2), datasets.Dataset.from_dict(rows, features=features), recipe=Recipe(epochs=1))
    assert audit.rows.tolist() == list(range(29))
    assert any("1 of 30 rows" in note for note in audit.settings["notes"])


def test_probabilities_that_exist_already(noisy):
    """As users of cross-validated predictions have them."""
    from sklearn.model_selection import cross_val_predict

    inputs, labels, wrong = noisy
    probabilities = cross_val_predict(LogisticRegression(), inputs, labels, method="predict_proba")
    audit = dataaudit.score(None, (inputs, labels), predictions=probabilities, progress=False)
    assert list(audit.columns) == ["consensus", "heldout_confidence"]
    np.testing.assert_allclose(audit.columns["heldout_confidence"], probabilities[np.arange(300), labels], rtol=1e-5)
    # Neighbours have a say in what is suggested, and change little where classes lie apart.
    assert (audit.suggested == probabilities.argmax(1)).mean() > 0.98
    unplaced = score(None, (np.zeros((300, 1, 2, 2), np.uint8), labels), predictions=probabilities)
    assert list(unplaced.columns) == ["consensus", "heldout_confidence"]
    np.testing.assert_array_equal(unplaced.suggested, probabilities.argmax(1))
    assert wrong[audit.ranking()[:15]].mean() > 0.9
    both = dataaudit.score(None, (inputs, labels), ["parzen/input", "heldout_confidence"], predictions=probabilities)
    assert set(both.columns) == {"parzen/input", "heldout_confidence"}
    with pytest.raises(SettingError, match="none of which reads them"):
        dataaudit.score(None, (inputs, labels), "parzen/input", predictions=probabilities)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 0], [0, 0, 0, 0, 1]])
def test_folds_that_leave_one_class_are_not_trained_on(labels, quick):
    """A boosting model, whose held-out predictions nobody asked for by name."""
    inputs = np.arange(len(labels) * 2, dtype=np.float32).reshape(-1, 2)
    for model in (HistGradientBoostingClassifier(max_iter=2), lambda: nn.Linear(2, 2)):
        audit = score(model, (inputs, np.array(labels)), recipe=None if hasattr(model, "fit") else quick)
        assert audit.default == "consensus"
        assert "heldout_confidence" not in audit.scores
        assert np.isfinite(audit.scores["consensus"]).all()
