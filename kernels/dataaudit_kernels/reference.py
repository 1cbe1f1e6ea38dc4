"""Float64 NumPy oracle of the kernel sums; reads like the formula and holds all pairs at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def rbf_sums(x: ArrayLike, labels: ArrayLike, bandwidth: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of Gaussian kernel values of every row with all others, and with those of its own label.

    With K(x, x') = exp(-||x - x'||^2 / h^2) (Jiang, Zhang, Talwar, Mozer 2021, equations 3 and 4; no factor 2)::

        all[i] = sum over j != i of K(x_i, x_j)
        same[i] = sum over j != i with labels[j] = labels[i] of K(x_i, x_j)

    Parameters
    ----------
    x
        Rows, [n, d].
    labels
        Whole numbers, [n].
    bandwidth
        h > 0, in the unit of the rows.

    Returns
    -------
    all, same
        float64 [n] each, 0 where every other row is far.

    Raises
    ------
    ValueError
        If shapes do not match, values are not finite or the bandwidth is not positive.

    Examples
    --------
    >>> rbf_sums([[0.0], [1.0], [1.0]], [0, 0, 1], 1.0)[1].round(4).tolist()
    [0.3679, 0.3679, 0.0]
    """
    rows = np.asarray(x, np.float64)
    given: NDArray[Any] = np.asarray(labels)
    if rows.ndim != 2 or given.shape != rows.shape[:1]:
        raise ValueError(f"found x {rows.shape}, labels {given.shape}; expected [n, d] and [n]; reshape them")
    if not np.isfinite(rows).all() or not (np.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"found NaN, infinity or bandwidth {bandwidth}; expected finite rows and h > 0; clean them")
    difference = rows[:, None, :] - rows[None, :, :]
    kernel = np.exp(-(difference**2).sum(2) / bandwidth**2)
    np.fill_diagonal(kernel, 0.0)
    return kernel.sum(1), np.where(given[:, None] == given[None, :], kernel, 0.0).sum(1)
