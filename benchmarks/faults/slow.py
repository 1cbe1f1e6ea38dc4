"""A classifier that takes its time, so that there are moments to kill it in."""

from __future__ import annotations

import os
import time
from typing import Any

from sklearn.naive_bayes import GaussianNB

DELAY = "FAULTS_DELAY"
"""Environment variable with the seconds of a fit; none without."""


class SlowBayes(GaussianNB):  # type: ignore[misc]
    """Naive Bayes whose fits wait where the environment says so."""

    def fit(self, inputs: Any, labels: Any) -> Any:
        """Wait, and fit."""
        time.sleep(float(os.environ.get(DELAY, 0)))
        return super().fit(inputs, labels)
