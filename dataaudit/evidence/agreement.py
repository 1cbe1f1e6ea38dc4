"""Shares of the labels that a model agrees with: trained on them, shown them mirrored, and held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.dynamics.summary import Dynamics, Predictions

ROWS = 2000
"""Most examples that are shown mirrored."""

MEMORISED = 0.5
"""Share, of the labels that a model would not give unless trained on them, that it agrees with: more makes a note."""

MOST = 0.9
"""Share of all labels that a model which memorises them agrees with at least; one that was trained briefly agrees with
fewer, and folds, on which it is trained for fewer steps, may be far below that."""


SHARES = ("trained", "augmented", "held_out")
"""Fields of `Agreement` that settings keep."""


@dataclass(frozen=True)
class Agreement:
    """Shares of the labels that are a model's own predictions; None where that was not looked at.

    Attributes
    ----------
    trained
        At the end of training, on the examples as they are.
    augmented
        At the end of training, on mirror images that it was not trained on.
    held_out
        By models that were not trained on the example.
    complete
        Whether all was looked at that was going to be.
    """

    trained: float | None = None
    augmented: float | None = None
    held_out: float | None = None
    complete: bool = True

    @property
    def memorised(self) -> float:
        """Share of the labels that it agrees with among those that it does not give to what it was not trained on.

        0 where nothing tells.
        """
        others = [share for share in (self.augmented, self.held_out) if share is not None]
        if self.trained is None or not others or max(others) >= 1.0:
            return 0.0
        return max(0.0, (self.trained - max(others)) / (1.0 - max(others)))

    def to_dict(self) -> dict[str, float]:
        """Shares that were looked at, as JSON values."""
        return {name: round(share, 4) for name in SHARES if (share := getattr(self, name)) is not None}

    def __str__(self) -> str:
        """Those that were looked at, in words; empty if none was."""
        seen = (
            (self.trained, "those it was trained on"),
            (self.augmented, "their mirror images"),
            (self.held_out, "those held out from it"),
        )
        return ", ".join(f"{share:.1%} of {which}" for share, which in seen if share is not None)

    def memorised_reason(self) -> str:
        """That the model memorises labels, or may as far as was looked, in words; empty where nothing tells so."""
        if self.trained is None or self.trained < MOST:
            return ""
        if not self.complete and self.augmented is None and self.held_out is None:
            return (
                f"the model agrees with {self.trained:.0%} of the labels it was trained on, and the run was "
                "interrupted before it was looked at whether it memorises them"
            )
        if self.memorised <= MEMORISED:
            return ""
        seen = (self.augmented, "their mirror images"), (self.held_out, "those held out from it")
        share, other = max((share, other) for share, other in seen if share is not None)
        return (
            f"the model memorises labels: it agrees with {self.trained:.0%} of those it was trained on and with "
            f"{share:.0%} of {other}"
        )

    def notes(self) -> list[str]:
        """A warning of memorised labels where there is reason for one."""
        reason = self.memorised_reason()
        return [f"{reason}; its last epochs say little about which are wrong"] if reason and self.complete else []


def measured(
    labels: IntArray,
    dynamics: Dynamics | None,
    predictions: Predictions | None,
    heldout: Predictions | None,
    augmented: float | None,
    complete: bool = True,
) -> Agreement:
    """Agreement by what was computed anyway.

    Parameters
    ----------
    labels
        Given labels, int64 [n].
    dynamics, predictions, heldout
        As in `dataaudit.evidence.base.Evidence`; predictions are those of the model that was trained on all examples.
    augmented
        See `under_view`.
    complete
        Whether the run was not interrupted.
    """
    trained = None
    if predictions is not None:
        trained = _share(predictions.predicted, labels)
    elif dynamics is not None:
        seen = np.unpackbits(dynamics.seen_bits[-1], count=len(labels)).astype(bool)
        trained = float(dynamics.correct_in(dynamics.epochs)[seen].mean()) if seen.any() else None
    return Agreement(trained, augmented, None if heldout is None else _share(heldout.predicted, labels), complete)


def under_view(fitted: Any, labels: IntArray, view: Any, seed: int) -> float:
    """Share of the labels, of `ROWS` examples at the most, that a model gives to inputs as `view` shows them."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(labels))[:ROWS])
    predicted = fitted.logits(rows, view).argmax(1)
    return float((np.asarray(predicted.cpu()) == labels[rows]).mean())


def _share(predicted: IntArray, labels: IntArray) -> float | None:
    known = predicted >= 0
    return float((predicted == labels)[known].mean()) if known.any() else None
