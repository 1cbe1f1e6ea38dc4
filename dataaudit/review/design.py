"""Rows to look at, in which order, and by which chance: a design that depends on nothing but what was audited."""

from __future__ import annotations

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import DataError, rows

BINS = 12
"""Bins of rows that are alike suspicious."""
UNSURE = 0.02
"""Least probability of either outcome by which rows are drawn."""
PURPOSES = ("find", "estimate", "both")
SAME = 1e-6
"""Relative difference of equal chances."""


def filled(probability: FloatArray) -> FloatArray:
    """Probabilities [n], of rows that nothing is known of the mean of the others."""
    known = np.isfinite(probability)
    return np.where(known, probability, probability[known].mean() if known.any() else 0.5)


def _spread(probability: FloatArray) -> FloatArray:
    """Standard deviation of each outcome, at least that of one in fifty, float64 [n]."""
    bounded = np.clip(probability, UNSURE, 1 - UNSURE)
    return np.sqrt(bounded * (1 - bounded))


def bins_of(probability: FloatArray, count: int) -> IntArray:
    """Bin of each row, int64 [n], 0 the most suspicious: at most `count` runs by falling probability, of equal weight.

    The weight of a bin is the sum of its rows' spreads.
    """
    order = np.argsort(-probability, kind="stable")
    share = np.cumsum(_spread(probability)[order])
    bins = np.empty(len(order), np.int64)
    bins[order] = np.minimum((share / share[-1] * count * (1 - 1e-12)).astype(np.int64), count - 1)
    # A single row can weigh more than one bin does.
    return np.unique(bins, return_inverse=True)[1].reshape(-1).astype(np.int64)


class Design:
    """Rows that are drawn without replacement, or taken by falling probability.

    A draw chooses a bin by the weight of its rows that were not looked at, then one of these: rows of which it is least
    known whether they are wrong are drawn most often (Neyman 1934).

    Parameters
    ----------
    probability
        Probability that each label is wrong, float64 [n], all known.
    seed
        Of the draws: each depends on it, its place, and the rows of the places before.
    count
        Bins, at most.
    """

    def __init__(self, probability: FloatArray, seed: int = 0, count: int = BINS) -> None:
        self.bins, self._seed = bins_of(probability, count), seed
        self._order, self.spread = np.argsort(-probability, kind="stable"), _spread(probability)
        self._pools = [np.flatnonzero(self.bins == number) for number in range(int(self.bins.max()) + 1)]
        self._within = np.empty(len(probability), np.int64)
        for pool in self._pools:
            self._within[pool] = np.arange(len(pool))
        self.left = np.array([len(pool) for pool in self._pools])
        """Rows of each bin that were not looked at, int64 [K]."""
        self.weight = np.bincount(self.bins, self.spread)
        """Sum of their spreads, float64 [K]."""
        self._looked = np.zeros(len(probability), bool)
        self._next = 0
        self._chances: FloatArray | None = None

    def chances(self) -> FloatArray:
        """Chance of each bin to be drawn from next, float64 [K]; 0 of one without rows left."""
        if self._chances is None:
            weight = np.where(self.left > 0, np.maximum(self.weight, 1e-12), 0.0)
            self._chances = weight / weight.sum()
        return self._chances

    def chance(self, row: int) -> float:
        """Chance of a row, not looked at, to be drawn next."""
        number = self.bins[row]
        return float(self.chances()[number] / self.left[number])

    def look(self, row: int) -> None:
        """Take a row out of those that can be drawn."""
        number, place = self.bins[row], self._within[row]
        pool, last = self._pools[number], self.left[number] - 1
        moved = pool[last]
        pool[place], pool[last] = moved, row
        self._within[moved], self._within[row] = place, last
        self.left[number], self._looked[row] = last, True
        self.weight[number] -= self.spread[row]
        self._chances = None

    def next(self, purpose: str, place: int) -> tuple[int, float]:
        """Row for a place in the queue, and its chance; below 1 that is a draw's. Some row must be left.

        Of "both", places of even numbers are drawn.
        """
        if purpose == "estimate" or (purpose == "both" and place % 2 == 0):
            row = self._draw(place)
            return row, self.chance(row)
        return self._likeliest(), 1.0

    def fits(self, position: int, chance: float) -> bool:
        """Test whether a row has that chance to be looked at next; 1 is that of one that is taken, not drawn."""
        if self._looked[position]:
            return False
        known = self.chance(position)
        return chance == 1.0 or abs(chance - known) <= SAME * known

    def check(self, position: int, chance: float, row: int) -> None:
        """Raise `DataError` unless a row has the chance to be looked at next that is claimed."""
        if not self.fits(position, chance):
            known = 0.0 if self._looked[position] else self.chance(position)
            raise DataError(
                f"chance {chance:.6g} of {rows([row])}",
                f"1, or {known:.6g}, which it has at this place of this audit's queue",
                [
                    "leave place and chance as review() wrote them",
                    "leave both blank for rows that you chose yourself",
                ],
            )

    def _draw(self, place: int) -> int:
        rng = np.random.default_rng((self._seed, place))
        reached = np.cumsum(self.chances())
        number = int(np.searchsorted(reached, rng.random() * reached[-1], "right"))
        return int(self._pools[number][rng.integers(self.left[number])])

    def _likeliest(self) -> int:
        while self._looked[self._order[self._next]]:
            self._next += 1
        return int(self._order[self._next])
