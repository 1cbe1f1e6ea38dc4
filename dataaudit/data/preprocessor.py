"""Mixed columns as numbers, by scikit-learn, fitted anew in every fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from dataaudit.common.types import AnyArray
from dataaudit.data import as_examples
from dataaudit.data.columns import listed
from dataaudit.data.examples import Examples
from dataaudit.data.texts import is_text
from dataaudit.errors import DataError, InPython

MOST_CATEGORIES = 100
"""Columns that one column of categories becomes at most; the rarest share the last."""

MISSING = "\0missing"
"""Category of a missing value; no text that people write equals it."""

_LOOKED_AT = 1000


def preprocessor(
    dataset: Any, label: Any = None, inputs: Any = None, *, split: str | None = None, exclude: Any = None
) -> Any:
    """Unfitted scikit-learn transformer for columns of numbers and categories.

    Numbers are imputed by the median and standardised. Strings, categories and booleans become one column a value, at
    most `MOST_CATEGORIES` of them, the rarest together; a missing value is a category of its own, and one that was not
    seen in fitting belongs to the rarest, or to none. It is fitted with the pipeline, so that a fold's held-out rows
    have no part in it.

    Parameters
    ----------
    dataset, label, inputs, split, exclude
        What `dataaudit.score` is given: the columns are chosen alike. Labels apart: ``(frame, labels)``.

    Returns
    -------
    ColumnTransformer
        For the start of a pipeline.

    Raises
    ------
    DataError
        If a column is neither numbers nor categories, or the data set is texts; also as `dataaudit.score` does.

    Examples
    --------
    >>> import dataaudit
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> frame = pd.DataFrame({"size": [1.0, None, 3.0, 9.0], "label": [0, 1, 0, 1]})
    >>> frame["colour"] = ["red", "blue", None, "red"]
    >>> model = make_pipeline(dataaudit.preprocessor(frame), HistGradientBoostingClassifier())
    >>> model[0].fit_transform(frame).shape
    (4, 4)
    """
    examples = as_examples(dataset, split=split, label=label, inputs=inputs, exclude=exclude)
    block = examples.read(np.arange(min(len(examples), _LOOKED_AT), dtype=np.int64))
    if is_text(block):
        raise DataError(
            f"one column of texts, from {examples.source}",
            "columns of numbers and categories",
            "start the pipeline with a text vectoriser instead, such as TfidfVectorizer()",
        )
    numbers, categories = kinds_of(block) if isinstance(block, pd.DataFrame) else _positions(examples, block)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(imputer, StandardScaler()), numbers),
            ("categories", make_pipeline(FunctionTransformer(as_categories), one_hot()), categories),
        ],
        # Above all the label, in a frame that still has it.
        remainder="drop",
    )


def one_hot() -> OneHotEncoder:
    """Unfitted encoder of strings: a column a value, `MOST_CATEGORIES` at most; the rarest share the last."""
    return OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False)


def as_categories(block: Any) -> AnyArray:
    """Values of any type as strings [b, c], `MISSING` where there is none."""
    frame = pd.DataFrame(block).astype(object)
    filled: AnyArray = frame.where(frame.notna(), MISSING).astype(str).to_numpy(dtype=object)
    return filled


def kinds_of(block: pd.DataFrame) -> tuple[list[Any], list[Any]]:
    """Columns of numbers, and of categories."""
    kinds = pd.api.types
    numbers, categories, other = [], [], []
    for name in block.columns:
        column = block[name]
        if kinds.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
            categories.append(name)
        elif kinds.is_numeric_dtype(column.dtype) and not kinds.is_complex_dtype(column.dtype):
            numbers.append(name)
        elif column.dropna().map(lambda value: isinstance(value, (str, bool, int, np.bool_))).all() and not (
            kinds.is_datetime64_any_dtype(column.dtype) or kinds.is_timedelta64_dtype(column.dtype)
        ):
            categories.append(name)
        else:
            other.append(name)
    if other:
        raise DataError(
            f"columns that are neither numbers nor categories: {listed(other)}",
            "numbers, strings, booleans or pandas categories",
            [
                InPython("make numbers of them, such as table[column].astype('int64') of dates"),
                f"leave them out: exclude={other!r}",
            ],
        )
    return numbers, categories


def _positions(examples: Examples, block: Any) -> tuple[list[int], list[int]]:
    """The same for an array [b, d], by position: a ``ClassLabel`` is a category though its positions are numbers."""
    if np.ndim(block) != 2:
        raise DataError(
            f"inputs of shape {np.shape(block)[1:]} each, from {examples.source}",
            "columns of numbers and categories",
            ["leave the preprocessor out of the pipeline", "name columns of numbers with inputs="],
        )
    categories = [position for position, name in enumerate(examples.columns) if name in examples.class_columns]
    return [position for position in range(block.shape[1]) if position not in categories], categories
