"""Every strategy keeps the laws."""

import numpy as np
import torch

from dataaudit import Recorder
from dataaudit.curriculum import (
    Balanced,
    DownweightSuspects,
    DropLeastRegular,
    EasyToHard,
    HardToEasy,
    SelfPaced,
    SmallLoss,
)
from dataaudit.testing import StrategyContract


def losses(examples):
    """Different losses, a function of each example's score."""
    return 0.1 + 3.0 * (1.0 - examples.scores)


def recorded(examples):
    """A recorder whose latest losses are these."""
    classes = max(int(examples.labels.max()) + 1, 2)
    recorder = Recorder(len(examples), classes)
    given = torch.tensor(losses(examples))
    # The label's probability is exp(-loss); the other classes share the rest.
    logits = torch.log((1 - torch.exp(-given)) / (classes - 1)).unsqueeze(1).repeat(1, classes)
    logits[torch.arange(len(given)), torch.tensor(examples.labels)] = -given
    recorder.update(torch.arange(len(given)), logits, torch.tensor(examples.labels))
    recorder.end_epoch()
    np.testing.assert_allclose(recorder.latest_losses(), losses(examples), rtol=1e-5)
    return recorder


class TestEasyToHard(StrategyContract):
    def strategy(self, examples):
        return EasyToHard()

    def regularity(self, examples):
        return examples.scores


class TestEasyToHardByStep(StrategyContract):
    def strategy(self, examples):
        return EasyToHard(pacing="step", steps=3, full=1.0)

    def regularity(self, examples):
        return examples.scores


class TestHardToEasy(StrategyContract):
    def strategy(self, examples):
        return HardToEasy(pacing="linear")

    def regularity(self, examples):
        return -examples.scores


class TestDropLeastRegular(StrategyContract):
    def strategy(self, examples):
        return DropLeastRegular(share=0.3)

    def regularity(self, examples):
        return examples.scores


class TestDropTheEstimatedShare(StrategyContract):
    def strategy(self, examples):
        return DropLeastRegular(share=None)

    def regularity(self, examples):
        return examples.scores


class TestDownweightSuspects(StrategyContract):
    def strategy(self, examples):
        return DownweightSuspects()

    def regularity(self, examples):
        return -examples.error_probability


class TestBalanced(StrategyContract):
    def strategy(self, examples):
        return Balanced()

    def regularity(self, examples):
        return None


class TestBalancedSuspects(StrategyContract):
    def strategy(self, examples):
        return Balanced("suspects")

    def regularity(self, examples):
        return None


class TestSelfPaced(StrategyContract):
    def strategy(self, examples):
        return SelfPaced()

    def regularity(self, examples):
        return -examples.losses


class TestSelfPacedByARecorder(StrategyContract):
    def strategy(self, examples):
        return SelfPaced(recorded(examples), start=0.3, full=1.0)

    def regularity(self, examples):
        return -losses(examples)


class TestSmallLoss(StrategyContract):
    def strategy(self, examples):
        return SmallLoss(recorded(examples), gradual=3)

    def regularity(self, examples):
        return -losses(examples)
