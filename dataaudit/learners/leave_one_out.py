"""Ridge regression that leaves out one example at a time, for all of them at once and in closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dataaudit.types import AnyArray, FloatArray, IntArray

BLOCK = 8192


def leave_one_out(
    read: Callable[[slice], AnyArray], labels: IntArray, classes: int, alpha: float, relative: bool = False
) -> Callable[[slice], FloatArray]:
    """Outputs of ridge regression on one-hot labels, each example's from all the others.

    With H = X (X'X + P)^-1 X', X the centred features and a constant, and P the penalty of all but the constant, the
    output of example i without itself is (f_i - h_ii y_i) / (1 - h_ii): two passes over the features, no refitting.
    (Allen 1974, the PRESS statistic.) Centring on the mean of all examples is part of the constant, so it is exact.

    Parameters
    ----------
    read
        Features of a block of rows, [b, d]; twice over all of them.
    labels
        int64 [n].
    classes
        Number of classes C.
    alpha
        Penalty of squared weights.
    relative
        Whether alpha is in units of the features' mean squared distance from their mean.

    Returns
    -------
    function
        Outputs float64 [b, C] of a block of rows, which estimate the probabilities of the classes. Memory: d x d.
    """
    n = len(labels)
    blocks = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
    mean = sum(np.asarray(read(rows), np.float64).sum(0) for rows in blocks) / n
    d = len(mean)
    gram, sums = np.zeros((d, d)), np.zeros((d, classes))
    for rows in blocks:
        centred = np.asarray(read(rows), np.float64) - mean
        gram += centred.T @ centred
        sums += centred.T @ _one_hot(labels[rows], classes)
    if relative:
        alpha = alpha * max(float(np.trace(gram)) / n, 1e-12)
    values, axes = np.linalg.eigh(gram)
    inverse = 1.0 / (np.maximum(values, 0.0) + alpha)
    scaled = axes * np.sqrt(inverse)
    weights = scaled @ (scaled.T @ sums)
    share = np.bincount(labels, minlength=classes) / n

    def outputs(rows: slice) -> FloatArray:
        centred = np.asarray(read(rows), np.float64) - mean
        leverage = ((centred @ scaled) ** 2).sum(1) + 1.0 / n
        fitted = centred @ weights + share
        own = _one_hot(labels[rows], classes)
        return np.asarray((fitted - leverage[:, None] * own) / np.maximum(1.0 - leverage, 1e-12)[:, None])

    return outputs


def _one_hot(labels: IntArray, classes: int) -> FloatArray:
    return np.eye(classes)[labels] if classes <= 64 else _scattered(labels, classes)


def _scattered(labels: IntArray, classes: int) -> FloatArray:
    found = np.zeros((len(labels), classes))
    found[np.arange(len(labels)), labels] = 1.0
    return found
