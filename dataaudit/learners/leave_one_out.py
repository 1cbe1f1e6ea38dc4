"""Ridge regression that leaves out one example at a time, for all of them at once and in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.common.units import power_of_two
from dataaudit.errors import DataError

BLOCK = 8192
VALUES = 2**21
HELD = 2**23
"""Values of wide rows that are held in float64 at a time, twice."""
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
CHOOSE = 8
"""Blocks of rows on which a penalty is chosen."""


def row_blocks(n: int, classes: int, block: int = BLOCK) -> list[slice]:
    """Blocks of at most `block` rows and `VALUES` outputs."""
    step = max(1, min(block, VALUES // classes))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def leave_one_out(
    read: Callable[[slice], AnyArray], labels: IntArray, classes: int, alpha: float | None = None, block: int = BLOCK
) -> Callable[[slice], FloatArray]:
    """Function from a block of rows to outputs float64 [b, C] of ridge regression on one-hot labels of all other rows.

    With H = X (X'X + P)^-1 X', X the centred features and a constant, and P the penalty of all but the constant, the
    output of example i without itself is (f_i - h_ii y_i) / (1 - h_ii): passes over the features, and no refitting.
    (Allen 1974, the PRESS statistic.) Centring on the mean of all examples is part of the constant, so it is exact.

    `read` gives features [b, d] of a block, three or four times over all rows. Without `alpha`, the penalty is the best
    of `PENALTIES` by the squared error of the outputs, in units of the features' mean squared distance from their mean.
    """
    n = len(labels)
    blocks = row_blocks(n, classes, block)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = sum(np.asarray(read(rows), np.float64).sum(0) for rows in blocks) / n
        scale = max(float(np.abs(np.asarray(read(rows), np.float64) - mean).max(initial=0.0)) for rows in blocks) or 1.0
    if not np.isfinite(scale):
        raise DataError(
            "inputs so large that their mean is not finite", "numbers whose differences can be told", "rescale them"
        )
    d = len(mean)
    gram, sums = np.zeros((d, d)), np.zeros((d, classes))
    for rows in blocks:
        centred = (np.asarray(read(rows), np.float64) - mean) / scale
        gram += centred.T @ centred
        sums += centred.T @ _one_hot(labels[rows], classes)
    values, axes = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    share = np.bincount(labels, minlength=classes) / n

    rotated = axes.T @ sums

    def project(rows: slice) -> FloatArray:
        return np.asarray((np.asarray(read(rows), np.float64) - mean) / scale @ axes)

    def left_out(projected: FloatArray, rows: slice, penalty: float) -> FloatArray:
        shrunk = 1.0 / (values + penalty)
        leverage = projected**2 @ shrunk + 1.0 / n
        own = _one_hot(labels[rows], classes)
        fitted = projected @ (shrunk[:, None] * rotated) + share
        return np.asarray((fitted - leverage[:, None] * own) / np.maximum(1.0 - leverage, 1e-12)[:, None])

    if alpha is None:
        unit = float(np.trace(gram)) / n or 1.0
        penalties = np.array(PENALTIES) * unit
        errors = np.zeros(len(penalties))
        for rows in blocks[:CHOOSE]:
            # Along the axes a penalty only scales: one product of the rows serves all of them.
            projected, own = project(rows), _one_hot(labels[rows], classes)
            errors += [float(((left_out(projected, rows, penalty) - own) ** 2).sum()) for penalty in penalties]
        best = float(penalties[int(np.argmin(errors))])
    else:
        best = alpha / scale**2
    return lambda rows: left_out(project(rows), rows, best)


def within_rows(rows: Any, values: int = HELD) -> Any:
    """Rows [n, d] in at most n coordinates, by a rotation about their mean that leaves ridge regression as it is.

    More columns than rows are replaced by roots of the products of rows, n x n. Rows, of an array or of any kind that
    gives some of them, are read block by block; a block holds `values` values, if that is a row or more.
    """
    n, d = rows.shape
    if d <= n:
        return rows
    step = max(1, values // d)
    blocks = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    largest = max(float(np.abs(rows[part].astype(np.float64)).max()) for part in blocks)
    unit = power_of_two(largest)
    mean = sum((rows[part] / unit).sum(0, dtype=np.float64) for part in blocks) / n
    products = np.empty((n, n))
    for count, part in enumerate(blocks, 1):
        centred = rows[part] / unit - mean
        for other in blocks[:count]:
            products[part, other] = centred @ (centred if other is part else rows[other] / unit - mean).T
            products[other, part] = products[part, other].T
    squares, vectors = np.linalg.eigh(products)
    return vectors * np.sqrt(np.maximum(squares, 0.0)) * unit


def _one_hot(labels: IntArray, classes: int) -> FloatArray:
    encoded = np.zeros((len(labels), classes))
    encoded[np.arange(len(labels)), labels] = 1.0
    return encoded
