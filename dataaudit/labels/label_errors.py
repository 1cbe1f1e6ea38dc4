"""Label errors: how many labels are wrong, which, and what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities
from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.labels import count
from dataaudit.labels.calibration import CALIBRATION, Signs
from dataaudit.labels.combine import likeliest
from dataaudit.labels.noise import NoiseRates, noise_rates, own_probability
from dataaudit.labels.posterior import CONSTANTS, LabelPosterior, consensus_values, label_posterior

MOST_CLASSES = 2048
"""Most classes for which tables of all pairs are filled (32 MiB each); beyond, the confident joint stands for
all estimates of pairs."""

MOST_PAIRS = 4096
"""Pairs of classes that are kept, the most frequent first."""

SMALLEST = 1e-6

LEAST = 1e-3
"""Smallest probability of a given label, for their mean loss."""

RAREST = 1e-12
"""Smallest share of wrong labels that is distinguished from none."""

VACUOUS = 0.5
"""Upper bound from which an interval that begins at none says nothing."""

FLOOR = 0.5
"""Least probability at which a label is flagged by default."""

CAUTION = 0.6
"""Caution in counting where a precision is requested, see `cautious`; by benchmarks/peers/bed/probabilities.py."""

CONTRADICTED = "contradicted by every source"
"""Name of the estimate that stands beside the median of the others."""


@dataclass(frozen=True)
class Vote:
    """Labels of each example's `depth` nearest neighbours in the representation `space`."""

    same: IntArray
    """Number that carry the example's own label, int64 [n]."""
    leading: IntArray
    """Class that most of them carry, int64 [n]."""
    votes: IntArray
    """Number that carry that class, int64 [n]."""
    depth: int
    space: str


