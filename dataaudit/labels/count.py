"""Counts of wrong labels: three estimates of different kinds, from probabilities that never saw the labels."""

from __future__ import annotations

import numpy as np

from dataaudit.common.probabilities import ProbabilityBlocks, blocks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.labels.noise import NoiseRates

SHARPNESS = 2.0
"""Exponent that turns probabilities of noisy labels into probabilities of true classes."""

LEVELS = (0.25, 0.5)
"""Shares of the planted errors by which their scores are compared with those of all examples."""

LEAST = 1e-3
"""Count that every pair of classes has besides its own."""


def transition(noise: NoiseRates, labels: IntArray, classes: int) -> FloatArray:
    """Probability that a clear member of class k carries label y, float64 [C, C]; rows add up to 1."""
    joint = np.full(classes * classes, LEAST)
    clear = noise.truly >= 0
    pairs, counts = np.unique(noise.truly[clear] * classes + labels[clear], return_counts=True)
    joint[pairs] += counts
    table = joint.reshape(classes, classes)
    table /= table.sum(1, keepdims=True)
    return table


def by_joint(noise: NoiseRates, labels: IntArray) -> float:
    """Share of clear examples that count for another class than their label's."""
    clear = noise.truly >= 0
    return float((noise.truly[clear] != labels[clear]).mean()) if clear.any() else 0.0


def true_classes(
    probabilities: ProbabilityBlocks, labels: IntArray, classes: int, moved: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Probability that each label is wrong [n], and expected examples by (true class, given label) [C, C].

    One step of expectation-maximisation; `moved` is the `transition`.
    """
    wrong = np.empty(len(labels))
    pairs = np.zeros((classes, classes))
    for rows in blocks(len(labels), classes):
        given = labels[rows]
        likely = probabilities.dense(rows) ** SHARPNESS * moved[:, given].T
        likely /= np.maximum(likely.sum(1, keepdims=True), 1e-300)
        wrong[rows] = 1.0 - likely[np.arange(len(given)), given]
        np.add.at(pairs.T, given, likely)
    return wrong, pairs


def by_planting(probabilities: ProbabilityBlocks, labels: IntArray, classes: int, moved: FloatArray) -> FloatArray:
    """Share of errors by planting errors that cost nothing, at each of `LEVELS`; `moved` is the `transition`.

    Probabilities that never saw the label stay what they are when the label is another, so that every example shows
    what it would score with a wrong label: its probability of that label over its largest. If a share q of planted
    errors scores below t, and a share p of the labels as given does, then at most p / q of them are errors.
    """
    own, every = np.empty(len(labels)), np.arange(classes)
    edges = np.linspace(0.0, 1.0, 20001)
    planted = np.zeros(len(edges) - 1)
    for rows in blocks(len(labels), classes):
        probability = probabilities.dense(rows)
        relative = probability / probability.max(1, keepdims=True)
        own[rows] = np.take_along_axis(relative, labels[rows, None], 1)[:, 0]
        best = probability.argmax(1)
        odds = np.where(every == best[:, None], 0.0, moved[best])
        odds /= np.maximum(odds.sum(1, keepdims=True), 1e-300)
        # The fourth root spreads small values over the bins.
        planted += np.histogram(relative**0.25, edges, weights=odds)[0]
    below = np.cumsum(planted) / planted.sum()
    shares = [(own**0.25 <= edges[cut + 1]).mean() / max(below[cut], 1e-12) for cut in np.searchsorted(below, LEVELS)]
    return np.array(shares)
