import numpy as np
import pytest
from sklearn.datasets import load_digits

import dataaudit
from dataaudit import networks
from dataaudit.evidence.agreement import MEMORISED, Agreement
from dataaudit.learners.recipes import CropFlip, Recipe
from dataaudit.pipeline.interrupted import Interrupted

SAYS = "memorises"


def noted(audit):
    return any(SAYS in note for note in audit.settings["notes"])


@pytest.mark.parametrize(
    ("agreement", "memorised"),
    [
        (Agreement(0.95, 0.8, None), 0.75),
        (Agreement(0.9, None, 0.6), 0.75),
        (Agreement(0.9, 0.85, 0.6), 1 / 3),
        (Agreement(0.6, 0.7, None), 0.0),
        (Agreement(1.0, 1.0, None), 0.0),
        (Agreement(0.9, None, None), 0.0),
        (Agreement(None, 0.5, 0.5), 0.0),
    ],
)
def test_what_was_not_trained_on_tells_what_is_memorised(agreement, memorised):
    assert agreement.memorised == pytest.approx(memorised)
    assert bool(agreement.notes()) == (memorised > MEMORISED)


def noisy_digits(n, share, seed=0):
    digits = load_digits()
    inputs, labels = (digits.data[:n] / 16).astype(np.float32), digits.target[:n].copy()
    rng = np.random.default_rng(seed)
    wrong = rng.choice(n, round(share * n), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return inputs, labels


def test_a_network_that_repeats_wrong_labels_of_a_table_is_told_by_its_folds():
    audit = dataaudit.score(
        lambda: networks.MLP(64, 10),
        noisy_digits(600, 0.3),
        recipe=Recipe(epochs=60, batch_size=16, learning_rate=0.05, precision="float32"),
        progress=False,
    )
    agreement = audit.settings["agreement"]
    assert agreement["trained"] > agreement["held_out"] + 0.2
    assert audit.agreement == Agreement(**agreement)
    seen = f"{agreement['trained']:.1%} of those it was trained on"
    assert f"labels it agrees with: {seen}, {agreement['held_out']:.1%} of those held out from it" in repr(audit)
    assert noted(audit)


def test_one_that_was_trained_briefly_is_not():
    audit = dataaudit.score(
        lambda: networks.MLP(64, 10), noisy_digits(600, 0.1), recipe=Recipe(epochs=4), progress=False
    )
    assert not noted(audit), audit.settings["agreement"]


def two_sided(n=240, seed=0):
    """Images that are nothing but noise: whatever a network agrees with beyond chance, it has memorised."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, 16, 16)).astype(np.float32), rng.integers(2, size=n)


def test_a_network_that_learns_noise_is_told_by_mirror_images():
    audit = dataaudit.score(
        lambda: networks.SmallCNN(1, 2), two_sided(), recipe=Recipe(epochs=40, batch_size=16), progress=False
    )
    assert audit.settings["agreement"]["trained"] > 0.9
    assert audit.settings["agreement"]["augmented"] < 0.75
    # There is nothing beside it that never saw the labels, and it is told once.
    found = audit.noise_rate()
    assert not found.known
    assert SAYS in found.reason
    assert sum(SAYS in note for note in audit.settings["notes"]) == 1


class Stopping(networks.SmallCNN):
    """A network that Ctrl-C meets after so many training batches."""

    left = 0

    def forward(self, inputs):
        if self.training:
            type(self).left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return super().forward(inputs)


def test_a_run_that_was_stopped_before_anyone_looked_counts_no_errors(monkeypatch):
    monkeypatch.setattr(Stopping, "left", 15 * 39 + 5)
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(lambda: Stopping(1, 2), two_sided(), recipe=Recipe(epochs=40, batch_size=16), progress=False)
    audit = caught.value.audit()
    assert audit.agreement.trained > 0.9
    assert "interrupted before it was looked at" in audit.noise_rate().reason


def test_settings_of_others_do_not_keep_an_audit_from_telling():
    audit = dataaudit.score(None, noisy_digits(200, 0.1), progress=False)
    audit.settings["agreement"] = {"held_out": 0.5, "somewhere else": 0.25}
    assert audit.agreement == Agreement(held_out=0.5)
    assert "labels it agrees with: 50.0% of those held out from it" in repr(audit)


def test_mirror_images_say_nothing_where_they_were_trained_on():
    audit = dataaudit.score(
        lambda: networks.SmallCNN(1, 2), two_sided(), recipe=Recipe(epochs=2, augment=CropFlip(0, True)), progress=False
    )
    assert "augmented" not in audit.settings["agreement"]
