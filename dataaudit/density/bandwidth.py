"""Bandwidth by the paper's rule: half the mean distance between two examples (appendix A)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray
from dataaudit.density.sums import multiple_of
from dataaudit.errors import DataError
from dataaudit.representations.base import NOT_FINITE, Features, GradientFactors, are_rows, rows_of

VALUES = 2**22
"""Values of the sample that are held in float64 at a time."""

SAMPLE = 2048
"""Most examples between which all distances are taken."""


@dataclass(frozen=True)
class Bandwidth:
    """A kernel's h in the unit of the representation, and its standard error; 0 where no distances were sampled."""

    value: float
    stderr: float


def find(features: Features, bandwidth: float | str, seed: int) -> Bandwidth:
    """Bandwidth of a representation from a number, or from a multiple of half the mean distance ("1x").

    Raises `DataError` if all examples are equal, so that their mean distance is 0, or one holds NaN or infinity.
    """
    multiple = multiple_of(bandwidth)
    if multiple is None:
        return Bandwidth(float(bandwidth), 0.0)
    mean, stderr = mean_distance(features, seed)
    if not np.isfinite(mean):
        raise DataError("NaN or infinite values in a representation", "finite ones, for distances", NOT_FINITE)
    if mean == 0:
        raise DataError(
            f"{min(rows_of(features), SAMPLE)} of {rows_of(features)} examples, drawn at random where these are "
            "more, that are all equal in this representation",
            "examples at some distance from each other",
            [
                "give the bandwidth as a number, as Density(..., bandwidth=1.0) does",
                "leave the scores of that representation out of scorers=",
            ],
        )
    return Bandwidth(multiple * mean / 2, multiple * stderr / 2)


def mean_distance(features: Features, seed: int) -> tuple[float, float]:
    """Mean Euclidean distance over distinct pairs, with its standard error.

    All pairs of at most `SAMPLE` examples drawn without replacement; exact, with standard error 0, where there
    are no more than that. The standard error is that of a U-statistic, from the spread of the sampled examples'
    own mean distances, with the correction for a finite population.
    """
    n = rows_of(features)
    m = min(n, SAMPLE)
    if m < 2:
        return 0.0, 0.0
    chosen = np.sort(np.random.default_rng(seed).choice(n, m, replace=False))
    if are_rows(features) and not isinstance(features, np.ndarray):
        # Rows in pieces give rows, not their features apart.
        features, chosen = features[chosen], np.arange(m)
    unit = _unit(features, chosen)
    own = unit * np.sqrt(_squared_distances(features, chosen, unit)).sum(1) / (m - 1)
    if m == n:
        return float(own.mean()), 0.0
    return float(own.mean()), float(2 * own.std(ddof=1) / np.sqrt(m) * np.sqrt(1 - m / n))


def _unit(features: Features, chosen: AnyArray) -> float:
    """Divisor of the chosen rows that keeps squares of huge and of tiny values in range."""
    if not isinstance(features, np.ndarray) or features.dtype.kind != "f" or features.dtype.itemsize < 8:
        return 1.0
    largest = float(np.abs(features[chosen]).max(initial=0.0))
    return largest if largest > 0 else 1.0


def _squared_distances(features: Features, chosen: AnyArray, unit: float) -> FloatArray:
    """Squared distances between the chosen examples in `unit`, float64 [m, m]."""
    if isinstance(features, np.ndarray):
        gram = np.zeros((len(chosen), len(chosen)))
        # Some features at a time: wide rows in float64 would take more memory than the data.
        step = max(1, VALUES // len(chosen))
        for first in range(0, features.shape[1], step):
            part = features[chosen, first : first + step].astype(np.float64) / unit
            part -= part.mean(0)
            gram += part @ part.T
    else:
        gram = _gram(features, chosen)
    squares = np.diag(gram).copy()
    distances = np.maximum(squares[:, None] + squares - 2 * gram, 0.0)
    # Rounding of large norms must not make equal examples differ.
    distances[distances <= 1e-13 * np.maximum(squares[:, None], squares)] = 0.0
    np.fill_diagonal(distances, 0.0)
    return distances


def _gram(layers: Sequence[GradientFactors], chosen: AnyArray) -> FloatArray:
    gram = np.zeros((len(chosen), len(chosen)))
    for delta, inputs, bias in layers:
        outer, inner = delta[chosen].astype(np.float64), inputs[chosen].astype(np.float64)
        gram += (outer @ outer.T) * (inner @ inner.T + float(bias))
    return gram
