"""Prototypes: the examples that stand for their class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dataaudit.common.types import FloatArray, IntArray

TRUSTED = (
    "class_density/hidden",
    "class_density/input",
    "c_score",
    "c_score_integral",
    "knn_c_score/hidden",
    "knn_c_score/input",
)
"""Scores that say how much of its class lies around an example, or how well others of it predict it; best first."""


def trusted(columns: Mapping[str, FloatArray], default: str) -> str:
    """The score that ranks when none is named: the first of `TRUSTED` that there is, else the audit's own default."""
    return next((name for name in TRUSTED if name in columns), default)


def most_typical(values: FloatArray, ties: FloatArray, labels: IntArray, classes: int, k: int) -> IntArray:
    """Positions of the `k` highest values of each class, int64 [r], class by class, highest first.

    Equal values are ordered by `ties`, highest first, then by position. Examples without a value are left out.
    """
    chosen = []
    for label in range(classes):
        members = np.flatnonzero((labels == label) & ~np.isnan(values))
        order = np.lexsort((members, -ties[members], -values[members]))
        chosen.append(members[order[:k]])
    return np.concatenate(chosen).astype(np.int64) if chosen else np.empty(0, np.int64)
