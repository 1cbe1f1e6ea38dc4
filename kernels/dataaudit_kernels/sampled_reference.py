"""Float64 oracle of sums from a sample, readable beside the formula of `sampled_estimate`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.arrays import Floats


def estimated_sum(
    x: Floats, population: Floats, members: NDArray[np.int64], bandwidth: float, control: bool = True
) -> tuple[float, float]:
    """Sum of kernel values of one row over a population, from some of its members, with a standard error.

    With k_j = exp(-|x - x_j|^2 / h^2), w_j = exp(-|x_j|^2 / h^2), t_j = 2 x.x_j / h^2 and z_j = w_j {1, t_j, t_j^2}::

        k = a + z.b + residual                      least squares over the members
        sum = N a + b. sum over the population of z
        error^2 = N^2 (1 - n/N) / n * sum of squared residuals / (n - 4)

    The row x [d] is centred as the population [N, d] is, and not in it; `members` [n] are the sample's positions.
    Without `control` no control variates are fitted: b = 0, and n - 1 in place of n - 4.

    >>> total, stderr = estimated_sum(np.zeros(1), np.ones((4, 1)), np.array([0, 1]), 1.0, control=False)
    >>> round(total, 6), round(stderr, 6)
    (1.471518, 0.0)
    """
    size, n = len(population), len(members)
    kernel = np.exp(-((population - x) ** 2).sum(1) / bandwidth**2)
    weights = np.exp(-(population**2).sum(1) / bandwidth**2)
    exponents = 2 * population @ x / bandwidth**2
    terms = np.column_stack([np.ones(size), *(weights * exponents**degree for degree in range(3))])
    if not control:
        terms = terms[:, :1]
    unit = np.sqrt((terms[members] ** 2).mean(0))
    slopes = np.linalg.lstsq(terms[members] / unit, kernel[members], rcond=None)[0] / unit
    residuals = kernel[members] - terms[members] @ slopes
    variance = float(residuals @ residuals) / (n - terms.shape[1])
    return float(terms.sum(0) @ slopes), float(size * np.sqrt((1 - n / size) * variance / n))
