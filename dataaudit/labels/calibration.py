"""How far estimates of the share of wrong labels are off, by what they showed where the truth was known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.types import FloatArray

SMALLEST = 0.003
"""Added to shares before their logarithm is taken: smaller differences do not matter."""

CHANCE, NONE_SEEN = 1.96, 3.0
"""Normal quantile of a 95 % interval; most errors expected where none was seen (the rule of three)."""

ALONE = 0.5
"""Standard deviation of the estimates' logarithms that one estimate alone is taken to have."""

NARROWEST, WIDEST = -4.0, 2.0
"""Bounds of the logarithm of a scale."""


@dataclass(frozen=True)
class Signs:
    """What can be seen of estimates without knowing the truth.

    Attributes
    ----------
    estimates
        Shares of wrong labels by several methods.
    disagreement
        Share of the labels that are not the likeliest class.
    n
        Number of examples.
    independent
        Whether all of that comes from beliefs that never saw the example's label.
    """

    estimates: tuple[float, ...]
    disagreement: float
    n: int
    independent: bool

    @property
    def middle(self) -> float:
        """Median of the estimates' `log_share`."""
        return float(np.median([log_share(value) for value in self.estimates]))

    def values(self) -> FloatArray:
        """What the scale of the error is told by, float64 [5].

        One; by how much labels that the model disagrees with are more than those that are estimated to be wrong; by how
        much the estimates disagree; the share that is estimated; whether the label was seen.
        """
        gap = log_share(self.disagreement) - self.middle
        spread = float(np.std([log_share(value) for value in self.estimates])) if len(self.estimates) > 1 else ALONE
        return np.array([1.0, gap, spread, self.middle, 0.0 if self.independent else 1.0])

    @property
    def few(self) -> float:
        """How far so few errors are off by chance, relatively, 95 times in 100: 1.96 over the root of their number."""
        return float(CHANCE / np.sqrt(max(np.exp(self.middle) * self.n, 1.0)))


def log_share(share: float) -> float:
    """Logarithm of a share plus `SMALLEST`."""
    return float(np.log(max(share, 0.0) + SMALLEST))


def share_of(log: float) -> float:
    """The share whose `log_share` is `log`, within 0 and 1."""
    return float(np.clip(np.exp(min(log, 0.5)) - SMALLEST, 0.0, 1.0))


@dataclass(frozen=True)
class Calibration:
    """Intervals of the share of wrong labels, from signs.

    `log_share` of the truth is taken to lie around the median of the estimates' by Student's t distribution, with the
    scale exp(scale . `Signs.values`); `Signs.few` is added to the reach of the interval, in squares, and
    an interval reaches at least three examples above the estimate and, where that is below three, down to 0.

    Attributes
    ----------
    scale
        Coefficients [5].
    reach
        Scales to both sides that an interval takes in.
    most
        Largest disagreement with the labels at which a model is good enough to count by.
    """

    scale: tuple[float, ...]
    reach: float
    most: float

    def estimate(self, signs: Signs) -> tuple[float, float, float]:
        """The share, and the lower and upper bound of its interval."""
        scale = float(np.exp(np.clip(signs.values() @ np.asarray(self.scale), NARROWEST, WIDEST)))
        width = float(np.hypot(self.reach * scale, signs.few))
        rate, unseen = share_of(signs.middle), NONE_SEEN / max(signs.n, 1)
        lower = share_of(signs.middle - width) if rate > unseen else 0.0
        return rate, lower, float(min(max(share_of(signs.middle + width), rate + unseen), 1.0))


CALIBRATION = Calibration(scale=(-1.081, 1.562, 1.545, 0.737, 0.462), reach=2.25, most=0.5)
"""By benchmarks/peers/bed/counts.py; the reach is the shortest that holds the truth often in every stratum."""
