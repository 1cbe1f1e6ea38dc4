"""Why a label is taken for wrong, in words."""

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
    found: LabelErrors,
    dynamics: Dynamics | None,
    columns: Mapping[str, FloatArray],
) -> list[str]:
    """One sentence for each of the examples `chosen` [k]: what neighbours, training and held-out models say.

    Parameters
    ----------
    chosen
        Positions of the examples, int64 [k].
    labels, class_names
        Of the data set.
    found
        Decisions; votes of neighbours where there are any.
    dynamics
        Training dynamics, or None.
    columns
        Scores by name; "heldout_confidence" is told where it is there.
    """
    return [
        "; ".join(_parts(int(row), labels, class_names, found, dynamics, columns)) or "by the scores alone"
        for row in chosen
    ]


def _parts(
    row: int,
    labels: IntArray,
    names: tuple[str, ...],
    found: LabelErrors,
    dynamics: Dynamics | None,
    columns: Mapping[str, FloatArray],
) -> list[str]:
    given, rival = names[labels[row]], names[found.rival[row]]
    told = []
    vote = found.vote
    if vote is not None:
        if vote.leading[row] == found.rival[row]:
            told.append(f"{vote.votes[row]} of {vote.depth} {vote.space} neighbours are {rival!r}")
        else:
            told.append(f"{vote.same[row]} of {vote.depth} {vote.space} neighbours are {given!r}")
    if dynamics is not None:
        seen, correct = int(dynamics.seen[row]), int(dynamics.correct[row])
        if correct == 0:
            told.append(f"never learned in {seen} epochs")
        elif correct < seen:
            told.append(f"learned in {correct} of {seen} epochs")
        else:
            told.append(f"learned from the first epoch, with mean probability {dynamics.mean_confidence[row]:.2f}")
    heldout = columns.get("heldout_confidence")
    if heldout is not None and np.isfinite(heldout[row]):
        told.append(f"held-out models give {given!r} a probability of {heldout[row]:.2f}")
    return told
