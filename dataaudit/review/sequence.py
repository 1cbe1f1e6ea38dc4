"""Confidence sequence for the number of wrong labels of a data set, from rows that are drawn without replacement.

Let m labels of the rows that were not looked at be wrong, and row i be drawn with chance p_i. If the label turns out to
be wrong (z = 1) or right (0), a_i + l z / p_i is, whichever m labels it is, 1 on average if the a_i are: sum p_i a_i =
1 - l m. A product of such factors, none negative, is a martingale; it exceeds 1 / alpha at any time with a probability
of at most alpha (Ville 1939). Numbers of errors under which it does are excluded: whenever the reviewer stops, however
good the predictions are, in a data set that is finite. (Betting: Waudby-Smith and Ramdas 2024; weighted draws: Shekhar
and others 2023.)

Of all such factors the one that grows fastest where a prediction is right is taken: its ratio to the hypothesis that is
nearest to it in relative entropy (Grünwald, de Heide and Koolen 2024). With a share b_k predicted for all rows of bin
k, which are drawn with one chance, and c = l / p_k, it is (1 + c + d) / 2 for an error and (1 - c + d) / 2 for none,
where d^2 = (1 + c)^2 - 4 b_k c.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.review.belief import Belief
from dataaudit.review.design import Design

NEWTON = 6
"""Steps towards the fastest factor: another one is as valid."""
COARSE = 16
"""Numbers of errors that are tried before the bounds are narrowed down."""
REFINED = 8
"""How often the numbers between these are tried where all of them are excluded."""


@dataclass
class ErrorSequence:
    """Numbers of wrong labels that looks in a `design` leave possible; `belief` predicts what they find."""

    design: Design
    belief: Belief
    wrong: int = 0
    """Errors that were found."""
    looked: int = 0
    _draws: list[tuple[FloatArray, FloatArray, FloatArray, IntArray]] = field(default_factory=list)

    @property
    def drawn(self) -> int:
        """Number of draws."""
        return len(self._draws)

    def look(self, row: int, is_wrong: bool, drawn: bool) -> None:
        """Take in the label of the row that is next, drawn at random or chosen before its label was seen."""
        left = self.design.left
        if drawn:
            counts = np.array([self.design.bins[row], is_wrong, self.wrong, left.sum()])
            self._draws.append((self.design.chances(), left.copy(), self.belief.rates(), counts))
        self.belief.learn(row, is_wrong, drawn)
        self.design.look(row)
        self.wrong += is_wrong
        self.looked += 1

    def evidence(self, errors: IntArray) -> FloatArray:
        """Logarithm of the martingale after each draw if so many labels are wrong, float64 [draws, len(errors)].

        Infinite once a number of errors is impossible.
        """
        if not self._draws:
            return np.zeros((0, len(errors)))
        chance, left, rate, counts = (np.stack(parts) for parts in zip(*self._draws, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(chance > 0, left / chance, 0.0)
        number, is_wrong, found, total = counts.T
        remaining = errors - found[:, None]
        possible = (remaining >= 0) & (remaining <= total[:, None])
        # One value for each number of errors would take gigabytes in large data sets.
        factors = [
            _log_factor(chance[:, None], scale[:, None], rate[:, None], part, number, is_wrong)
            for part in np.array_split(np.clip(remaining, 0, total[:, None]), max(1, len(errors) // 64), axis=1)
        ]
        return np.asarray(np.cumsum(np.where(possible, np.concatenate(factors, axis=1), np.inf), axis=0))

    def bounds(self, alpha: float = 0.05) -> tuple[int, int]:
        """Least and largest number of wrong labels, looked at or not, that is not excluded."""
        low, high = self.wrong, self.wrong + int(self.design.left.sum())
        if not self._draws:
            return low, high
        limit = -np.log(alpha)
        guess = int(np.clip(round(self.estimate()), low, high))
        grid = np.unique(np.concatenate([_towards(guess, low), _towards(guess, high)]))
        evidence = self._most(grid)
        for _ in range(REFINED):
            if evidence.min() < limit:
                break
            # Evidence falls to its least value, and rises from there.
            least = int(np.argmin(evidence))
            near, far = grid[max(least - 1, 0)], grid[min(least + 1, len(grid) - 1)]
            grid = np.unique(np.linspace(near, far, COARSE).round().astype(np.int64))
            evidence = self._most(grid)
        inside = np.flatnonzero(evidence < limit)
        if not len(inside):
            # Once in 1 / alpha reviews at most.
            nearest = int(grid[np.argmin(evidence)])
            return nearest, nearest
        first, last = int(inside[0]), int(inside[-1])
        below = int(grid[first - 1]) if first else low - 1
        above = int(grid[last + 1]) if last < len(grid) - 1 else high + 1
        return self._edge(int(grid[first]), below, limit), self._edge(int(grid[last]), above, limit)

    def _most(self, errors: IntArray) -> FloatArray:
        """Most evidence that there ever was against each number of errors, float64 [len(errors)].

        The martingale exceeds 1 / alpha at any time with a probability of at most alpha: what was excluded once stays
        excluded.
        """
        return np.asarray(self.evidence(errors).max(axis=0))

    def _edge(self, inside: int, outside: int, limit: float) -> int:
        """Last number that is not excluded from one that is not towards one that is."""
        while abs(outside - inside) > 1:
            middle = (inside + outside) // 2
            if self._most(np.array([middle]))[0] < limit:
                inside = middle
            else:
                outside = middle
        return inside

    def estimate(self) -> float:
        """Estimated number of wrong labels; by the belief alone where nothing was drawn.

        Mean of what each draw says: errors found before, errors expected among the others, and what the draw found
        beyond expectation over its chance (Horvitz and Thompson 1952), which is right on average whatever is expected
        (prediction-powered: Angelopoulos and others 2023).
        """
        if not self._draws:
            return float(self.wrong + self.design.left @ self.belief.rates())
        total = 0.0
        for chance, left, rate, (number, is_wrong, found, _) in self._draws:
            total += found + left @ rate + (is_wrong - rate[number]) * left[number] / chance[number]
        return total / len(self._draws)


def _towards(start: int, end: int) -> IntArray:
    """Whole numbers from one to another, denser near the first."""
    steps = np.geomspace(1.0, abs(end - start) + 1.0, COARSE) - 1.0
    return np.asarray(start + np.sign(end - start) * np.round(steps).astype(np.int64))


def _log_factor(
    chance: FloatArray, scale: FloatArray, rate: FloatArray, remaining: IntArray, number: IntArray, is_wrong: IntArray
) -> FloatArray:
    """Logarithm of the factor of each draw for each number of errors that `remaining` says, float64 [t, m].

    `chance`, `scale` (of a bin's rows over its chance) and `rate` are [t, 1, K].
    """
    bet = _bets(chance, scale, rate, remaining)
    c, d = _parts(bet, scale, rate)
    mean = (chance * (1.0 - c + d)).sum(2) / 2 + bet * remaining
    chosen = np.broadcast_to(number[:, None, None], (*remaining.shape, 1))
    own, root = (np.take_along_axis(values, chosen, 2)[..., 0] for values in (c, d))
    factor = (1.0 + np.where(is_wrong[:, None] == 1, own, -own) + root) / 2
    # Whatever the bet, over its own mean the factor is 1 on average.
    return np.asarray(np.log(np.maximum(factor, 1e-300)) - np.log(mean))


def _parts(bet: FloatArray, scale: FloatArray, rate: FloatArray) -> tuple[AnyArray, AnyArray]:
    c = bet[..., None] * scale
    return c, np.sqrt(np.maximum((1.0 + c) ** 2 - 4.0 * rate * c, 0.0))


def _bets(chance: FloatArray, scale: FloatArray, rate: FloatArray, remaining: IntArray) -> FloatArray:
    """Bets l [t, m] for which the fastest factor has mean 1, nearly.

    That mean is convex in the bet, and 1 without a bet: Newton's method comes from beyond its other root.
    """
    slope = remaining - (chance * scale * rate).sum(2)
    curvature = 2.0 * (chance * scale**2 * rate * (1.0 - rate)).sum(2)
    bet = -2.0 * slope / curvature
    for _ in range(NEWTON):
        c, d = _parts(bet, scale, rate)
        excess = (chance * (d - c)).sum(2) / 2 - 0.5 + bet * remaining
        rise = (chance * scale * ((1.0 + c - 2.0 * rate) / np.maximum(d, 1e-12) - 1.0)).sum(2) / 2 + remaining
        beyond = rise * np.sign(bet) > 0
        # Before its least value the mean says nothing of the other root.
        bet = np.clip(np.where(beyond, bet - excess / np.where(beyond, rise, 1.0), 2.0 * bet), -1e6, 1e6)
    return np.asarray(bet)
