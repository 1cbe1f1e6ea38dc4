"""One score from everything that was computed about classes: training dynamics, held-out predictions, neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.probabilities import ClassProbabilities
from dataaudit.common.types import BoolArray, IntArray
from dataaudit.evidence.base import Evidence, Need
from dataaudit.labels.noise import noise_rates
from dataaudit.labels.posterior import CONSTANTS, Constants, consensus_values, label_posterior
from dataaudit.scores.base import Scores


@dataclass(frozen=True)
class Consensus:
    """Posterior of the given label by all sources together, minus their EL2N, plus shares of margin and log odds.

    The sources (mean probabilities over epochs, held-out predictions, the labels of the nearest neighbours) are
    multiplied with exponents and normalised; Bayes' rule with the noise found between classes gives the posterior, as
    in `dataaudit.scorers.LabelQuality`. Exponents were fixed by tables over several data sets
    (benchmarks/peers/constants.py); among sources that never saw the label they follow what each shows on the data at
    hand, see `dataaudit.labels.stacking`. The audit's settings record them as "consensus".

    Parameters
    ----------
    name
        Column name.
    """

    name: str = "consensus"

    @property
    def summary(self) -> str:
        """One line."""
        return "probability that the label is right by dynamics, held-out predictions and neighbours together"

    @property
    def needs(self) -> frozenset[Need]:
        """Combined probabilities, from whatever the model and the data set allow."""
        return frozenset({Need.CONSENSUS})

    def score(self, evidence: Evidence) -> Scores:
        """Values [n], at most 2.3; ties by the margin of the probabilities; NaN where an example was never seen."""
        combined, labels, classes = evidence.combined, evidence.labels, len(evidence.class_names)
        assert combined is not None
        return consensus_scores(combined.probabilities, labels, classes, combined.known)


def consensus_scores(
    combined: ClassProbabilities, labels: IntArray, classes: int, known: BoolArray, constants: Constants = CONSTANTS
) -> Scores:
    """Values and ties of the consensus, [n], from the combined probabilities; NaN where not `known` (bool [n])."""
    noise = noise_rates(combined, labels, classes, known)
    posterior = label_posterior(combined, labels, classes, noise, constants.structure, constants.floor)
    return Scores(np.where(known, consensus_values(posterior, constants), np.nan), posterior.margin)


consensus = Consensus()
