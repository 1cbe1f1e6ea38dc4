"""Rates at which one class carries another's label: a strict confident joint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.probabilities import ProbabilityBlocks, blocks
from dataaudit.common.types import AnyArray, BoolArray, FloatArray, IntArray

PRIOR_COUNT = 20
"""Examples without any confusion that every class is taken to have besides its own."""


@dataclass(frozen=True)
class NoiseRates:
    """Share of each class's examples that carry another class's label, by (class, given label)."""

    keys: IntArray
    """Pairs with a rate, as class x C + given label, rising, int64 [u]."""
    rates: FloatArray
    """Their rates, float64 [u]; every other pair has rate 0."""
    background: float
    """Median rate over all pairs of different classes."""
    truly: IntArray
    """Class that each example counts for, int64 [n], -1 where none is clear."""

    def between(self, classes: IntArray, given: IntArray, total: int) -> FloatArray:
        """Rates of the pairs (classes, given), any shape; 0 for a class of -1."""
        wanted = np.where(classes >= 0, classes * total + given, -1)
        position = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[position] == wanted, self.rates[position], 0.0)

    def towards(self, given: int, total: int) -> FloatArray:
        """Rates of all pairs (class, given), float64 [C]."""
        return self.between(np.arange(total), np.full(total, given), total)


def own_probability(probabilities: ProbabilityBlocks, labels: IntArray, classes: int) -> FloatArray:
    """Probability of the given label, float64 [n]."""
    own = np.empty(len(labels))
    for rows in blocks(len(labels), classes):
        own[rows] = np.take_along_axis(probabilities.dense(rows), labels[rows, None], 1)[:, 0]
    return own


def noise_rates(
    probabilities: ProbabilityBlocks,
    labels: IntArray,
    classes: int,
    known: BoolArray | None = None,
    prior: float = PRIOR_COUNT,
) -> NoiseRates:
    """Estimate label noise between classes by a strict confident joint (after Northcutt, Jiang, Chuang 2021).

    An example counts as truly of class k if its probability of k reaches that of a clear member of k: the mean over
    the examples labelled k that are themselves above the mean of all examples labelled k. (The plain mean, as in
    confident learning, counts look-alike classes as noise while the model is still unsure.) Among several such classes
    the most probable one counts. O(n) memory, whatever the number of classes; examples not `known` (bool [n]) are left
    out, and `prior` is the number of examples without confusion that every class is taken to have besides.
    """
    seen = np.ones(len(labels), bool) if known is None else known
    confidence = np.where(seen, own_probability(probabilities, labels, classes), 0.0)
    clear = seen
    for _ in range(2):
        size = np.bincount(labels[clear], minlength=classes)
        threshold = np.bincount(labels[clear], weights=confidence[clear], minlength=classes) / np.maximum(size, 1)
        # Rounding must not put a mean above values that are all equal.
        clear = seen & (confidence >= threshold[labels] - 1e-9)
    threshold[size == 0] = np.inf
    truly = np.full(len(labels), -1, np.int64)
    for rows in blocks(len(labels), classes):
        probability = probabilities.dense(rows)
        # Only the margin of rounding in the threshold: a class of equal values reaches its own mean.
        reached = np.where(probability >= threshold - 1e-9, probability, -1.0)
        best = reached.argmax(1)
        truly[rows] = np.where(reached.max(1) >= 0, best, -1)
    truly[~seen] = -1
    certain = truly >= 0
    total = np.bincount(truly[certain], minlength=classes)
    keys, counts = np.unique(truly[certain] * classes + labels[certain], return_counts=True)
    rates = counts / (total[keys // classes] + prior)
    if len(keys) == 0:
        keys, rates = np.array([-2]), np.zeros(1)
    different = (keys // classes) != (keys % classes)
    return NoiseRates(keys, rates, _median(rates[different & (keys >= 0)], classes * (classes - 1)), truly)


def _median(values: AnyArray, total: int) -> float:
    """Median of `values` and as many zeros as make them `total`."""
    rising = np.sort(values)
    zeros = total - len(rising)
    middle = [(total - 1) // 2, total // 2]
    return float(np.mean([rising[rank - zeros] if rank >= zeros else 0.0 for rank in middle]))
