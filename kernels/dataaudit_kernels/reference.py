"""Float64 NumPy oracles of the kernel sums; they read like the formulas and hold all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.validation import check_bandwidth, check_layers, check_sides

Sums = tuple[NDArray[np.float64], NDArray[np.float64]]


def rbf_sums(
    x: ArrayLike,
    labels: ArrayLike,
    bandwidth: float,
    references: ArrayLike | None = None,
    reference_labels: ArrayLike | None = None,
) -> Sums:
    """Sum of Gaussian kernel values of every row with all others, and with those of its own label.

    With K(x, x') = exp(-||x - x'||^2 / h^2) (Jiang, Zhang, Talwar, Mozer 2021, equations 3 and 4; no factor 2)::

        all[i] = sum over j != i of K(x_i, x_j)
        same[i] = sum over j != i with labels[j] = labels[i] of K(x_i, x_j)

    With `references` the sums run over every reference instead, and no pair is left out.

    Parameters
    ----------
    x
        Rows, [n, d].
    labels
        Whole numbers, [n].
    bandwidth
        h > 0, in the unit of the rows.
    references, reference_labels
        Rows [m, d] and their labels [m], or neither.

    Returns
    -------
    all, same
        float64 [n] each, 0 where every other row is far.

    Raises
    ------
    ValueError
        If shapes do not match, values are not finite, the bandwidth is not positive or its square is out of range.

    Examples
    --------
    >>> rbf_sums([[0.0], [1.0], [1.0]], [0, 0, 1], 1.0)[1].round(4).tolist()
    [0.3679, 0.3679, 0.0]
    """
    h = check_bandwidth(bandwidth)
    sides = check_sides(x, labels, references, reference_labels)
    (rows, given), (others, their) = ((np.asarray(side, np.float64), own) for side, own in (sides[0], sides[-1]))
    try:
        squared = np.empty((len(rows), len(others)))
    except MemoryError as error:
        raise MemoryError(
            f"found no memory for all {len(rows)} x {len(others)} pairs; expected "
            f"{3 * 8 * len(rows) * len(others) / 2**30:.1f} GiB free; pass fewer rows, or use dataaudit_kernels.rbf_cpu"
        ) from error
    # Row by row: all differences at once would need n x m x d numbers.
    for i, row in enumerate(rows):
        squared[i] = ((others - row) ** 2).sum(1)
    kernel = np.exp(-squared / h**2)
    if references is None:
        np.fill_diagonal(kernel, 0.0)
    return kernel.sum(1), np.where(given[:, None] == their[None, :], kernel, 0.0).sum(1)


def gradient_rbf_sums(layers: Sequence[GradientFactors], labels: ArrayLike, bandwidth: float) -> Sums:
    """`rbf_sums` over per-example gradients of linear layers, which are written out in full here.

    Arguments, results and errors are those of `rbf_sums`; the bandwidth is in the unit of the gradients.

    Examples
    --------
    >>> layer = GradientFactors(np.array([[1.0], [1.0]]), np.array([[0.0], [1.0]]), bias=True)
    >>> gradient_rbf_sums([layer], [0, 0], 1.0)[0].round(4).tolist()
    [0.3679, 0.3679]
    """
    return rbf_sums(written_out(layers), labels, bandwidth)


def written_out(layers: Sequence[GradientFactors]) -> NDArray[np.float64]:
    """Gradients as rows, float64 [n, sum of p (q + 1)] (q where a layer has no bias)."""
    n = check_layers(layers)
    parts = []
    for layer in layers:
        delta, inputs = np.asarray(layer.delta, np.float64), np.asarray(layer.inputs, np.float64)
        if layer.bias:
            inputs = np.column_stack([inputs, np.ones(n)])
        parts.append((delta[:, :, None] * inputs[:, None, :]).reshape(n, -1))
    return np.concatenate(parts, axis=1)
