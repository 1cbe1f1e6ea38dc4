"""Inputs of a scikit-learn model's first step, and remedies for a step that refuses rows."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags


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

    Steps that scikit-learn does not know are handed texts: they say themselves what they cannot take.

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
