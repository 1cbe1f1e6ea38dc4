"""Any learner as a trial: train on some rows, predict the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.special import log_softmax

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import ModelError, rows
from dataaudit.holdout.base import FitPredict, Outcome
from dataaudit.learners.base import Learner

ROWS = 4096


@dataclass(frozen=True)
class LearnerTrial:
    """Trains a learner on some rows and predicts others; picklable where its model and data set are.

    Parameters
    ----------
    learner
        One whose every fit starts afresh.
    labels
        int64 [n].
    """

    learner: Learner
    labels: IntArray

    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """As `FitPredict`.

        Raises
        ------
        ModelError
            If logits are NaN or infinite.
        """
        fitted = self.learner.fit(train, seed, None, False)
        correct, probability = np.empty(len(held_out), bool), np.empty(len(held_out), np.float32)
        for start in range(0, len(held_out), ROWS):
            part = slice(start, start + ROWS)
            chosen = held_out[part]
            logits = _numbers(fitted.logits(chosen))
            bad = ~np.isfinite(logits).all(axis=1)
            if bad.any():
                raise ModelError(
                    f"NaN or infinite logits in {rows(chosen[bad])}", "finite ones", "lower the recipe's learning_rate"
                )
            given = self.labels[chosen]
            correct[part] = logits.argmax(axis=1) == given
            probability[part] = np.exp(log_softmax(logits, axis=1)[np.arange(len(given)), given])
        return Outcome(correct, probability)


def trial_of(learner: Learner, labels: IntArray) -> FitPredict:
    """Trial of a learner: its own where it has one that reuses work, otherwise one fit a run."""
    own = getattr(learner, "trial", None)
    return cast("FitPredict", own()) if own is not None else LearnerTrial(learner, labels)


def _numbers(logits: Any) -> AnyArray:
    return np.asarray(logits.cpu() if hasattr(logits, "cpu") else logits, np.float64)
