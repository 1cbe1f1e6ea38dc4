"""What a caller computed before: a recorder from a loop of their own, or scores from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.dynamics.outcomes import PredictionTable
from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.summary import Predictions
from dataaudit.errors import DataError, SettingError, rows

PROBABILITIES = "probabilities"
BLOCK = 65536


@dataclass(frozen=True)
class Precomputed:
    """What ``score(precomputed=...)`` holds.

    Attributes
    ----------
    recorder
        Of the caller's own loop, or None.
    scores
        Files or arrays by name of score.
    probabilities
        Out-of-sample predictions [n, C], or None.
    """

    recorder: Recorder | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)
    probabilities: Any = None


def split_precomputed(precomputed: Any) -> Precomputed:
    """Recorder, saved scores and predictions in ``score(precomputed=...)``.

    Raises
    ------
    SettingError
        If it is neither a recorder, nor a mapping of names to files or arrays, nor None.
    """
    if precomputed is None:
        return Precomputed()
    if isinstance(precomputed, Recorder):
        return Precomputed(precomputed)
    if isinstance(precomputed, Mapping) and precomputed and all(isinstance(name, str) for name in precomputed):
        scores = {name: value for name, value in precomputed.items() if name != PROBABILITIES}
        return Precomputed(None, scores, precomputed.get(PROBABILITIES))
    raise SettingError(
        f"precomputed={precomputed!r}" if not precomputed else f"precomputed={type(precomputed).__name__}",
        'a dataaudit.Recorder, a mapping such as {"c_score": "scores.npz"} or {"probabilities": array}, or None',
        "pass one of these",
    )


def heldout_of(probabilities: Any, labels: IntArray, class_names: tuple[str, ...]) -> Predictions | None:
    """Predictions that the caller brings, [n, C] with columns in the order of the class names; None for None.

    Raises
    ------
    DataError
        If the shape is another, or a row is no distribution (to .001).
    """
    if probabilities is None:
        return None
    try:
        given = np.asarray(probabilities, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"probabilities of type {type(probabilities).__name__}", "an array [n, classes]", "convert them"
        ) from error
    shape = (len(labels), len(class_names))
    if given.shape != shape:
        raise DataError(
            f"probabilities of shape {given.shape}",
            f"{shape}: a row an example, a column for each of {', '.join(class_names[:8])}",
            "pass predict_proba of models that did not train on the example, columns in the order of the class names",
        )
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~((given >= 0).all(1) & (np.abs(given.sum(1) - 1) <= 1e-3)))
    if len(bad):
        raise DataError(
            f"probabilities that are negative, not finite or do not add up to 1 in {rows(bad)}",
            "a distribution over the classes in every row",
            "apply a softmax to logits first",
        )
    table = PredictionTable(labels, len(class_names))
    for start in range(0, len(labels), BLOCK):
        part = np.arange(start, min(start + BLOCK, len(labels)))
        table.add(part, np.log(np.maximum(given[part], np.finfo(np.float64).tiny)))
    return table.result()


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
