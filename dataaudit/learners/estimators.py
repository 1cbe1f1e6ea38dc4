"""Scikit-learn estimators by their attributes: inputs, kind of training, outputs, and remedies for refused rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble._forest import BaseForest
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from dataaudit.common.types import AnyArray, FloatArray
from dataaudit.errors import ModelError
from dataaudit.learners.base import SMALLEST

SOLVER_STEPS = 20
"""Rounds over the data that linear models are taken to need."""


def first_step(model: Any) -> Any:
    """First step of a pipeline, of pipelines within too, that does anything; another estimator itself."""
    while isinstance(model, Pipeline):
        steps = [step for _, step in model.steps if step not in (None, "passthrough")]
        if not steps:
            break
        model = steps[0]
    return model


def kind_taken(step: Any) -> str:
    """Inputs that a first step takes where data are texts: "texts" [b], "columns" of them, or "numbers" alone.

    Steps of other packages get texts: they say themselves what they cannot take.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.preprocessing import OneHotEncoder, StandardScaler
    >>> [kind_taken(step) for step in (TfidfVectorizer(), OneHotEncoder(), StandardScaler())]
    ['texts', 'columns', 'numbers']
    """
    inner = [first_step(part) for _, part in getattr(step, "transformer_list", ())]
    if inner:
        kinds = {kind_taken(part) for part in inner}
        return kinds.pop() if len(kinds) == 1 else "texts"
    tags = get_tags(step).input_tags
    if tags.string:
        return "texts"
    # An imputer fills gaps of strings too.
    if hasattr(step, "transformers") or tags.categorical or type(step).__name__ == "SimpleImputer":
        return "columns"
    known = type(step).__module__.startswith("sklearn.") and type(step).__name__ != "FunctionTransformer"
    return "numbers" if known else "texts"


def remedy(error: Exception) -> str:
    """Remedy for a step that refuses rows, from scikit-learn's own words."""
    words = str(error)
    if "unknown categories" in words:
        return (
            "pass OneHotEncoder(handle_unknown='ignore'), for a class or a fold may lack a category, or start the "
            "pipeline with dataaudit.preprocessor(...)"
        )
    if "could not convert string" in words or "NaN" in words:
        return "start the pipeline with dataaudit.preprocessor(...), which encodes categories and fills gaps"
    if "sparse" in words.lower():
        return "take a classifier that takes sparse inputs, or make them dense with TruncatedSVD before it"
    return "put a preprocessing step before it in a pipeline"


def training_kind(classifier: Any, classes: int) -> str:
    """Kind of training: "staged" boosting, by "partial_fit", or "plain"; other classifiers are refused."""
    name = type(classifier).__name__
    if not (hasattr(classifier, "predict_proba") or hasattr(classifier, "decision_function")):
        raise ModelError(
            f"a {name}",
            "predict_proba or decision_function",
            "switch probabilities on (for example SGDClassifier(loss='log_loss')), or take another classifier",
        )
    if classes > 2 and getattr(classifier, "decision_function_shape", "ovr") != "ovr":
        raise ModelError(
            f"a {name} with decision values for pairs of classes",
            "one decision value a class",
            'pass decision_function_shape="ovr"',
        )
    if hasattr(classifier, "staged_predict_proba"):
        return "staged"
    return "partial_fit" if hasattr(classifier, "partial_fit") else "plain"


def solver_rounds(classifier: Any, classes: int) -> int | None:
    """Trees of a forest, or steps of a linear model's solver; None for any other model."""
    if isinstance(classifier, BaseForest):
        # A tree looks at all classes at once.
        return max(1, int(classifier.get_params(deep=False)["n_estimators"]) // classes)
    linear = isinstance(classifier, LinearClassifierMixin) and not type(classifier).__name__.endswith("CV")
    return SOLVER_STEPS if linear else None


def check_unfitted(model: Any, name: str) -> None:
    """Raise a `ModelError` if a classifier inside is kept as it was fitted: it may have seen the labels."""
    for parameter, part in model.get_params(deep=True).items():
        inner = getattr(part, "estimator", None) if type(part).__name__ == "FrozenEstimator" else None
        if (inner is not None and is_classifier(inner)) or (isinstance(part, str) and part == "prefit"):
            raise ModelError(
                f"a {name} with a classifier that stays as it was fitted ({parameter})",
                "one that is fitted anew to the rows it is given",
                "pass the unfitted classifier",
            )


def staged_outputs(classifier: Any, inputs: Any, classes: int) -> Iterator[FloatArray]:
    """`outputs` after each stage of boosting."""
    for probabilities in classifier.staged_predict_proba(inputs):
        yield _spread(np.log(np.clip(probabilities, SMALLEST, None)), classifier.classes_, classes)


def outputs(classifier: Any, inputs: Any, classes: int) -> FloatArray:
    """Logits float64 [b, C] of a fitted classifier; classes that it never saw get the smallest."""
    if hasattr(classifier, "predict_proba"):
        values = np.log(np.clip(classifier.predict_proba(inputs), SMALLEST, None))
    else:
        decision = np.asarray(classifier.decision_function(inputs), np.float64)
        values = np.stack([-decision / 2, decision / 2], 1) if decision.ndim == 1 else decision
    return _spread(values, classifier.classes_, classes)


def _spread(values: AnyArray, known: AnyArray, classes: int) -> FloatArray:
    if len(known) == 1:
        # Some give two columns for the one class that they saw; it is certain.
        values = np.zeros((len(values), 1))
    if len(known) == classes:
        return np.asarray(values, np.float64)
    spread = np.full((len(values), classes), values.min() + np.log(SMALLEST))
    spread[:, known] = values
    return spread
