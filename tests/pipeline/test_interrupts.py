"""Ctrl-C in the middle of training: it ends soon, and what was recorded can be kept."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn

import dataaudit
from dataaudit import Density, Recipe, Recorder, networks
from dataaudit.density.exact import CpuEngine
from dataaudit.errors import DataError
from dataaudit.learners.recipes import CropFlip
from dataaudit.pipeline.interrupted import Interrupted


def interrupted(model, data, event, scorers="auto", pressed=None, **options):
    """Run score and press Ctrl-C once the event is set; set another one then."""
    sent = []

    def press():
        event.wait(60)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
        if pressed is not None:
            pressed.set()

    thread = threading.Thread(target=press)
    thread.start()
    try:
        with pytest.raises(Interrupted) as caught:
            dataaudit.score(
                model,
                data,
                scorers,
                progress=False,
                recipe=Recipe(epochs=100_000, batch_size=100, schedule="constant", warmup=0.0, **options),
            )
        assert time.perf_counter() - sent[0] < 1.0
    finally:
        thread.join()
    return caught.value


@pytest.fixture
def twenty_epochs(monkeypatch):
    """Is set when the twentieth epoch has been recorded."""
    event, end_epoch = threading.Event(), Recorder.end_epoch
    monkeypatch.setattr(Recorder, "end_epoch", lambda self: (end_epoch(self), self.epochs == 20 and event.set())[0])
    return event


def test_ctrl_c_keeps_what_was_recorded(noisy, network, twenty_epochs):
    inputs, labels, wrong = noisy
    stopped = interrupted(network, (inputs, labels), twenty_epochs)
    assert stopped.epochs >= 20
    audit = stopped.audit()
    assert audit.dynamics.epochs == stopped.epochs
    assert roc_auc_score(wrong, -audit.scores["mean_margin"]) > 0.9
    assert "confidence" not in audit.scores
    assert audit.default == "consensus"
    assert audit.suspects(15)["suggested"].ne("").any()


def test_ctrl_c_before_the_first_epoch_has_nothing_to_keep(noisy):
    inputs, labels, _ = noisy
    begun, pressed = threading.Event(), threading.Event()

    class Waiting(nn.Linear):
        def forward(self, x):
            if self.training:
                begun.set()
                assert pressed.wait(60)
            return super().forward(x)

    stopped = interrupted(lambda: Waiting(6, 3), (inputs, labels), begun, "el2n", pressed=pressed)
    assert stopped.epochs == 0
    with pytest.raises(DataError, match="before the first epoch"):
        stopped.audit()


def press():
    os.kill(os.getpid(), signal.SIGINT)


class Pressing(networks.BlockCNN):
    """Presses Ctrl-C in the evaluation pass over 40 images after as many as `let` of them."""

    let = 0
    passes = 0

    def forward(self, x):
        if not self.training and len(x) > 3:
            type(self).passes += 1
            if self.passes > self.let:
                press()
        return super().forward(x)


def interrupted_after(passes, scorers="auto", **options):
    class Network(Pressing):
        let = passes

    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (40, 3, 16, 16), dtype=np.uint8), np.arange(40) % 2
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(lambda: Network(3, 2), data, scorers, progress=False, **options)
    return caught.value


@pytest.mark.parametrize(
    ("evaluations", "epochs"),
    [(0, 2), (1, 2), (2, 3), (3, 3), (4, 4), (5, 4)],
)
def test_evaluation_passes_that_were_complete_count(evaluations, epochs):
    recipe = Recipe(epochs=4, evaluations=3, augment=CropFlip(2, True))
    # A factory's network is not looked at for earlier training.
    stopped = interrupted_after(evaluations, recipe=recipe)
    assert stopped.epochs == epochs
    audit = stopped.audit()
    assert audit.settings["passes"] == round(epochs + evaluations / 3, 2)
    assert audit.settings["evaluation_passes"] == evaluations
    found = audit.evidence.evaluations
    assert (0 if found is None else found.epochs) == evaluations
    assert ("augmented_el2n" in audit.columns) == (evaluations > 0)
    assert audit.settings["consensus"]["dynamics"]["method"] == "epochs"
    predictions = audit.evidence.predictions
    right = audit.dynamics.correct_in(epochs) if predictions is None else predictions.predicted == audit.labels
    assert audit.settings["agreement"]["trained"] == pytest.approx(right.mean(), abs=1e-4)


def test_a_complete_last_pass_counts_and_one_that_was_not_does_not():
    recipe = Recipe(epochs=4, evaluations=1, augment=CropFlip(2, True))
    audit = interrupted_after(1, recipe=recipe).audit()
    assert "confidence" in audit.columns
    assert audit.settings["passes"] == 4.33
    begun = interrupted_after(0, recipe=recipe).audit()
    assert "confidence" not in begun.columns
    assert begun.settings["passes"] == 4


def test_evaluations_are_kept_where_nothing_else_was_asked_for():
    stopped = interrupted_after(2, ["augmented_el2n"], recipe=Recipe(epochs=3, evaluations=3))
    assert stopped.epochs == 3
    audit = stopped.audit()
    assert list(audit.columns) == ["augmented_el2n"]
    assert audit.settings["passes"] == round(3 + 2 / 3, 2)
    assert any("interrupted after 3 complete epochs" in note for note in audit.settings["notes"])


def test_what_was_chosen_and_spent_is_told(monkeypatch, noisy, network):
    inputs, labels, _ = noisy
    end_epoch = Recorder.end_epoch
    monkeypatch.setattr(Recorder, "end_epoch", lambda self: (end_epoch(self), self.epochs == 3 and press())[0])
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(network, (inputs, labels), progress=False)
    monkeypatch.undo()
    settings = caught.value.audit().settings
    assert settings["passes"] == 3
    assert settings["recipe_chosen"]["rule"] == "network without two-dimensional convolutions"


def test_what_was_found_or_brought_before_counts(monkeypatch, noisy, network):
    inputs, labels, _ = noisy
    brought = np.full((300, 3), 0.1)
    brought[np.arange(300), np.argmax(inputs[:, :3], 1)] = 0.8
    end_epoch = Recorder.end_epoch
    monkeypatch.setattr(Recorder, "end_epoch", lambda self: (end_epoch(self), self.epochs == 3 and press())[0])
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(
            network,
            (inputs, labels),
            ["consensus", "heldout_confidence", "density/input", "knn_c_score/input"],
            predictions=brought,
            progress=False,
        )
    monkeypatch.undo()
    audit = caught.value.audit()
    assert list(audit.columns) == ["consensus", "heldout_confidence", "density/input", "knn_c_score/input"]
    assert set(audit.settings["consensus"]) == {"dynamics", "heldout", "neighbours"}
    assert audit.settings["consensus"]["heldout"]["method"] == "brought along"
    assert "density/input" in audit.settings["density"]
    assert "knn_c_score/input" in audit.settings["neighbours"]


class Pressed(CpuEngine):
    """Ctrl-C where densities begin."""

    def sums(self, *arguments):
        press()


def recorded(labels):
    recorder = Recorder(300, 3)
    recorder.update(np.arange(300), np.eye(3, dtype=np.float32)[labels], labels)
    recorder.end_epoch()
    return recorder


def test_a_recorder_that_was_brought_stays_one(noisy):
    inputs, labels, _ = noisy
    recorder = recorded(labels)
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(
            recorder,
            (inputs, labels),
            ["el2n", Density("input")],
            engine=Pressed(),
            progress=False,
        )
    settings = caught.value.audit().settings
    assert settings["engine"] == "recorder"
    assert "passes" not in settings


def test_scores_of_evaluations_that_were_not_reached_leave_no_audit(noisy):
    """Epochs are complete, and nothing that the score could be told by."""
    inputs, labels, _ = noisy
    batches, later = [], threading.Event()

    class Counting(nn.Linear):
        def forward(self, x):
            if self.training:
                batches.append(len(x))
            if len(batches) > 60:
                later.set()
            return super().forward(x)

    stopped = interrupted(lambda: Counting(6, 3), (inputs, labels), later, "augmented_el2n", evaluations=1)
    with pytest.raises(DataError, match=r"before (anything|the first epoch)"):
        stopped.audit()


class PressingRegression(LogisticRegression):
    def fit(self, *arguments):
        press()
        return super().fit(*arguments)


class PressingNetwork(nn.Linear):
    def forward(self, x):
        if self.training:
            press()
        return super().forward(x)


REGRESSION, NETWORK = PressingRegression(), PressingNetwork(6, 3)


@pytest.mark.parametrize(
    ("model", "scorers", "kept"),
    [
        (REGRESSION, ["parzen/input", "heldout_confidence"], ["parzen/input"]),
        (NETWORK, ["parzen/input", "knn_c_score/input", "el2n"], ["parzen/input", "knn_c_score/input"]),
        (NETWORK, ["consensus", "heldout_confidence", "el2n"], ["consensus", "heldout_confidence"]),
        (REGRESSION, "heldout_confidence", None),
        (NETWORK, "el2n", None),
    ],
)
def test_what_was_complete_before_any_epoch_is_kept(noisy, model, scorers, kept):
    inputs, labels, _ = noisy
    brought = np.full((300, 3), 1 / 3) if "consensus" in scorers else None
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(model, (inputs, labels), scorers, predictions=brought, progress=False)
    assert ("nothing was complete" in str(caught.value)) == (kept is None)
    if kept is None:
        with pytest.raises(DataError, match="anything else to score"):
            caught.value.audit()
    else:
        assert list(caught.value.audit().columns) == kept


def test_a_model_that_was_passed_trained_is_kept_whatever_was_asked(noisy, network):
    inputs, labels, _ = noisy
    recorder = recorded(labels)
    scorers = ["knn_c_score/input", "density/input"]
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(recorder, (inputs, labels), scorers, trained=network(), engine=Pressed(), progress=False)
    audit = caught.value.audit()
    assert list(audit.columns) == ["knn_c_score/input"]
    assert "predicted" in audit.score_new(inputs[:4], progress=False)
