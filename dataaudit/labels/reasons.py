"""Reasons why a label is flagged as wrong, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.dynamics.summary import Dynamics
from dataaudit.labels.label_errors import LabelErrors


def reasons(
    chosen: IntArray,
    labels: IntArray,
    class_names: tuple[str, ...],
    errors: LabelErrors,
    dynamics: Dynamics | None,
    columns: Mapping[str, FloatArray],
) -> list[str]:
    """One sentence for each of the examples `chosen` [k]: what neighbours, training and held-out models say.

    `columns` are scores by name, of which "heldout_confidence" is quoted.
    """
    heldout = columns.get("heldout_confidence")
    sentences = []
    for row in chosen.tolist():
        given, rival = class_names[labels[row]], class_names[errors.rival[row]]
        parts = [] if errors.vote is None else [_of_neighbours(row, given, rival, errors)]
        if dynamics is not None:
            parts.append(_of_training(row, dynamics))
        if heldout is not None and np.isfinite(heldout[row]):
            chance = f"of {heldout[row]:.2f}" if heldout[row] >= 0.005 else "below 0.01"
            parts.append(f"models trained without it give {given!r} a probability {chance}")
        sentences.append("; ".join(parts) or "by the scores alone")
    return sentences


def short_reasons(
    chosen: IntArray, errors: LabelErrors, dynamics: Dynamics | None, columns: Mapping[str, FloatArray]
) -> list[str]:
    """What `reasons` says in few characters, for a column of a table that fits a terminal.

    "97% differ, learned 0/12, 2% likely": the share of the neighbours that carry another label than the given
    one, in how many epochs this was learned, and its probability to models that were not trained on the example.
    """
    heldout = columns.get("heldout_confidence")
    short = []
    for row in chosen.tolist():
        parts = []
        if errors.vote is not None:
            parts.append(f"{1 - errors.vote.same[row] / errors.vote.depth:.0%} differ")
        if dynamics is not None:
            parts.append(f"learned {int(dynamics.correct[row])}/{int(dynamics.seen[row])}")
        if heldout is not None and np.isfinite(heldout[row]):
            parts.append(f"{heldout[row]:.0%} likely" if heldout[row] >= 0.005 else "<1% likely")
        short.append(", ".join(parts) or "scores alone")
    return short


def _of_neighbours(row: int, given: str, rival: str, errors: LabelErrors) -> str:
    vote = errors.vote
    assert vote is not None
    if vote.leading[row] == errors.rival[row]:
        count, label = vote.votes[row], rival
    else:
        count, label = vote.same[row], given
    alike = "most similar examples" if vote.space == "input" else "examples that the model finds most similar"
    return f"{count} of the {vote.depth} {alike} are labelled {label!r}"


def _of_training(row: int, dynamics: Dynamics) -> str:
    seen, correct = int(dynamics.seen[row]), int(dynamics.correct[row])
    if correct == 0:
        return f"never learned in {seen} epochs"
    if correct < seen:
        return f"learned in {correct} of {seen} epochs"
    return f"learned from the first epoch, with mean probability {dynamics.mean_confidence[row]:.2f}"
