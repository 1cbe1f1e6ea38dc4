"""Test for signs that a module as passed was trained on the data at hand before."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from dataaudit.common.types import IntArray
from dataaudit.learners.weights import shuffle_weights

ROWS = 2000
COPIES = 16
FEWER_ROWS = 500


def shows_training(
    module: nn.Module,
    probabilities: Callable[[nn.Module, IntArray], Tensor],
    labels: IntArray,
    classes: int,
    seed: int,
) -> float | None:
    """Accuracy of a module in evaluation mode if it shows training on these data; None if it does not.

    It must beat the majority class by five standard errors, and give the labels more probability than half way between
    chance and certainty, or than all copies of itself whose weights are shuffled within each tensor, by three of their
    standard deviations: an untrained network is one such copy, and may beat the majority by luck.
    """

    def agreement(module: nn.Module, rows: IntArray) -> tuple[float, float]:
        """Accuracy and mean probability of the given labels."""
        predicted, given = probabilities(module, rows), torch.tensor(labels[rows])
        right = (predicted.argmax(1) == given).double().mean()
        return float(right), float(predicted.gather(1, given[:, None]).double().nanmean())

    count = min(ROWS, len(labels))
    chosen = np.sort(np.random.default_rng(seed).choice(len(labels), count, replace=False))
    accuracy, confidence = agreement(module, chosen)
    majority = np.bincount(labels).max() / len(labels)
    if accuracy <= majority + 5 * np.sqrt(majority * (1 - majority) / count):
        return None
    fewer = chosen[:: max(1, count // FEWER_ROWS)]
    null = [agreement(shuffle_weights(copy.deepcopy(module), seed + number), fewer)[1] for number in range(COPIES)]
    clear = float(np.mean(null)) + 3 * max(float(np.std(null)), 0.01)
    known = confidence > max(*null, clear) or confidence > (1 + 1 / classes) / 2
    return accuracy if known else None
