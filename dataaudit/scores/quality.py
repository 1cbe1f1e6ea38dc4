"""Agreement of the given label with training, once the label noise between classes is taken into account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common import checks
from dataaudit.evidence.base import Evidence, Need
from dataaudit.labels.noise import noise_rates
from dataaudit.labels.posterior import label_posterior
from dataaudit.scores.base import Scores


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
            action = f"pass {field}={getattr(LabelQuality, field)}"
            share = checks.number(field, getattr(self, field), 0, 1, "neither", "a share between 0 and 1", action)
            object.__setattr__(self, field, share)

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
        seen = dynamics.seen > 0
        noise = noise_rates(dynamics, labels, classes, seen)
        posterior = label_posterior(dynamics, labels, classes, noise, self.structure, self.floor).posterior
        return Scores(np.where(seen, posterior - dynamics.mean_el2n, np.nan), dynamics.mean_margin)


label_quality = LabelQuality()
