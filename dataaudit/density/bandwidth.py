"""Bandwidth by the paper's rule: half the mean distance between two examples (appendix A)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataaudit.density.base import multiple_of
from dataaudit.errors import DataError
from dataaudit.representations.base import Factors, Represented, rows_of
from dataaudit.types import AnyArray, FloatArray

SAMPLE = 2048
"""Examples between which all distances are taken."""


@dataclass(frozen=True)
class Bandwidth:
    """A kernel's h.

    Attributes
    ----------
    value
        h, in the unit of the representation.
    stderr
        Standard error of h where it comes from a sample of the distances, otherwise 0.
    """

    value: float
    stderr: float


def find(represented: Represented, bandwidth: float | str, seed: int) -> Bandwidth:
    """Bandwidth of a representation.

    Parameters
    ----------
    represented
        Rows [n, d] or factors of gradients.
    bandwidth
        A number, or a multiple of half the mean distance ("1x").
    seed
        Of the sample.

    Raises
    ------
    DataError
        If all examples are equal, so that their mean distance is 0.
    """
    multiple = multiple_of(bandwidth)
    if multiple is None:
        return Bandwidth(float(bandwidth), 0.0)
    mean, stderr = mean_distance(represented, seed)
    if not mean > 0:
        raise DataError(
            f"{rows_of(represented)} examples that are all equal in this representation",
            "examples at some distance from each other",
            "give the bandwidth as a number, or ask for another representation",
        )
    return Bandwidth(multiple * mean / 2, multiple * stderr / 2)


def mean_distance(represented: Represented, seed: int) -> tuple[float, float]:
    """Mean Euclidean distance over distinct pairs, with its standard error.

    All pairs of at most `SAMPLE` examples drawn without replacement; exact, with standard error 0, where there
    are no more than that. The standard error is that of a U-statistic, from the spread of the sampled examples'
    own mean distances, with the correction for a finite population.
    """
    n = rows_of(represented)
    m = min(n, SAMPLE)
    if m < 2:
        return 0.0, 0.0
    chosen = np.sort(np.random.default_rng(seed).choice(n, m, replace=False))
    own = np.sqrt(_squared_distances(represented, chosen)).sum(1) / (m - 1)
    if m == n:
        return float(own.mean()), 0.0
    return float(own.mean()), float(2 * own.std(ddof=1) / np.sqrt(m) * np.sqrt(1 - m / n))


def _squared_distances(represented: Represented, chosen: AnyArray) -> FloatArray:
    """Squared distances between the chosen examples, float64 [m, m]."""
    if isinstance(represented, np.ndarray):
        rows = represented[chosen].astype(np.float64)
        rows -= rows.mean(0)
        gram = rows @ rows.T
    else:
        gram = _gram(represented, chosen)
    squares = np.diag(gram).copy()
    distances = np.maximum(squares[:, None] + squares - 2 * gram, 0.0)
    # Rounding of large norms must not make equal examples differ.
    distances[distances <= 1e-13 * np.maximum(squares[:, None], squares)] = 0.0
    np.fill_diagonal(distances, 0.0)
    return distances


def _gram(layers: Sequence[Factors], chosen: AnyArray) -> FloatArray:
    gram = np.zeros((len(chosen), len(chosen)))
    for delta, inputs, bias in layers:
        outer, inner = delta[chosen].astype(np.float64), inputs[chosen].astype(np.float64)
        gram += (outer @ outer.T) * (inner @ inner.T + float(bias))
    return gram
