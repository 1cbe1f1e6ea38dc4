"""Needs and sums of densities, with the errors of sums that are estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import SettingError
from dataaudit.representations.spaces import Space


@dataclass(frozen=True)
class DensityNeed:
    """Kernel sums that a scorer needs; equal needs are computed once.

    Parameters
    ----------
    space
        Where examples lie.
    bandwidth
        h as a positive number in the unit of the representation, or a multiple of half the mean distance ("1x").

    Raises
    ------
    SettingError
        If the bandwidth is not as described.
    """

    space: Space
    bandwidth: float | str = "1x"

    def __post_init__(self) -> None:
        multiple_of(self.bandwidth)


def multiple_of(bandwidth: float | str) -> float | None:
    """Multiple that a bandwidth like "0.5x" stands for; None for one that is a number.

    Raises
    ------
    SettingError
        If it is neither, or not a finite number above 0.

    Examples
    --------
    >>> multiple_of("0.5x"), multiple_of(3.0)
    (0.5, None)
    """
    text = bandwidth[:-1] if isinstance(bandwidth, str) and bandwidth.endswith("x") else None
    try:
        number = float(bandwidth if text is None else text)
    except (TypeError, ValueError):
        number = float("nan")
    if not (text is not None or checks.is_number(bandwidth)) or not (np.isfinite(number) and number > 0):
        raise SettingError(
            f"bandwidth={bandwidth!r}",
            "a finite number above 0, or a multiple of half the mean distance such as '0.5x'",
            "pass bandwidth='1x', the paper's rule",
        )
    return number if text is not None else None


KINDS = ("density", "class_density", "relative_density", "parzen")
"""Scores that the two sums of an example give."""


@dataclass(frozen=True)
class SumErrors:
    """Standard errors of sums of n examples that are estimates.

    Attributes
    ----------
    other, same
        Standard errors of the sums over other labels and over the same label, float64 [n]; 0 where exact. The two
        errors are independent.
    members
        Number of examples that the sum over other labels is estimated from, int64 [n].
    agreement
        Estimated Spearman correlation with the exact ranking, by score (`KINDS`).
    """

    other: FloatArray
    same: FloatArray
    members: IntArray
    agreement: Mapping[str, float]


@dataclass(frozen=True)
class DensitySums:
    """Kernel sums of n examples, self pairs left out.

    Attributes
    ----------
    total, same
        Sums over all others and over those of the same label, float64 [n].
    settings
        How they came about: bandwidth with its standard error, engine, shape; JSON values.
    errors
        Of sums that are estimates; None for exact ones.
    """

    total: FloatArray
    same: FloatArray
    settings: dict[str, Any] = field(default_factory=dict)
    errors: SumErrors | None = None

    def parzen(self, labels: IntArray) -> FloatArray:
        """Leave-one-out Parzen posterior of the given label, float64 [n]: same / total.

        Where every kernel value is 0 even in float64, it is the share of the label among the other examples.
        """
        share = (np.bincount(labels)[labels] - 1.0) / max(len(labels) - 1, 1)
        reached = self.total > 0
        return np.where(reached, self.same / np.where(reached, self.total, 1.0), share)

    def stderr(self, kind: str) -> FloatArray:
        """Standard error of a score, float64 [n]; 0 for exact sums.

        That of the posterior p = S / (S + O), of independent sums over the same label and others, is to the first
        order (p / (S + O)) sqrt(error(O)^2 + (O / S)^2 error(S)^2). `kind` is one of `KINDS`.
        """
        n = len(self.total)
        if self.errors is None:
            return np.zeros(n)
        same, other = self.errors.same, self.errors.other
        if kind == "class_density":
            return same / n
        if kind in ("density", "relative_density"):
            return np.hypot(other, same) / n
        reached = self.total > 0
        total = np.where(reached, self.total, 1.0)
        error = np.hypot(self.same / total * other, (self.total - self.same) / total * same) / total
        return np.where(reached, error, 0.0)
