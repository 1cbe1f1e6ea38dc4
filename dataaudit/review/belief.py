"""Expectation of what the next look will find: probabilities of an audit, corrected by what was found.

A prediction decides how narrow bounds are, and nothing about their being right.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from dataaudit.common.types import FloatArray, IntArray

_SHIFTS, _SLOPES = np.meshgrid(np.linspace(-4.0, 4.0, 9), [0.5, 1.0, 1.5])
SHIFTS, SLOPES = _SHIFTS.ravel(), _SLOPES.ravel()
"""What log odds may have to be shifted by and multiplied with, [J] each."""
PRIOR = np.exp(-0.5 * (SHIFTS / 1.5) ** 2) * np.where(SLOPES == 1.0, 2.0, 1.0)
PRIOR = PRIOR / PRIOR.sum()
"""Weights of these corrections."""
STRENGTHS = np.array([5.0, 1e9])
"""Draws that a corrected probability is worth beside those of its bin, [E]."""
TRUST = np.array([0.5, 0.5])
"""Weights of the strengths."""
EXTREME, LEAST = 1e-4, 1e-5
"""Least probability that is read, and that is predicted; 1 less the largest."""


class Belief:
    """Predicted share of wrong labels among the rows of each bin that were not looked at.

    Parameters
    ----------
    probability
        Probability that each label is wrong, float64 [n], all known.
    bins
        Bin of each row, int64 [n], 0 .. K-1.
    """

    def __init__(self, probability: FloatArray, bins: IntArray) -> None:
        count = int(bins.max()) + 1
        self._bins, self.odds = bins, logit(np.clip(probability, EXTREME, 1 - EXTREME))
        self._left = np.bincount(bins, minlength=count)
        self.expected = np.stack(
            [np.bincount(bins, expit(a + b * self.odds), count) for a, b in zip(SHIFTS, SLOPES, strict=True)]
        )
        """Errors among the rows of each bin that were not looked at, by each correction, float64 [J, K]."""
        self._drawn, self._found = np.zeros((2, count))
        # Logarithms of the probabilities given to draws [J, K, E], and to other looks [J].
        self._of_draws = np.zeros((len(SHIFTS), count, len(STRENGTHS)))
        self._of_others = np.zeros(len(SHIFTS))
        # What follows from these for each bin [J, K].
        self._of_bin, self._share = np.zeros((2, len(SHIFTS), count))
        for number in range(count):
            self._predict(number)

    def rates(self) -> FloatArray:
        """Predicted shares, float64 [K], between 0 and 1."""
        return np.asarray(self._posterior() @ self._share)

    def learn(self, row: int, is_wrong: bool, drawn: bool) -> None:
        """Take in a label, of a row that was drawn or not."""
        number = self._bins[row]
        corrected = expit(SHIFTS + SLOPES * self.odds[row])
        if drawn:
            found = self._each(number)
            self._of_draws[:, number] += np.log(found if is_wrong else 1 - found)
            self._drawn[number] += 1
            self._found[number] += is_wrong
        else:
            self._of_others += np.log(corrected if is_wrong else 1 - corrected)
        self.expected[:, number] -= corrected
        self._left[number] -= 1
        self._predict(number)

    def corrected(self) -> FloatArray:
        """Probability that each label is wrong as it looks now, float64 [n], rising with what it was."""
        total = np.zeros(len(self.odds))
        for weight, shift, slope in zip(self._posterior(), SHIFTS, SLOPES, strict=True):
            total += weight * expit(shift + slope * self.odds)
        return total

    def _each(self, number: int) -> FloatArray:
        """Predicted shares of a bin by correction and strength, float64 [J, E]."""
        rates = self.expected[:, number, None] / max(int(self._left[number]), 1)
        shares = (STRENGTHS * rates + self._found[number]) / (STRENGTHS + self._drawn[number])
        return np.asarray(np.clip(shares, LEAST, 1 - LEAST))

    def _predict(self, number: int) -> None:
        weights = self._of_draws[:, number] + np.log(TRUST)
        self._of_bin[:, number] = np.logaddexp.reduce(weights, axis=1)
        self._share[:, number] = (np.exp(weights - self._of_bin[:, number, None]) * self._each(number)).sum(1)

    def _posterior(self) -> FloatArray:
        """Weights of the corrections, float64 [J]."""
        weights = np.log(PRIOR) + self._of_others + self._of_bin.sum(1)
        return np.asarray(np.exp(weights - np.logaddexp.reduce(weights)))
