"""Centre and unit of rows, in which float32 holds what lies between them: the same digits at every scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.common.types import BoolArray, FloatArray
from dataaudit.errors import DataError

SAMPLE = 512
"""Rows by which the usual distance from the middle is told."""

FAR = 2.0**20
"""Times the usual distance from which on a row lies so far out that the mean is no middle."""

WIDEST = 2.0**60
"""Largest times the usual distance of which float32 holds the square."""

LEAST, MOST = 1e-150, 1e150
"""Distances of which float64 holds the square."""

NOISE = 16 * float(np.finfo(np.float64).eps)
"""Differences of at most this share of a column's values are what rounding left of equal ones."""


def varies(low: FloatArray, high: FloatArray) -> BoolArray:
    """Whether columns with these least and largest values, float64 [d], hold more than rounding of one value."""
    with np.errstate(over="ignore"):
        return np.asarray(high - low > NOISE * np.maximum(np.abs(low), np.abs(high)))


def column_units(spread: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Units of columns: their spread, and the size of their values, at least 1, where they do not vary.

    What rounding left of equal values is next to nothing in the latter.
    """
    return np.where((spread > 0) & varies(low, high), spread, np.maximum(1.0, np.maximum(np.abs(low), np.abs(high))))


def power_of_two(largest: float) -> float:
    """Divisor that brings `largest` near 1 and changes no digit."""
    return float(np.ldexp(1.0, int(np.frexp(largest)[1]) - 1))


def centre_and_unit(rows: Any, mean: FloatArray, largest: float, most_values: int = 2**21) -> tuple[FloatArray, float]:
    """Centre float64 [d] of rows [n, d], and a power of two by which differences from it are to be divided.

    The centre is the `mean`, of which no value is further than `largest`; where a few rows lie far from all others, it
    is the middle of some rows, so that rounding leaves the others apart. About `most_values` values are read.

    Raises
    ------
    DataError
        If squared distances are beyond float64, or those of most rows nothing beside the largest.
    """
    if not (largest == 0 or LEAST <= largest <= MOST):
        raise DataError(
            f"values {largest:.1e} from their mean",
            f"differences between {LEAST:.0e} and {MOST:.0e}, whose squares float64 holds",
            "multiply or divide the inputs by a constant",
        )
    n, d = rows.shape
    count = max(1, min(n, SAMPLE, most_values // max(1, d)))
    some = np.asarray(rows[np.linspace(0, n - 1, count).astype(np.int64)], np.float64)
    middle = np.median(some, axis=0)
    usual = float(np.median(np.abs(some - middle).max(1)))
    if not 0 < usual * FAR < largest:
        return mean, power_of_two(largest)
    if largest * max(1, d) ** 0.5 > usual * WIDEST:
        raise DataError(
            f"values {largest:.1e} from their mean, where half of the rows lie within {usual:.1e} of their middle",
            f"rows at most {WIDEST:.0e} times as far out as others",
            "drop the rows that are far out, or have them corrected",
        )
    return middle, power_of_two(usual)
