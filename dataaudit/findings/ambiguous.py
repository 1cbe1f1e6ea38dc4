"""Examples between two classes: how much of an example's probability the second class has, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.dynamics.summary import Dynamics
from dataaudit.neighbours.graph import Neighbours

BLOCK = 65536
"""Examples that are worked on together."""

VOTERS = 20
"""Neighbours that vote."""


@dataclass(frozen=True)
class TwoClasses:
    """The two likeliest classes of n examples [n], -1 where there is none, their probabilities, and a score.

    The score lies in [0, 0.5], higher = more ambiguous; it and the probabilities are NaN where nothing is known.
    """

    first: IntArray
    second: IntArray
    first_probability: FloatArray
    second_probability: FloatArray
    score: FloatArray


def of_dynamics(dynamics: Dynamics) -> TwoClasses:
    """By the mean probabilities over epochs.

    The score is the second class's mean probability, or the mean over epochs of what the largest class leaves to the
    others where that is less. An example with a wrong label is often one class for a while and another one later:
    the second mean is then high, but at no time did the model hesitate.
    """
    n = len(dynamics)
    two = _empty(n)
    for start in range(0, n, BLOCK):
        part = slice(start, min(start + BLOCK, n))
        _fill(two, part, *dynamics.probabilities(part))
        if len(dynamics.kept_epochs):
            largest = dynamics.max_confidence_by_epoch[:, part].astype(np.float64)
            seen = np.isfinite(largest)
            count = seen.sum(0)
            left = 1 - np.where(seen, largest, 0.0).sum(0) / np.maximum(count, 1)
            two.score[part] = np.where(count > 0, np.minimum(two.score[part], left), two.score[part])
    return two


def of_neighbours(graph: Neighbours, labels: IntArray, classes: int) -> TwoClasses:
    """By the labels of the `VOTERS` nearest others: shares of the votes; the second one's is the score."""
    n = len(labels)
    two = _empty(n)
    step = max(1, min(BLOCK, 2**24 // classes))
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        votes = labels[graph.indices[part, :VOTERS]]
        shares = np.zeros((len(votes), classes))
        for column in votes.T:
            shares[np.arange(len(votes)), column] += 1 / votes.shape[1]
        _fill(two, part, np.broadcast_to(np.arange(classes), shares.shape), shares)
    return two


def _empty(n: int) -> TwoClasses:
    one, two, score = (np.full(n, np.nan) for _ in range(3))
    return TwoClasses(np.full(n, -1, np.int64), np.full(n, -1, np.int64), one, two, score)


def _fill(two: TwoClasses, part: slice, classes: IntArray, shares: FloatArray) -> None:
    """Set the rows `part` from classes [b, s] and their probabilities [b, s]."""
    held = np.where(classes >= 0, np.nan_to_num(shares, nan=-1.0), -1.0)
    order = np.argsort(-held, axis=1, kind="stable")[:, :2]
    top = np.take_along_axis(held, order, 1)
    two.first[part], two.second[part] = np.where(top > 0, np.take_along_axis(classes, order, 1), -1).T
    known = top[:, 0] > 0
    two.first_probability[part] = np.where(known, top[:, 0], np.nan)
    two.second_probability[part] = np.where(known, np.maximum(top[:, 1], 0.0), np.nan)
    two.score[part] = two.second_probability[part]