@dataclass(frozen=True)
class LabelErrors:
    """Estimated label errors of n examples.

    Attributes
    ----------
    probability
        Probability that the given label is wrong, float64 [n], NaN where nothing is known; they add up to the
        estimated number of errors, or only rank where that is not known.
    rival
        The likeliest other class, int64 [n]; -1 where nothing is known.
    rate, lower, upper
        Estimated share of wrong labels, with a 95 % interval; NaN, 0 and 1 where it is not known.
    estimates
        The estimates behind it, by name.
    pairs
        (true class, given label), int64 [p, 2], the most frequent first.
    counts
        Estimated number of examples of each pair, float64 [p]; NaN where the rate is not known.
    independent
        Whether the rate comes from probabilities that never saw the example's own label.
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
        """True where the rate is known."""
        return not self.unknown


@dataclass(frozen=True)
class _Counted:
    """Estimates of the rate by name, and the largest pairs (true class x C + given label) [p] with their sizes [p]."""

    estimates: dict[str, float]
    pairs: IntArray
    sizes: FloatArray
    total: float
    """Size of all pairs."""


def estimate_label_errors(
    combined: CombinedProbabilities,
    labels: IntArray,
    classes: int,
    vote: Vote | None = None,
    memorised: str = "",
    most_classes: int = MOST_CLASSES,
) -> LabelErrors:
    """Estimate the rate of label errors and the probability of each.

    There are several estimates of the rate: a strict confident joint; the mean posterior after one step of
    expectation-maximisation; and, where some probabilities never saw the example's label, planted errors at two levels,
    with all estimates from those probabilities (those that saw the label would give planted errors away). The rate lies
    halfway, in logarithms, between their median and the share of labels that every source contradicts with one class,
    and is moved a little by the mean loss of the labels. Its interval is what such estimates were off by where the
    truth was known, see `dataaudit.labels.calibration`; probabilities that are too weak to count by give none.
    Posterior log odds from all sources, times what odds were worth in such cases, are then shifted until the
    probabilities add up to the rate, and the probabilities are given out in the order of the consensus score.

    Examples that nothing is known about play no part. The `vote` of the nearest neighbours is kept. `memorised` says in
    words why a model that was trained on the labels hides their errors; beside probabilities that never saw them it
    may. Of more than `most_classes` the joint counts alone: other estimates take tables of classes by classes.
    """
    known, outside = combined.known, combined.outside
    if not known.all():
        seen = np.flatnonzero(known)
        alone = estimate_label_errors(combined.among(seen), labels[seen], classes, vote, memorised, most_classes)
        probability, rival = np.full(len(labels), np.nan), np.full(len(labels), -1)
        probability[seen], rival[seen] = alone.probability, alone.rival
        return replace(alone, probability=probability, rival=rival)
    noise = noise_rates(combined.probabilities, labels, classes)
    posterior = label_posterior(combined.probabilities, labels, classes, noise, CONSTANTS.structure, CONSTANTS.floor)
    source = combined.probabilities if outside is None else outside
    if source is not combined.probabilities:
        noise = noise_rates(source, labels, classes)
    counted = _count(source, noise, labels, classes, outside is not None, most_classes)
    contradicted = float(combined.contradicted.mean())
    signs = signs_of(source, labels, known, list(counted.estimates.values()), contradicted, outside is not None)
    rate, lower, upper = CALIBRATION.estimate(signs)
    unknown = too_weak(source, labels, known, signs) or (memorised if outside is None else "") or too_wide(lower, upper)
    if unknown:
        rate, lower, upper = np.nan, 0.0, 1.0
    odds = log_odds(posterior) * CALIBRATION.factor(signs)
    # Where no label seems wrong, probabilities are next to nothing, and still rank.
    falling = -np.sort(-(expit(odds) if unknown else adding_up(odds, max(rate, RAREST))))
    probability = np.empty(len(labels))
    probability[suspicion(posterior, known)] = falling
    true, given = np.divmod(counted.pairs, classes)
    return LabelErrors(
        probability,
        posterior.rival,
        rate,
        lower,
        upper,
        {**counted.estimates, CONTRADICTED: contradicted},
        np.stack([true, given], axis=1).astype(np.int64),
        counted.sizes * (rate * len(labels) / max(counted.total, 1e-12)),
        outside is not None,
        vote,
        unknown,
    )


def _count(
    source: ClassProbabilities,
    noise: NoiseRates,
    labels: IntArray,
    classes: int,
    independent: bool,
    most_classes: int,
) -> _Counted:
    """Estimate the share of wrong labels in several ways, and the confused pairs of different classes."""
    estimates = {"confident joint": count.by_joint(noise, labels)}
    if classes <= most_classes:
        moved = count.transition(noise, labels, classes)
        wrong, table = count.true_classes(source, labels, classes, moved)
        estimates["posterior"] = float(wrong.mean())
        if independent:
            planted = count.by_planting(source, labels, classes, moved)
            names = (f"planted, level {level}" for level in count.LEVELS)
            estimates |= dict(zip(names, planted.tolist(), strict=True))
        del moved
        np.fill_diagonal(table, 0.0)
        sizes = table[table > 0]
        total, cut = float(sizes.sum()), max(0, len(sizes) - MOST_PAIRS)
        # Only the largest are looked at by position: the table may have millions.
        least = np.partition(sizes, cut)[cut] if len(sizes) else np.inf
        pairs = np.flatnonzero(table >= least)
        sizes = table.ravel()[pairs]
    else:
        clear = noise.truly >= 0
        pairs, counts = np.unique(noise.truly[clear] * classes + labels[clear], return_counts=True)
        other = pairs // classes != pairs % classes
        pairs, sizes = pairs[other], counts[other].astype(np.float64)
        total = float(sizes.sum())
    largest = np.argsort(-sizes, kind="stable")[:MOST_PAIRS]
    return _Counted(estimates, pairs[largest], sizes[largest], total)


def log_odds(posterior: LabelPosterior) -> FloatArray:
    """Log odds that given labels are wrong, float64 [n]."""
    return np.asarray(-logit(np.clip(posterior.posterior, SMALLEST, 1.0 - SMALLEST)))


def suspicion(posterior: LabelPosterior, known: BoolArray) -> IntArray:
    """Positions among the known examples, the least consistent first, int64 [known]."""
    return np.lexsort((posterior.margin[known], consensus_values(posterior, CONSTANTS)[known]))


def cautious(probability: FloatArray, rate: float, lower: float, caution: float) -> FloatArray:
    """Error probabilities as they would be if fewer labels were wrong, float64 [n].

    They add up to `rate` x n before. `caution` goes from 0, as many labels are wrong as estimated, to 1, as many as the
    lower bound of the interval says, or half an example where that is less; between them on a logarithmic scale.
    """
    if rate <= RAREST:
        return probability
    # Where there may be none, half an example is the least that is distinguished from it.
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
    """Signs of how good `estimates` are that come from the probabilities `source`; see `Signs`."""
    size = max(int(known.sum()), 1)
    differ = float((likeliest(source) != labels)[known].sum()) / size
    loss = float(-np.log(np.maximum(own_probability(source, labels, source.total)[known], LEAST)).sum()) / size
    return Signs(tuple(estimates), contradicted, differ, loss, size, independent)


def too_weak(source: ClassProbabilities, labels: IntArray, known: BoolArray, signs: Signs) -> str:
    """Reason why probabilities are too weak to count label errors by; empty where they are not."""
    if not has_skill(source, labels, known):
        return "nothing that was computed predicts labels better than their most frequent class does"
    if signs.disagreement > CALIBRATION.most:
        return (
            f"the model disagrees with {signs.disagreement:.0%} of the labels: it is too weak, or they are too bad, "
            "to count errors by"
        )
    return ""


def too_wide(lower: float, upper: float) -> str:
    """Reason why an interval says nothing; empty where it does."""
    if lower > 0 or upper < VACUOUS:
        return ""
    return f"by what can be seen anything from none to {upper:.0%} of the labels may be wrong"


def has_skill(source: ClassProbabilities, labels: IntArray, known: BoolArray) -> bool:
    """Test whether probabilities agree with more labels than their largest class does, by two standard errors."""
    agree = (likeliest(source) == labels)[known].mean()
    largest = np.bincount(labels[known]).max() / known.sum()
    return bool(agree > largest + 2.0 * np.sqrt(largest * (1.0 - largest) / known.sum()))


def adding_up(odds: FloatArray, rate: float) -> FloatArray:
    """Probabilities with the log odds `odds` [n], shifted so that their mean is `rate`."""
    low, high = -60.0 - float(odds.max(initial=0.0)), 60.0 - float(odds.min(initial=0.0))
    for _ in range(100):
        middle = (low + high) / 2
        if expit(odds + middle).mean() < rate:
            low = middle
        else:
            high = middle
    return np.asarray(expit(odds + high))
