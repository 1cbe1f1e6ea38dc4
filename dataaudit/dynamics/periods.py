"""Sums of class probabilities over stretches of epochs, so that epochs can be weighed once all have been seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dataaudit.common.types import AnyArray, BoolArray, FloatArray
from dataaudit.dynamics.buffers import copied, zeros

PERIODS = 8
"""Stretches that are kept at the most."""

ELEMENTS = 2**24
"""Largest periods x n x C that is kept (64 MiB)."""


def stretches(n: int, classes: int, elements: int = ELEMENTS) -> int:
    """Number of periods that are kept."""
    return min(PERIODS, elements // max(1, n * classes)) // 2 * 2


class Periods:
    """Sums over periods of equally many epochs: whenever there is no room for another, neighbours become one.

    At most `elements` numbers are kept; none where not even two periods of n x C find room.
    """

    def __init__(self, n: int, classes: int, device: torch.device, elements: int = ELEMENTS) -> None:
        self.sums = zeros((stretches(n, classes, elements), n, classes), "float32", device)
        self.epochs = 0
        self.width = 1

    def add(self, probabilities: Tensor, seen: Tensor) -> None:
        """Add an epoch's probabilities [n, C] where `seen` [n]."""
        room = len(self.sums)
        if not room:
            return
        if self.epochs == room * self.width:
            self.sums[: room // 2] = self.sums[::2] + self.sums[1::2]
            self.sums[room // 2 :] = 0.0
            self.width *= 2
        self.sums[self.epochs // self.width].addcmul_(probabilities, seen.unsqueeze(1))
        self.epochs += 1

    def load(self, sums: Tensor, epochs: int) -> None:
        """Restore the sums over `epochs` epochs."""
        self.sums = copied(sums, self.sums.device)
        self.epochs = epochs if len(self.sums) else 0
        self.width = 1
        while self.epochs > len(self.sums) * self.width:
            self.width *= 2

    def merge(self, other: Periods) -> None:
        """Add another's sums over the same epochs of the same examples."""
        self.sums += other.sums.to(self.sums.device)

    def mean(self, weights: FloatArray, seen_bits: AnyArray) -> AnyArray | None:
        """Mean over epochs by `weights` [E] of at least 0, float32 [n, C]; None where no periods are kept.

        Within a period the mean of the weights counts; all zeros count as ones. `seen_bits` are as in `Dynamics`.
        """
        room, n, classes = self.sums.shape
        if not room or not self.epochs:
            return None
        weights = weights if weights.any() else np.ones(len(weights))
        period = np.arange(self.epochs) // self.width
        levels = np.bincount(period, weights) / np.bincount(period)
        total = np.zeros(n)
        for epoch, level in enumerate(levels[period]):
            total += level * np.unpackbits(seen_bits[epoch], count=n)
        mass = torch.zeros(n, classes, device=self.sums.device)
        for part, level in zip(self.sums, levels.tolist(), strict=False):
            mass.add_(part, alpha=level)
        known = total > 0
        means = mass.cpu().numpy() / np.where(known, total, 1.0)[:, None]
        return np.where(known[:, None], means, 0.0).astype(np.float32)


def informedness(correct_bits: AnyArray, seen_bits: AnyArray, agrees: BoolArray) -> FloatArray:
    """Informedness of each epoch's predictions about labels beyond having learned them, float64 [E] in 0..1.

    The share of labels with which an epoch agrees among those with which all epochs together do (`agrees`, bool [n]),
    minus that among the others (Youden's J): small while a model knows little, and again once it repeats labels that
    other epochs disputed. 0 where one of the two has no rows. Bits are as in `Dynamics`.
    """
    n, shares = len(agrees), np.zeros(len(correct_bits))
    for epoch, (correct, seen) in enumerate(zip(correct_bits, seen_bits, strict=True)):
        visited, right = (np.unpackbits(bits, count=n).astype(bool) for bits in (seen, correct))
        sizes = (visited & agrees).sum(), (visited & ~agrees).sum()
        if all(sizes):
            shares[epoch] = right[visited & agrees].mean() - right[visited & ~agrees].mean()
    return np.maximum(shares, 0.0)
