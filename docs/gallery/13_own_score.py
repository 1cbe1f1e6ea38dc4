"""
A score of your own
===================

A score names the evidence that it needs, and gives a value to each example. Higher means more regular. An object like
this one works without any registration.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import dataaudit
from dataaudit.evidence.base import Evidence, Need
from dataaudit.scores.base import Scores

digits = load_digits()
inputs, labels = (digits.data / 16).astype(np.float32), digits.target


@dataclass(frozen=True)
class LastConfidence:
    """Probability of the label at the end of training."""

    name: str = "last_confidence"
    summary: str = "probability of the label at the end of training"
    needs: tuple[Need, ...] = (Need.PREDICTIONS,)

    def score(self, evidence: Evidence) -> Scores:
        """Score all examples."""
        return Scores(evidence.predictions.confidence.astype(np.float64))


model = dataaudit.networks.build("mlp", input_shape=(64,), classes=10)
audit = dataaudit.score(model, (inputs, labels), [LastConfidence(), "consensus"], progress=False)
audit.scores.head()

# %%
# Our score stands beside the default one, and may be asked for by its name.

print(audit.ranking("last_confidence")[:10])
figure, ax = plt.subplots(layout="constrained")
ax.plot(audit.scores["last_confidence"], audit.scores["consensus"], ".", alpha=0.4)
ax.set(xlabel="last_confidence (ours)", ylabel="consensus")
