"""Dynamics of several training runs of the same examples, taken together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dataaudit.common.probabilities import ClassProbabilities, blocks
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.dynamics.summary import Dynamics


def joined(runs: Sequence[Dynamics], labels: IntArray) -> Dynamics:
    """Dynamics of all runs, as if their epochs had followed each other.

    Means run over all epochs in which the example was seen, counts and sums add up; `first_correct` adds up as well,
    a run without a correct classification counting its epochs + 1, and what follows between two runs is no forgetting.
    The per-epoch matrices are those of the first run. Runs, at least one, are of the same examples with `labels` [n].
    """
    first = runs[0]
    if len(runs) == 1:
        return first
    visits = np.stack([run.seen for run in runs])
    seen = visits.sum(0)
    shares = visits / np.maximum(seen, 1)

    def mean(read: Callable[[Dynamics], FloatArray]) -> FloatArray:
        # A run that never saw an example has NaN there, and no share.
        values = np.stack([read(run) for run in runs])
        return np.where(seen > 0, np.where(shares > 0, values * shares, 0.0).sum(0), np.nan)

    confidence = mean(lambda run: run.mean_confidence)
    squares = mean(lambda run: run.variability**2 + run.mean_confidence**2)
    means = _averaged(runs, labels, shares)
    means.values[seen == 0] = np.nan
    return Dynamics(
        epochs=sum(run.epochs for run in runs),
        classes=first.classes,
        seen=seen,
        correct=_total(runs, lambda run: run.correct),
        first_correct=_total(runs, lambda run: run.first_correct),
        forgetting=_total(runs, lambda run: run.forgetting),
        mean_margin=mean(lambda run: run.mean_margin),
        mean_confidence=confidence,
        variability=np.sqrt(np.maximum(squares - confidence**2, 0.0)),
        mean_el2n=mean(lambda run: run.mean_el2n),
        cumulative_loss=np.where(
            seen > 0, np.stack([np.where(run.seen > 0, run.cumulative_loss, 0.0) for run in runs]).sum(0), np.nan
        ),
        suggested=_likeliest(means, seen),
        mean_probabilities=means.values,
        probability_classes=means.classes,
        kept_epochs=first.kept_epochs,
        confidence_by_epoch=first.confidence_by_epoch,
        max_confidence_by_epoch=first.max_confidence_by_epoch,
        correct_bits=np.concatenate([run.correct_bits for run in runs]),
        seen_bits=np.concatenate([run.seen_bits for run in runs]),
        epoch_weights=np.concatenate([run.epoch_weights for run in runs]),
        informed_probabilities=_informed(runs),
    )


def _total(runs: Sequence[Dynamics], read: Callable[[Dynamics], IntArray]) -> IntArray:
    return np.asarray(np.stack([read(run) for run in runs]).sum(0), np.int64)


def _averaged(runs: Sequence[Dynamics], labels: IntArray, shares: FloatArray) -> ClassProbabilities:
    """Mean probabilities of all epochs, of as many classes as the runs keep."""
    n, classes = len(labels), runs[0].classes
    whole = runs[0].probability_classes is None
    means = ClassProbabilities.empty(n, classes, n * classes if whole else 0)
    for rows in blocks(n, classes):
        total = np.zeros((len(labels[rows]), classes))
        for run, share in zip(runs, shares[:, rows], strict=True):
            total += share[:, None] * run.dense(rows)
        means.put(rows, total, labels[rows])
    return means


def _likeliest(means: ClassProbabilities, seen: IntArray) -> IntArray:
    """Class of the largest mean probability, the lowest on ties; -1 where never seen."""
    slots = means.values.argmax(1)
    best = slots if means.classes is None else means.classes[np.arange(len(slots)), slots]
    return np.where(seen > 0, best, -1).astype(np.int64)


def _informed(runs: Sequence[Dynamics]) -> AnyArray | None:
    """Mean over runs of the means by what each epoch says, each run by what its epochs say together."""
    if any(run.informed_probabilities is None for run in runs):
        return None
    weights = np.array([(run.epoch_weights**2).sum() for run in runs])
    weights = weights if weights.any() else np.ones(len(runs))
    parts = zip(weights, runs, strict=True)
    total = sum(weight * np.asarray(run.informed_probabilities, np.float64) for weight, run in parts)
    return np.asarray(total / weights.sum(), np.float32)
