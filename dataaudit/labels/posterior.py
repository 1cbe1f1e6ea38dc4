"""Posterior of given labels, from probabilities of the classes and the noise between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.probabilities import ProbabilityBlocks, blocks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.labels.noise import NoiseRates

SMALLEST = 1e-9


@dataclass(frozen=True)
class Constants:
    """Constants of the consensus: `structure` and `floor` as in `dataaudit.scorers.LabelQuality`, and weights.

    These are of EL2N, taken off, and of the margin and the posterior's log odds, added to the posterior.
    """

    structure: float
    floor: float
    el2n: float
    margin: float
    odds: float


CONSTANTS = Constants(structure=0.05, floor=0.02, el2n=1.0, margin=0.25, odds=0.05)
"""Compared with others by benchmarks/peers/constants.py, which prints the choice."""


def noise_weights(noise: NoiseRates, classes: int, given: int, structure: float, floor: float) -> FloatArray:
    """Weights by which the probability of each class counts against, or for, the label `given`, float64 [C].

    With T[k, y] the rate of class k labelled y and m the background rate::

        w[k] = floor + m + x^5 / (x^4 + structure^4),  x = max(T[k, y] - m, 0)     for k other than y
        w[y] = floor + T[y, y]

    Rates near the background are those of classes that look alike, and are levelled; a rate far above it is noise with
    a structure, and makes its rival class count.
    """
    rates = noise.towards(given, classes)
    excess = np.maximum(rates - noise.background, 0.0)
    weights = floor + noise.background + excess**5 / (excess**4 + structure**4)
    weights[given] = floor + rates[given]
    return np.asarray(weights)


@dataclass(frozen=True)
class LabelPosterior:
    """Given labels in the light of probabilities of the classes, each [n]."""

    posterior: FloatArray
    """Probability of the given label by Bayes' rule with the noise between classes."""
    el2n: FloatArray
    """Norm of (probabilities - one-hot label)."""
    margin: FloatArray
    """Probability of the given label minus that of the likeliest other class."""
    rival: IntArray
    """That other class by Bayes' rule."""
    odds: FloatArray
    """Log odds of the posterior."""


def label_posterior(
    probabilities: ProbabilityBlocks, labels: IntArray, classes: int, noise: NoiseRates, structure: float, floor: float
) -> LabelPosterior:
    """Posterior of every given label by `noise_weights`; O(n + C) memory."""
    n = len(labels)
    posterior, el2n, margin = (np.empty(n) for _ in range(3))
    rival = np.empty(n, np.int64)
    for rows in blocks(n, classes):
        probability = probabilities.dense(rows)
        given, every = labels[rows], np.arange(len(probability))
        own = probability[every, given]
        squares = (probability**2).sum(1) - own**2 + (1.0 - own) ** 2
        el2n[rows] = np.sqrt(np.maximum(squares, 0.0))
        against = probability.copy()
        for y in np.unique(given):
            against[given == y] *= noise_weights(noise, classes, int(y), structure, floor)
        posterior[rows] = against[every, given] / against.sum(1)
        against[every, given] = -1.0
        probability[every, given] = -1.0
        margin[rows] = own - probability.max(1)
        rival[rows] = against.argmax(1)
    odds = np.log(np.maximum(posterior, SMALLEST)) - np.log(np.maximum(1.0 - posterior, SMALLEST))
    return LabelPosterior(posterior, el2n, margin, rival, odds)


def consensus_values(labels: LabelPosterior, constants: Constants) -> FloatArray:
    """Posterior - el2n x EL2N + margin x margin + odds x log odds, float64 [n]."""
    value = labels.posterior - constants.el2n * labels.el2n + constants.margin * labels.margin
    return np.asarray(value + constants.odds * labels.odds)
