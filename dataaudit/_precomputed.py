"""What a caller computed before: a recorder from a loop of their own, or scores from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, SettingError
from dataaudit.types import IntArray


def split_precomputed(precomputed: Any) -> tuple[Recorder | None, Mapping[str, Any]]:
    """Recorder and saved scores in ``score(precomputed=...)``.

    Raises
    ------
    SettingError
        If it is neither a recorder, nor a mapping of names to files or arrays, nor None.
    """
    if precomputed is None:
        return None, {}
    if isinstance(precomputed, Recorder):
        return precomputed, {}
    if isinstance(precomputed, Mapping) and precomputed and all(isinstance(name, str) for name in precomputed):
        return None, precomputed
    raise SettingError(
        f"precomputed={type(precomputed).__name__}",
        'a dataaudit.Recorder, a mapping such as {"c_score": "scores.npz"}, or None',
        "pass one of these",
    )


def check_recorded(recorder: Recorder, labels: IntArray, classes: int) -> None:
    """Raise `DataError` unless a recorder saw this data set's labels."""
    sizes = (recorder.n, recorder.classes)
    if sizes != (len(labels), classes):
        raise DataError(
            f"a Recorder of {sizes[0]} examples and {sizes[1]} classes",
            f"{len(labels)} examples and {classes} classes, as in the data set",
            "pass the data set that the loop trained on",
        )
    differ = np.flatnonzero((recorder.labels >= 0) & (recorder.labels != labels))
    if len(differ):
        raise DataError(
            f"{len(differ)} recorded labels that differ from the data set, the first in row {differ[0]}",
            "the labels that the loop trained on, as positions in the class names",
            "check that indices are positions in this data set",
        )
