"""Ctrl-C in the middle of training: it ends soon, and what was recorded can be kept."""

import os
import signal
import threading
import time

import pytest
from sklearn.metrics import roc_auc_score
from torch import nn

import dataaudit
from dataaudit import Recipe, Recorder
from dataaudit.errors import DataError, Interrupted


def interrupted(model, data, when):
    """Run score and press Ctrl-C once `when()` holds."""
    sent = []

    def press():
        while not when():
            time.sleep(0.002)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        with pytest.raises(Interrupted) as caught:
            dataaudit.score(
                model,
                data,
                progress=False,
                recipe=Recipe(epochs=100_000, batch_size=100, schedule="constant", warmup=0.0),
            )
        assert time.perf_counter() - sent[0] < 1.0
    finally:
        thread.join()
    return caught.value


def test_ctrl_c_keeps_what_was_recorded(noisy, network, monkeypatch):
    inputs, labels, wrong = noisy
    ended = []
    end_epoch = Recorder.end_epoch
    monkeypatch.setattr(Recorder, "end_epoch", lambda self: (end_epoch(self), ended.append(1))[0])
    stopped = interrupted(network, (inputs, labels), lambda: len(ended) >= 20)
    assert stopped.epochs >= 20
    audit = stopped.audit()
    assert audit.dynamics.epochs == stopped.epochs
    assert roc_auc_score(wrong, -audit.scores["mean_margin"]) > 0.9
    assert "confidence" not in audit.scores
    assert audit.default == "consensus"
    assert audit.suspects(15)["suggested"].ne("").any()


def test_ctrl_c_before_the_first_epoch_has_nothing_to_keep(noisy):
    inputs, labels, _ = noisy
    begun = []

    class Slow(nn.Linear):
        def forward(self, x):
            if self.training:
                begun.append(1)
                time.sleep(0.1)
            return super().forward(x)

    stopped = interrupted(lambda: Slow(6, 3), (inputs, labels), lambda: bool(begun))
    assert stopped.epochs == 0
    with pytest.raises(DataError, match="before the first epoch"):
        stopped.audit()
