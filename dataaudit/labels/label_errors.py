"""From beliefs to decisions: how many labels are wrong, which, and what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities, blocks
from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.labels import count
from dataaudit.labels.calibration import CALIBRATION, Signs
from dataaudit.labels.combine import likeliest
from dataaudit.labels.noise import noise_rates
from dataaudit.labels.posterior import CONSTANTS, LabelPosterior, consensus_values, label_posterior

MOST_CLASSES = 2048
"""Most classes for which tables of all pairs are made (32 MiB each); beyond, the confident joint stands for
all estimates of pairs."""

MOST_PAIRS = 4096
"""Pairs of classes that are kept, the most frequent first."""

SMALLEST = 1e-6

LEAST = 1e-3
"""Smallest probability of a given label, for their mean loss."""

RAREST = 1e-12
"""Smallest share of wrong labels that is told from none."""

VACUOUS = 0.5
"""Upper bound from which on an interval that begins at none says nothing."""

FLOOR = 0.5
"""Least probability at which a label is flagged where nothing else is asked for."""

CAUTION = 0.6
"""How cautiously errors are counted where a precision is asked for, see `cautious`; by
benchmarks/peers/bed/probabilities.py."""

CONTRADICTED = "contradicted by every source"
"""Name of the estimate that stands beside the median of the others."""


@dataclass(frozen=True)
class Vote:
    """Labels of each example's nearest neighbours.

    Attributes
    ----------
    same
        How many carry the example's own label, int64 [n].
    leading, votes
        The class that most of them carry, int64 [n], and how many, int64 [n].
    depth
        Number of neighbours.
    space
        Representation they are near in.
    """

    same: IntArray
    leading: IntArray
    votes: IntArray
    depth: int
    space: str


@dataclass(frozen=True)
class LabelErrors:
    """What is known about label errors.

    Attributes
    ----------
    probability
        Probability that the given label is wrong, float64 [n], NaN where nothing is known; they add up to the
        estimated number of errors, or only rank where that is not known.
    rival
        The likeliest other class, int64 [n].
    rate, lower, upper
        Estimated share of wrong labels, with a 95 % interval; NaN, 0 and 1 where it is not known.
    estimates
        The estimates behind it, by name.
    pairs
        (true class, given label), int64 [p, 2], the most frequent first.
    counts
        Estimated number of examples of each pair, float64 [p]; NaN where the rate is not known.
    independent
        Whether the rate comes from beliefs that never saw the example's own label.
    vote
        Labels of the nearest neighbours, or None.
    unknown
        Why the rate is not known, in words; empty where it is.
    """

    probability: FloatArray
    rival: IntArray
    rate: float
    lower: float
    upper: float
    estimates: dict[str, float]
    pairs: IntArray
    counts: FloatArray
    independent: bool
    vote: Vote | None = None
    unknown: str = ""

    @property
    def known(self) -> bool:
        """Whether the rate is known."""
        return not self.unknown


def estimate_label_errors(
    believed: CombinedProbabilities, labels: IntArray, classes: int, vote: Vote | None = None, by_heart: str = ""
) -> LabelErrors:
    """Estimate the rate of label errors and the probability of each.

    There are several estimates of the rate: a strict confident joint; the mean posterior after one step of
    expectation-maximisation; and, where some beliefs never saw the example's label, planted errors at two levels, with
    all estimates from those beliefs (beliefs that saw the label would give planted errors away). The rate lies halfway,
    in logarithms, between their median and the share of labels that every source contradicts with one class, and is
    moved a little by the mean loss of the labels. Its interval is what such estimates were off by where the truth was
    known, see `dataaudit.labels.calibration`; beliefs that are too weak to count by give none. Posterior log-odds from
    all beliefs, times what odds were worth in such cases, are then shifted until the probabilities add up to the rate,
    and the probabilities are given out in the order of the consensus score.

    Parameters
    ----------
    believed
        Probabilities of the classes.
    labels
        Given labels, int64 [n].
    classes
        Number of classes C.
    vote
        Labels of the nearest neighbours, to be kept.
    by_heart
        Why a model that was trained on the labels hides their errors, in words. Beside beliefs that never saw them it
        may.
    """
    beliefs, outside, known = believed.shares, believed.outside, believed.known
    noise = noise_rates(beliefs, labels, classes, known)
    found = label_posterior(beliefs, labels, classes, noise, CONSTANTS.structure, CONSTANTS.floor)
    source = beliefs if outside is None else outside
    apart = noise if outside is None or outside is beliefs else noise_rates(outside, labels, classes, known)
    estimates = {"confident joint": count.by_joint(apart, labels)}
    if classes <= MOST_CLASSES:
        moved = count.transition(apart, labels, classes)
        wrong, pairs = count.true_classes(source, labels, classes, moved)
        estimates["posterior"] = float(wrong[known].mean())
        if outside is not None:
            planted = count.by_planting(outside, labels, classes, moved)
            names = (f"planted, level {level}" for level in count.LEVELS)
            estimates |= dict(zip(names, planted.tolist(), strict=True))
        cells = np.flatnonzero(pairs.ravel())
        sizes = pairs.ravel()[cells]
    else:
        clear = apart.truly >= 0
        cells, sizes = np.unique(apart.truly[clear] * classes + labels[clear], return_counts=True)
    n = int(known.sum())
    contradicted = float(believed.contradicted[known].mean())
    signs = signs_of(source, labels, known, tuple(estimates.values()), contradicted, outside is not None)
    estimates[CONTRADICTED] = contradicted
    unknown = too_weak(source, labels, known, signs) or (by_heart if outside is None else "")
    rate, lower, upper = CALIBRATION.estimate(signs)
    unknown = unknown or too_wide(lower, upper)
    if unknown:
        rate, lower, upper = np.nan, 0.0, 1.0
    odds = log_odds(found)[known] * CALIBRATION.factor(signs)
    probability = np.full(len(labels), np.nan)
    order = suspicion(found, known)
    given_out = np.empty(n)
    if unknown:
        given_out[order] = -np.sort(-expit(odds))
    else:
        # Where no label seems wrong, probabilities are next to nothing, and still rank.
        given_out[order] = -np.sort(-adding_up(odds, max(rate, RAREST)))
    probability[known] = given_out
    other = cells // classes != cells % classes
    cells, sizes = cells[other], sizes[other].astype(np.float64)
    largest = np.argsort(-sizes, kind="stable")[:MOST_PAIRS]
    cells, sizes = cells[largest], sizes[largest] * (rate * n / max(sizes.sum(), 1e-12))
    return LabelErrors(
        probability,
        found.rival,
        rate,
        lower,
        upper,
        estimates,
        np.stack([cells // classes, cells % classes], axis=1).astype(np.int64),
        sizes,
        outside is not None,
        vote,
        unknown,
    )


def log_odds(found: LabelPosterior) -> FloatArray:
    """Log odds that given labels are wrong, float64 [n]."""
    return np.asarray(-logit(np.clip(found.posterior, SMALLEST, 1.0 - SMALLEST)))


def suspicion(found: LabelPosterior, known: BoolArray) -> IntArray:
    """Places among the known examples, the least consistent first, int64 [known]."""
    return np.lexsort((found.margin[known], consensus_values(found, CONSTANTS)[known]))


def cautious(probability: FloatArray, rate: float, lower: float, caution: float) -> FloatArray:
    """Error probabilities as they would be if fewer labels were wrong, float64 [n].

    Parameters
    ----------
    probability
        float64 [n], adding up to rate x n.
    rate, lower
        Estimated share of wrong labels, and the lower bound of its interval; half an example counts for less.
    caution
        From 0, as many labels are wrong as estimated, to 1, as many as the lower bound says; between them on a
        logarithmic scale.
    """
    if rate <= RAREST:
        return probability
    # Where there may be none, half an example is the lowest that is told from it.
    least = min(max(lower, 0.5 / max(len(probability), 1)), rate)
    fewer = float(np.exp((1.0 - caution) * np.log(rate) + caution * np.log(least)))
    # Next to nothing and next to 1 stay what they are.
    return adding_up(logit(np.clip(probability, RAREST, 1.0 - np.finfo(float).eps)), fewer)


def signs_of(
    source: ClassProbabilities,
    labels: IntArray,
    known: BoolArray,
    estimates: Sequence[float],
    contradicted: float,
    independent: bool,
) -> Signs:
    """What can be seen of estimates without knowing the truth.

    Parameters
    ----------
    source
        Beliefs that the estimates come from.
    labels
        Given labels, int64 [n].
    known
        Examples that something is known about, bool [n].
    estimates
        Shares of wrong labels.
    contradicted
        Share of the labels that every source contradicts.
    independent
        Whether the beliefs never saw the example's label.
    """
    size = max(int(known.sum()), 1)
    differ = float((likeliest(source) != labels)[known].sum()) / size
    return Signs(tuple(estimates), contradicted, differ, mean_loss(source, labels, known), size, independent)


def mean_loss(source: ClassProbabilities, labels: IntArray, known: BoolArray) -> float:
    """Mean of minus the logarithm of the given label's probability, which counts as `LEAST` at least, nats."""
    own = np.empty(len(labels))
    for rows in blocks(len(labels), source.total):
        probability = source.dense(rows)
        own[rows] = probability[np.arange(len(probability)), labels[rows]]
    return float(-np.log(np.maximum(own[known], LEAST)).sum()) / max(int(known.sum()), 1)


