"""Outputs of a fitted classifier, whatever its class: logits of the data set's classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.errors import ModelError, rows
from dataaudit.learners.base import SMALLEST

METHODS = ("predict_proba", "decision_function")
"""Methods of a classifier that tell classes apart, the first that there is counts."""

ROUNDING = 1e-6
"""Distance from [0, 1] up to which a number is a probability."""


def output_method(classifier: Any) -> str | None:
    """Name of the first of `METHODS` that a classifier has as it is; some have one only once they are fitted."""
    return next((name for name in METHODS if callable(getattr(classifier, name, None))), None)


def outputs(
    classifier: Any, inputs: Any, known: IntArray, classes: int, indices: IntArray, told: IntArray | None = None
) -> FloatArray:
    """Logits float64 [b, C] of the rows `indices`; see `as_logits`."""
    method = output_method(classifier)
    if method is None:
        raise ModelError(
            f"a {type(classifier).__name__} without predict_proba and decision_function, fitted too{_why(classifier)}",
            "one of both",
            "switch probabilities on (for example VotingClassifier(voting='soft')), or take another classifier",
        )
    return as_logits(classifier, getattr(classifier, method)(inputs), method, known, classes, indices, told)


def as_logits(
    classifier: Any,
    values: Any,
    method: str,
    known: IntArray,
    classes: int,
    indices: IntArray,
    told: IntArray | None = None,
) -> FloatArray:
    """Logits float64 [b, C] of what `method` of a classifier gave for the rows `indices`.

    Parameters
    ----------
    classifier
        Fitted to the labels 0..k-1, which stand for the classes `known` [k]. Columns are those of its ``classes_``,
        in any order; in the order of the labels without that. One column, or none, is about the second of two classes.
    values
        [b, columns] or [b]: probabilities, or decision values where `method` says so.
    known, classes
        Classes that were there in training, ascending, and the number of all; others get the smallest logit.
    told
        What to take for ``classes_``, where these are labels of the caller's own.

    Raises
    ------
    ModelError
        If values are missing or no probabilities, or columns cannot be told apart.
    """
    table, decides = np.asarray(values, np.float64), "decision" in method
    source = f"{type(classifier).__name__}.{method}"
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or len(table) != len(indices):
        raise _misshapen(source, np.shape(values), len(indices), len(known))
    bad = ~np.isfinite(table).all(1)
    if bad.any():
        raise ModelError(
            f"NaN or infinite values of {source} for {rows(indices[bad])}",
            "finite ones for every row",
            "scale the inputs, as by a StandardScaler before it in a pipeline, or take another classifier",
        )
    if not decides:
        table = _logarithms(table, source, indices)
    if len(known) == 1:
        # Some give two columns for the one class that they saw; it is certain.
        return _spread(np.zeros((len(table), 1)), known, classes)
    told = getattr(classifier, "classes_", None) if told is None else told
    if table.shape[1] == 1 and len(known) == 2 and (told is None or len(told) == 2):
        return _spread(_two(table[:, 0], decides), known, classes)
    columns, places = _columns(told, table.shape[1], len(known), classes)
    if columns is None:
        raise _misshapen(source, np.shape(values), len(indices), len(known), told)
    return _spread(table[:, columns], known[places], classes)


def _logarithms(table: FloatArray, source: str, indices: IntArray) -> FloatArray:
    bad = ((table < -ROUNDING) | (table > 1 + ROUNDING)).any(1)
    if bad.any():
        raise ModelError(
            f"values of {source} outside [0, 1], in {rows(indices[bad])}",
            "probabilities",
            "return probabilities, or name the method decision_function where values are scores",
        )
    return np.log(np.clip(table, SMALLEST, 1.0))


def _two(values: FloatArray, decides: bool) -> FloatArray:
    """Both logits [b, 2] of a decision value, or of the logarithm of a probability, of the second class."""
    if decides:
        return np.stack([-values / 2, values / 2], 1)
    return np.stack([np.log(np.clip(1 - np.exp(values), SMALLEST, None)), values], 1)


def _columns(told: Any, width: int, count: int, classes: int) -> tuple[AnyArray | None, AnyArray]:
    """Columns that count, and the places of their classes among the `count` that training had; None if unknown."""
    everything = np.arange(count)
    places = everything if told is None else np.asarray(told).astype(np.float64).astype(np.int64)
    if told is not None and width == len(places):
        known = np.unique(places).tolist() == np.sort(places).tolist() and np.isin(places, everything).all()
        return (np.arange(width) if known else None), places
    # A network may have an output for classes that these rows lack.
    alike = np.array_equal(places, everything) and width in (count, classes)
    return (everything if alike else None), places


def _spread(values: FloatArray, known: IntArray, classes: int) -> FloatArray:
    if len(known) == classes and np.array_equal(known, np.arange(classes)):
        return values
    spread = np.full((len(values), classes), values.min() + np.log(SMALLEST))
    spread[:, known] = values
    return spread


def _misshapen(source: str, shape: tuple[int, ...], count: int, classes: int, told: Any = None) -> ModelError:
    named = "" if told is None else f" with classes_ {np.asarray(told)[:8].tolist()}"
    return ModelError(
        f"{source} of shape {shape}{named}, for {count} rows and {classes} classes in training",
        f"{(count, classes)}: a column for each class",
        "return one, or say in classes_ which classes the columns are",
    )


def _why(classifier: Any) -> str:
    """Reason that a conditional method of scikit-learn names for being absent."""
    try:
        getattr(classifier, METHODS[0])
    except AttributeError as error:
        return f" ({error.__cause__ or error})"
    return ""
