"""Where networks run, and how batches get there."""

import numpy as np
import pytest
import torch

from dataaudit import Recipe, networks
from dataaudit.data import as_examples
from dataaudit.learners import devices
from dataaudit.learners.adapt import as_learner


class Sent:
    """A tensor that writes down what is done with it: there is no card to send it to."""

    def __init__(self):
        self.told = []

    def pin_memory(self):
        self.told.append("pinned")
        return self

    def to(self, device, **options):
        self.told.append((str(device), options))
        return self


@pytest.mark.parametrize(
    ("device", "told"),
    [("cuda:0", ["pinned", ("cuda:0", {"non_blocking": True})]), ("cpu", [("cpu", {})]), ("mps", [("mps", {})])],
)
def test_a_card_is_sent_pinned_memory_without_waiting(device, told):
    sent = Sent()
    assert devices.to_device(sent, torch.device(device)) is sent
    assert sent.told == told


def test_cards_that_are_not_used_are_told(monkeypatch):
    learner = as_learner(
        networks.MLP(4, 2, (8,)), as_examples((np.ones((4, 4), np.float32), np.arange(4) % 2)), Recipe(), "cpu"
    )
    learner.device = torch.device("cuda:0")
    for cards, notes in ((1, []), (4, ["one of 4 graphics cards is used: cuda:0"])):
        monkeypatch.setattr(torch.cuda, "device_count", lambda cards=cards: cards)
        assert [note for note in learner.description["notes"] if "cards" in note] == notes
    learner.device = torch.device("cpu")
    assert not any("cards" in note for note in learner.description["notes"])
