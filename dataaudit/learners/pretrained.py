"""Test of whether a module as it was passed was trained on the data at hand before."""

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
    """Accuracy of a module if it shows training on these data; None if it does not.

    The module must beat the majority class significantly (five standard errors), and must give the labels more
    probability than half way between chance and certainty, or more than all copies of itself whose weights are
    shuffled within each tensor, by three of their standard deviations: an untrained network is one such copy among
    others, and may beat the majority by luck. The module is in evaluation mode; `probabilities` [b, C] are those that a
    module gives to rows; `seed` is of the choice of rows, and of shuffling.
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
    null = []
    for number in range(COPIES):
        shuffled = shuffle_weights(copy.deepcopy(module), seed + number)
        null.append(agreement(shuffled, chosen[:: max(1, count // FEWER_ROWS)])[1])
    clear = float(np.mean(null)) + 3 * max(float(np.std(null)), 0.01)
    known = confidence > max(*null, clear) or confidence > (1 + 1 / classes) / 2
    return accuracy if known else None
