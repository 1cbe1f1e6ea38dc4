"""Weights of the sources that never saw the label, by how well they predict the labels at hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dataaudit.common.probabilities import ProbabilityBlocks, blocks, softmax
from dataaudit.common.types import FloatArray, IntArray

SMALLEST = 1e-9

ROWS, VALUES = 20000, 2**22
"""Most rows, and most probabilities of one source, that weights are fitted on."""

PULL = 10.0
"""Pull of the fixed weights, in examples: the loss of that many against a squared distance of 1. Compared with others
by benchmarks/peers/constants.py."""


def fitted_weights(
    parts: Mapping[str, ProbabilityBlocks],
    labels: IntArray,
    classes: int,
    fixed: Mapping[str, float],
    power: float = 0.0,
    pull: float = PULL,
    most: int = ROWS,
) -> dict[str, float]:
    """Weights of the sources under which their product predicts the given labels best, near the fixed ones.

    With P[i] the normalised product over sources s of p_s[i] ^ w_s and y the given labels, weights w >= 0 minimise::

        sum over i of (1 - P[i, y_i] ^ power) / power  +  pull x sum over s of (w_s - fixed_s) ^ 2

    (power 0: -log P, stacking by log loss; Wolpert 1992. Beyond: Zhang & Sabuncu 2018, equation 6.) They are then
    scaled to the fixed ones' sum, for what is measured is which source to trust more and not how sharp the product
    should be. Few examples hardly move the weights; one source alone keeps its own.

    A loss against labels with errors need not rank errors best. Beside ridge regression, whose outputs are sharpened by
    a fixed temperature, log loss took neighbours for the better source where they find fewer of the errors that people
    make; the bounded loss moves weights less and did not.

    Weights come by name, with the sum of the fixed ones; they are the fixed ones where no source predicts the labels.
    """
    names = list(parts)
    near = np.array([fixed[name] for name in names], np.float64)
    if len(names) < 2 or len(labels) == 0 or classes < 2:
        return dict(zip(names, near.tolist(), strict=True))
    from scipy.optimize import minimize

    n = len(labels)
    rows = slice(0, n, -(-n // max(1, min(most, VALUES // classes))))
    logs = [_logs(parts[name], rows, n, classes) for name in names]
    given = labels[rows]
    every = n / len(given)

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        loss, slope = stacking_loss(weights, logs, given, power)
        away = weights - near
        return every * loss + pull * float(away @ away), every * slope + 2.0 * pull * away

    fitted = minimize(objective, near, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(names)).x
    total = float(fitted.sum())
    fitted = fitted * (near.sum() / total) if total > 0 else near
    return dict(zip(names, fitted.tolist(), strict=True))


def _logs(part: ProbabilityBlocks, rows: slice, n: int, classes: int) -> FloatArray:
    """Logarithms float64 [m, C] of a source's probabilities of every few of n rows."""
    chosen = range(n)[rows]
    logs = np.empty((len(chosen), classes))
    for block in blocks(*logs.shape):
        few = chosen[block]
        dense = part.dense(slice(few.start, few.stop, few.step))
        np.log(np.maximum(dense, SMALLEST, out=dense), out=logs[block])
    return logs


def stacking_loss(
    weights: FloatArray, logs: list[FloatArray], labels: IntArray, power: float
) -> tuple[float, FloatArray]:
    """Loss of the product of sources with log-probabilities `logs` [m, C], and its gradient by the weights [s]."""
    own, away = np.empty(len(labels)), np.empty((len(logs), len(labels)))
    for rows in blocks(*logs[0].shape):
        given, every = labels[rows], np.arange(len(labels[rows]))
        product = softmax(np.asarray(sum(weight * log[rows] for weight, log in zip(weights, logs, strict=True))))
        own[rows] = np.maximum(product[every, given], np.finfo(np.float64).tiny)
        for source, log in enumerate(logs):
            away[source, rows] = (product * log[rows]).sum(1) - log[rows][every, given]
    loss = -np.log(own).sum() if power == 0 else ((1.0 - own**power) / power).sum()
    counts = own**power
    return float(loss), np.array([float((counts * one).sum()) for one in away])
