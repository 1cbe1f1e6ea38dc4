"""Curricula: training begins on a part of the examples, and the part grows."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import Literal, get_args

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.curriculum.base import ScoredExamples, check_share, elapsed

Pacing = Literal["linear", "sqrt", "step"]
PACINGS: tuple[Pacing, ...] = get_args(Pacing)


def competence(time: float, pacing: str, start: float, full: float, steps: int) -> float:
    """Share of the examples to train on at a `time` of 0 to 1 (Platanios et al. 2019, equations 6 and 7, or plateaus).

    >>> [round(competence(time, "linear", 0.2, 1.0, 4), 3) for time in (0.0, 0.5, 1.0)]
    [0.2, 0.6, 1.0]
    >>> [round(competence(time, "sqrt", 0.2, 1.0, 4), 3) for time in (0.0, 0.5, 1.0)]
    [0.2, 0.721, 1.0]
    """
    if time >= full:
        return 1.0
    passed = time / full
    if pacing == "sqrt":
        return sqrt(passed * (1.0 - start**2) + start**2)
    if pacing == "step":
        # A step that falls on an epoch must not be missed by a rounding error.
        passed = floor(passed * steps + 1e-9) / steps
    return start + (1.0 - start) * passed


@dataclass(frozen=True)
class _Paced:
    """Settings common to both directions."""

    pacing: Pacing = "sqrt"
    start: float = 0.2
    full: float = 0.5
    steps: int = 4

    def __post_init__(self) -> None:
        owner = type(self).__name__
        checks.choice(f"pacing={self.pacing!r} of {owner}", self.pacing, PACINGS, "a known one")
        check_share(owner, "start", self.start)
        check_share(owner, "full", self.full)
        checks.whole("steps", self.steps, 1, "pass steps=5", owner=owner)

    def _admit(self, order: IntArray, n: int, time: float) -> FloatArray:
        """1 for the first of `order`, as many as are due, 0 for the others in it, NaN outside it."""
        share = competence(time, self.pacing, self.start, self.full, self.steps)
        weight = np.full(n, np.nan)
        weight[order] = 0.0
        weight[order[: max(1, ceil(share * len(order) - 1e-9))]] = 1.0
        return weight


@dataclass(frozen=True)
class EasyToHard(_Paced):
    """Train on the most regular examples first, and on all in the end (competence-based curriculum).

    Parameters
    ----------
    pacing
        How the share of examples c grows with the time t, which is 0 in the first epoch and 1 in the last: "linear",
        c = start + (1 - start) t / full; "sqrt", c = sqrt(start**2 + (1 - start**2) t / full), whose growth slows so
        that each new example gets equal attention; "step", the linear line in `steps` plateaus.
    start
        Share of the examples in the first epoch, above 0 and at most 1.
    full
        Time at which all examples are in, above 0 and at most 1.
    steps
        Number of plateaus of "step" before all are in.

    Raises
    ------
    SettingError
        If a setting is not as described.

    Notes
    -----
    The most regular share c of the examples weighs 1, the rest 0. Platanios, Stretcu, Neubig, Poczos and Mitchell,
    *Competence-based curriculum learning for neural machine translation* (NAACL 2019), with the regularity score as
    (inverse) difficulty.

    Examples
    --------
    >>> import dataaudit
    >>> audit = dataaudit.score(None, ([[0.0], [0.1], [0.2], [5.0], [5.1], [0.3]], [0, 0, 0, 1, 1, 1]),
    ...     "parzen/input", progress=False)
    >>> audit.weights("easy_to_hard", epoch=0, total_epochs=5, start=0.5)
    array([2., 0., 0., 2., 2., 0.], dtype=float32)
    """

    name = "easy_to_hard"
    summary = "the most regular examples first, then more and more of them (competence-based curriculum)"

    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example: 1 for those that are in, 0 for the others; never falls with the score."""
        return self._admit(examples.easiest_first(), len(examples), elapsed(self.name, epoch, total_epochs))


@dataclass(frozen=True)
class HardToEasy(_Paced):
    """Train on the least regular examples first, and on all in the end (anti-curriculum).

    Parameters
    ----------
    pacing, start, full, steps
        As in `EasyToHard`.

    Raises
    ------
    SettingError
        If a setting is not as described.

    Notes
    -----
    The control of Wu, Dyer and Neyshabur, *When do curricula work?* (ICLR 2021). Label errors are among the least
    regular examples, so that it begins with them.
    """

    name = "hard_to_easy"
    summary = "the least regular examples first, then more and more of them (anti-curriculum)"

    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example: 1 for those that are in, 0 for the others; never rises with the score."""
        return self._admit(examples.easiest_first()[::-1], len(examples), elapsed(self.name, epoch, total_epochs))
