"""How well the given label agrees with training, once the label noise between classes is taken into account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.dynamics.summary import Dynamics
from dataaudit.errors import SettingError
from dataaudit.evidence import Evidence, Need
from dataaudit.scoring.base import Scores
from dataaudit.types import AnyArray, FloatArray, IntArray

PRIOR_COUNT = 20
"""Examples without any confusion that every class is taken to have besides its own."""

BLOCK = 65536


@dataclass(frozen=True)
class NoiseRates:
    """Share of each class's examples that carry another class's label, by (class, given label).

    Attributes
    ----------
    keys
        Pairs with a rate, as class x C + given label, rising, int64 [u].
    rates
        Their rates, float64 [u]; every other pair has rate 0.
    background
        Median rate over all pairs of different classes.
    """

    keys: IntArray
    rates: FloatArray
    background: float

    def between(self, classes: IntArray, given: IntArray, total: int) -> FloatArray:
        """Rates of the pairs (classes, given), any shape; 0 for a class of -1."""
        wanted = np.where(classes >= 0, classes * total + given, -1)
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[place] == wanted, self.rates[place], 0.0)


def noise_rates(dynamics: Dynamics, labels: IntArray, classes: int) -> NoiseRates:
    """Estimate label noise between classes by a strict confident joint (after Northcutt, Jiang, Chuang 2021).

    An example counts as truly of class k if its mean probability of k reaches that of a clear member of k: the
    mean over the examples labelled k that are themselves above the mean of all examples labelled k. (The plain
    mean, as in confident learning, counts look-alike classes as noise while the model is still unsure.) Among
    several such classes the most probable one counts. O(n) memory, whatever the number of classes.
    """
    seen = dynamics.seen > 0
    confidence = np.where(seen, dynamics.mean_confidence, 0.0)
    clear = seen
    for _ in range(2):
        size = np.bincount(labels[clear], minlength=classes)
        threshold = np.bincount(labels[clear], weights=confidence[clear], minlength=classes) / np.maximum(size, 1)
        # Rounding must not put a mean above values that are all equal.
        clear = seen & (confidence >= threshold[labels] - 1e-9)
    threshold[size == 0] = np.inf
    truly = np.full(len(labels), -1, np.int64)
    for start in range(0, len(labels), BLOCK):
        rows = slice(start, start + BLOCK)
        candidates, probability = dynamics.probabilities(rows)
        reached = (candidates >= 0) & (probability >= threshold[candidates])
        best = np.where(reached, probability, -1.0).argmax(1)
        found = np.take_along_axis(candidates, best[:, None], 1)[:, 0]
        truly[rows] = np.where(reached.any(1), found, -1)
    truly[~seen] = -1
    certain = truly >= 0
    total = np.bincount(truly[certain], minlength=classes)
    keys, counts = np.unique(truly[certain] * classes + labels[certain], return_counts=True)
    rates = counts / (total[keys // classes] + PRIOR_COUNT)
    if len(keys) == 0:
        keys, rates = np.array([-2]), np.zeros(1)
    different = (keys // classes) != (keys % classes)
    return NoiseRates(keys, rates, _median(rates[different & (keys >= 0)], classes * (classes - 1)))


def _median(values: AnyArray, total: int) -> float:
    """Median of `values` and as many zeros as make them `total`."""
    rising = np.sort(values)
    zeros = total - len(rising)
    middle = [(total - 1) // 2, total // 2]
    return float(np.mean([rising[place - zeros] if place >= zeros else 0.0 for place in middle]))


@dataclass(frozen=True)
class LabelQuality:
    """Posterior of the given label minus its mean EL2N: the score that ranks by default.

    With P the mean softmax over epochs, y the given label, T[k, y] the estimated share of class k labelled y
    and m the median of T over pairs of different classes::

        score = posterior - mean EL2N
        posterior = a[y] P[y] / (a[y] P[y] + sum over k != y of w[k, y] P[k])
        a[y] = T[y, y] + floor
        w[k, y] = floor + m + x^5 / (x^4 + structure^4),  x = max(T[k, y] - m, 0)

    The posterior is Bayes' rule with T as the noise. Rates near the background are those of classes that look
    alike, and are levelled; a rate far above it is noise with a structure, and makes its rival class count.
    EL2N, which assumes nothing about the noise, keeps the sum sound where T is poorly known (few examples).

    Parameters
    ----------
    structure
        Rate above the background from which a pair of classes counts as confused by labelling, in (0, 1).
    floor
        Share of label errors between any two classes that is always allowed for, in (0, 1).
    name
        Column name.
    """

    structure: float = 0.07
    floor: float = 0.02
    name: str = "label_quality"

    def __post_init__(self) -> None:
        for field in ("structure", "floor"):
            value = getattr(self, field)
            if not isinstance(value, (int, float)) or not 0 < value < 1:
                raise SettingError(f"{field}={value!r}", "a share between 0 and 1", f"pass LabelQuality({field}=...)")

    @property
    def summary(self) -> str:
        """One line."""
        return "probability that the label is right, given the noise found between classes, minus the mean EL2N"

    @property
    def needs(self) -> frozenset[Need]:
        """Training dynamics."""
        return frozenset({Need.DYNAMICS})

    def score(self, evidence: Evidence) -> Scores:
        """Posterior minus mean EL2N [n]: at most 1; ties by mean margin; NaN where an example was never seen."""
        dynamics, labels, classes = evidence.dynamics, evidence.labels, len(evidence.class_names)
        assert dynamics is not None
        noise = noise_rates(dynamics, labels, classes)
        base = self.floor + noise.background
        values = np.empty(len(labels))
        for start in range(0, len(labels), BLOCK):
            rows = slice(start, start + BLOCK)
            given = labels[rows]
            candidates, probability = dynamics.probabilities(rows)
            rival = (candidates >= 0) & (candidates != given[:, None])
            excess = np.maximum(noise.between(candidates, given[:, None], classes) - noise.background, 0.0)
            weight = base + excess**5 / (excess**4 + self.structure**4)
            mass = np.where(rival, probability, 0.0)
            own = dynamics.mean_confidence[rows]
            # A sketch of the class means leaves out the least likely classes: they count at the floor.
            rest = np.maximum(1.0 - own - mass.sum(1), 0.0)
            right = (noise.between(given, given, classes) + self.floor) * own
            posterior = right / (right + (weight * mass).sum(1) + base * rest)
            values[rows] = posterior - dynamics.mean_el2n[rows]
        values[dynamics.seen == 0] = np.nan
        return Scores(values, dynamics.mean_margin)


label_quality = LabelQuality()
