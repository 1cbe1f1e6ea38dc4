"""Counts over runs, one record at a time: memory O(n), whatever the number of runs."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from dataaudit.common.types import AnyArray, FloatArray
from dataaudit.holdout.plan import Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.summary import HoldoutScores

SPLITS = 4
"""Random splits of the runs into halves, over which the reliability is the mean."""
Z = 1.959963984540054
"""Standard normal quantile of .975."""


class Tally:
    """Counts of one subset ratio; 72 bytes an example.

    Errors of `related` consecutive runs are related, so that a split, drawn by `seed`, keeps these in one half.
    """

    def __init__(self, n: int, seed: int, related: int = 1) -> None:
        self.n, self.runs, self.missing_classes = n, 0, 0
        self._seed, self.related = seed, related
        self._held, self._correct = np.zeros(n, np.int32), np.zeros(n, np.int32)
        self._probability, self._squares = np.zeros(n), np.zeros(n)
        self._half_held = np.zeros((SPLITS, n), np.int32)
        self._half_correct = np.zeros((SPLITS, n), np.int32)
        self._half_probability = np.zeros((SPLITS, n), np.float32)

    def add(self, record: Record) -> None:
        """Count one more run, in any order of runs."""
        held, correct = record.unpacked(self.n)
        probability = np.zeros(self.n)
        probability[held] = record.probability
        self.runs += 1
        self.missing_classes += record.missing_classes > 0
        self._held += held
        self._correct += correct
        self._probability += probability
        self._squares += probability * probability
        for split in np.flatnonzero(self._in_first_half(record.run)):
            self._half_held[split] += held
            self._half_correct[split] += correct
            self._half_probability[split] += probability

    def _in_first_half(self, run: Run) -> AnyArray:
        """Membership of a run in the first half, bool [SPLITS]: of two neighbours one is in it, by chance which."""
        unit = run.number // self.related
        first = np.random.default_rng([self._seed, unit // 2, 2]).integers(2, size=SPLITS)
        return np.asarray((first + unit) % 2 == 0)

    def halves(self, probability: bool = False) -> tuple[AnyArray, AnyArray]:
        """Estimates from the two halves of every split, [SPLITS, n] each, NaN where never held out."""
        total, half = (
            (self._probability, self._half_probability) if probability else (self._correct, self._half_correct)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return half / self._half_held, (total - half) / (self._held - self._half_held)

    def scores(self) -> HoldoutScores:
        """Estimates so far."""
        k, x = self._held.astype(np.float64), self._correct.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            p = x / k
            mean = self._probability / k
            variance = np.maximum(self._squares / k - mean**2, 0) * k / (k - 1)
            probability_stderr = np.where(k > 1, np.sqrt(variance / k), np.nan)
            stderr = np.where((p == 0) | (p == 1), 0.5 / (k + 1), np.sqrt(p * (1 - p) / k))
        lower, upper = wilson(x, k)
        return HoldoutScores(
            values=p,
            stderr=stderr,
            lower=lower,
            upper=upper,
            holdouts=self._held.astype(np.int64),
            probability=mean,
            probability_stderr=probability_stderr,
            reliability=reliability(*self.halves()),
            probability_reliability=reliability(*self.halves(probability=True)),
        )


def integrated(tallies: list[Tally]) -> HoldoutScores:
    """Mean over subset ratios (the paper's integral C-score): NaN where one of them has no holdout.

    Errors of ratios that share subsets ("nested") are related: standard errors are then those of fully related
    ones, an upper bound, and otherwise those of independent ones. The interval is the normal one, within [0, 1].
    """
    each = [tally.scores() for tally in tallies]
    related = any(tally.related > 1 for tally in tallies)

    def error(parts: list[FloatArray]) -> FloatArray:
        stacked = np.stack(parts)
        total = stacked.sum(0) if related else np.sqrt((stacked**2).sum(0))
        return np.asarray(total / len(each))

    def halved(probability: bool) -> float:
        both = [tally.halves(probability) for tally in tallies]
        return reliability(np.mean([a for a, _ in both], axis=0), np.mean([b for _, b in both], axis=0))

    values = np.mean([scores.values for scores in each], axis=0)
    stderr = error([scores.stderr for scores in each])
    return HoldoutScores(
        values=values,
        stderr=stderr,
        lower=np.clip(values - Z * stderr, 0, 1),
        upper=np.clip(values + Z * stderr, 0, 1),
        holdouts=np.sum([scores.holdouts for scores in each], axis=0),
        probability=np.mean([scores.probability for scores in each], axis=0),
        probability_stderr=error([scores.probability_stderr for scores in each]),
        reliability=halved(False),
        probability_reliability=halved(True),
    )


def wilson(successes: FloatArray, trials: FloatArray) -> tuple[FloatArray, FloatArray]:
    """95 % Wilson score interval of a binomial share, [n] each; NaN without trials.

    >>> [ends.round(3).tolist() for ends in wilson(np.array([0.0, 8.0]), np.array([10.0, 10.0]))]
    [[0.0, 0.49], [0.278, 0.943]]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = successes / trials
        middle = (p + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
        half = Z / (1 + Z**2 / trials) * np.sqrt(p * (1 - p) / trials + Z**2 / (4 * trials**2))
    return np.where(successes == 0, np.where(trials > 0, 0.0, np.nan), middle - half), np.where(
        successes == trials, np.where(trials > 0, 1.0, np.nan), middle + half
    )


def reliability(first: AnyArray, second: AnyArray) -> float:
    """Split-half reliability: Spearman r between halves, corrected to the whole by 2r / (1 + r); mean over splits.

    Rows that are NaN in either half are left out; a correlation below 0 is not corrected. NaN where fewer than three
    rows remain, or a half is constant.
    """
    correlations = []
    for a, b in zip(first, second, strict=True):
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() < 3:
            continue
        x, y = rankdata(a[both]), rankdata(b[both])
        if np.ptp(x) > 0 and np.ptp(y) > 0:
            r = float(np.corrcoef(x, y)[0, 1])
            # Below 0 the correction says nothing but "none".
            correlations.append(2 * r / (1 + r) if r > 0 else r)
    return float(np.mean(correlations)) if correlations else float("nan")


def runs_needed(runs: int, reliable: float, target: float) -> float:
    """Runs after which the reliability reaches `target`, by Spearman-Brown; approximate for ranks.

    >>> round(runs_needed(100, 0.8, 0.95))
    475
    """
    if not 0 < reliable < 1:
        return float("inf") if not reliable >= 1 else float(runs)
    return runs * target * (1 - reliable) / (reliable * (1 - target))
