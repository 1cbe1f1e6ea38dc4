"""Calibration of counts of wrong labels and of single labels' odds, from cases where the truth was known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import FloatArray

SMALLEST = 0.003
"""Added to shares before their logarithm is taken: smaller differences do not matter."""

CHANCE, NONE_SEEN = 1.96, 3.0
"""Normal quantile of a 95 % interval; most errors expected where none was seen (the rule of three)."""

NO_LOSS = 0.01
"""Added to the mean loss before its logarithm is taken."""

NARROWEST, WIDEST = -4.0, 0.0
"""Bounds of the logarithm of a scale."""

STEEPEST = 3.0
"""Largest absolute logarithm of a factor of log odds."""


@dataclass(frozen=True)
class Signs:
    """Signs of how good estimates are, seen without knowing the truth, on n examples."""

    estimates: tuple[float, ...]
    """Shares of wrong labels by several methods."""
    contradicted: float
    """Share of the labels that every source contradicts with the same class."""
    disagreement: float
    """Share of the labels that are not the likeliest class."""
    loss: float
    """Mean of minus the logarithm of the given label's probability, nats."""
    n: int
    independent: bool
    """True if all of that comes from probabilities that never saw the example's label."""

    @property
    def middle(self) -> float:
        """`log_share` of the geometric mean of the estimates' median and `contradicted`, each half an example more."""
        median, half = share_of(float(np.median([log_share(value) for value in self.estimates]))), 0.5 / self.n
        return log_share(float(np.sqrt((median + half) * (self.contradicted + half))) - half)

    def values(self) -> FloatArray:
        """Features of the error's scale and the odds' worth, float64 [6].

        One; how many more labels the model disagrees with than are estimated to be wrong; how much the estimates
        disagree; the estimated share; whether the label was seen; the loss.
        """
        middle = self.middle
        gap = log_share(self.disagreement) - middle
        spread = float(np.std([log_share(value) for value in (*self.estimates, self.contradicted)]))
        return np.array([1.0, gap, spread, middle, 0.0 if self.independent else 1.0, self.log_loss])

    @property
    def log_loss(self) -> float:
        """Logarithm of the loss plus `NO_LOSS`."""
        return float(np.log(self.loss + NO_LOSS))

    @property
    def few(self) -> float:
        """Relative error of so few errors by chance, 95 times in 100: 1.96 over the root of their number."""
        return float(CHANCE / np.sqrt(max(np.exp(self.middle) * self.n, 1.0)))


def log_share(share: float) -> float:
    """Logarithm of a share plus `SMALLEST`."""
    return float(np.log(max(share, 0.0) + SMALLEST))


def share_of(log: float) -> float:
    """The share whose `log_share` is `log`, within 0 and 1."""
    return float(np.clip(np.exp(min(log, 0.5)) - SMALLEST, 0.0, 1.0))


@dataclass(frozen=True)
class Calibration:
    """Counts of wrong labels with intervals, and the worth of single labels' odds, from signs.

    `log_share` of the truth is taken to lie around `Signs.middle` + tilt x `Signs.log_loss` by Student's t
    distribution, with the scale exp(scale . `Signs.values`); `Signs.few` is added to the reach of the interval, in
    squares, and an interval reaches at least three examples above the estimate and, where that is below three, down
    to 0.
    """

    scale: tuple[float, ...]
    """Coefficients [6]."""
    tilt: float
    """Growth of the error rate with the loss."""
    reach: float
    """Scales to both sides that an interval takes in."""
    sharpness: tuple[float, ...]
    """Coefficients [6] of the logarithm of the factor that turns the posterior's log odds into those of errors."""
    most: float
    """Largest disagreement with the labels at which a model is good enough to count by."""

    def estimate(self, signs: Signs) -> tuple[float, float, float]:
        """The share, and the lower and upper bound of its interval."""
        scale = float(np.exp(np.clip(signs.values() @ np.asarray(self.scale), NARROWEST, WIDEST)))
        width = float(np.hypot(self.reach * scale, signs.few))
        middle = signs.middle + self.tilt * signs.log_loss
        rate, unseen = share_of(middle), NONE_SEEN / max(signs.n, 1)
        lower = share_of(middle - width) if rate > unseen else 0.0
        return rate, lower, float(min(max(share_of(middle + width), rate + unseen), 1.0))

    def factor(self, signs: Signs) -> float:
        """Factor of the posterior's log odds."""
        return float(np.exp(np.clip(signs.values() @ np.asarray(self.sharpness), -STEEPEST, STEEPEST)))


CALIBRATION = Calibration(
    scale=(-0.709, 2.849, 1.161, 1.481, 0.315, -1.319),
    tilt=0.063,
    reach=2.2,
    sharpness=(-0.177, -1.302, -0.477, -0.712, 0.233, 0.788),
    most=0.5,
)
"""By benchmarks/peers/bed/counts.py and probabilities.py; the reach is the shortest that holds the truth often in every
stratum."""