def too_weak(source: ClassProbabilities, labels: IntArray, known: BoolArray, signs: Signs) -> str:
    """Why beliefs are too weak to count label errors by, in words; empty where they are not."""
    if not has_skill(source, labels, known):
        return "nothing that was computed predicts labels better than their most frequent class does"
    if signs.disagreement > CALIBRATION.most:
        return (
            f"the model disagrees with {signs.disagreement:.0%} of the labels: it is too weak, or they are too bad, "
            "to count errors by"
        )
    return ""


def too_wide(lower: float, upper: float) -> str:
    """Why an interval says nothing, in words; empty where it does."""
    if lower > 0 or upper < VACUOUS:
        return ""
    return f"by what can be seen anything from none to {upper:.0%} of the labels may be wrong"


def has_skill(beliefs: ClassProbabilities, labels: IntArray, known: BoolArray) -> bool:
    """Whether beliefs agree with more labels than their largest class does, by two standard errors."""
    agree = (likeliest(beliefs) == labels)[known].mean()
    largest = np.bincount(labels[known]).max() / known.sum()
    return bool(agree > largest + 2.0 * np.sqrt(largest * (1.0 - largest) / known.sum()))


def adding_up(odds: FloatArray, rate: float) -> FloatArray:
    """Probabilities with the log-odds `odds` [n], shifted so that their mean is `rate`."""
    low, high = -60.0 - float(odds.max(initial=0.0)), 60.0 - float(odds.min(initial=0.0))
    for _ in range(100):
        middle = (low + high) / 2
        if expit(odds + middle).mean() < rate:
            low = middle
        else:
            high = middle
    return np.asarray(expit(odds + high))
