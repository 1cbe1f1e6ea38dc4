"""Texts as examples: recognised, checked, hashed, and refused where a model takes numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, BoolArray
from dataaudit.errors import DataError

ADVICE = (
    "embed the texts with dataaudit.embed and pass the vectors, or pass a scikit-learn pipeline that starts with a "
    "text vectoriser, a transformers model, or transform= that turns each text into numbers"
)
"""Remedy for texts where numbers are expected."""


def is_text(block: Any) -> bool:
    """Tell whether what `Examples.read` gave is texts: a one-dimensional object array."""
    return isinstance(block, np.ndarray) and block.dtype == object and block.ndim == 1


def inputs_are_texts(examples: Any) -> bool:
    """Tell whether the inputs of `Examples` are texts, by the first of them."""
    return is_text(examples.read(np.zeros(1, np.int64)))


def as_texts(values: Any) -> AnyArray:
    """Object array [b] of Python values, whatever holds the texts; missing ones become None."""
    import pandas as pd

    series = pd.Series(values, dtype=object)
    texts: AnyArray = series.where(series.notna(), None).to_numpy(dtype=object)
    return texts


def holds_texts(column: Any) -> bool:
    """Tell whether a pandas column holds strings and nothing else but gaps, with at least one string."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return pd.api.types.infer_dtype(column, skipna=True) == "string"


def unusable(texts: AnyArray) -> BoolArray:
    """Mark those of the texts [b] that are missing, no string, or nothing but white space."""
    return np.fromiter((not isinstance(text, str) or not text.strip() for text in texts), bool, len(texts))


def digest_texts(digest: Any, texts: AnyArray) -> None:
    """Add texts to a digest, each behind its length: no two lists of texts look alike, in whatever blocks they come."""
    known = (text if isinstance(text, str) else "" for text in texts)
    digest.update("".join(f"{len(text)}:{text}" for text in known).encode("utf-8", "surrogatepass"))


def refuse_texts(block: Any, source: str, purpose: str) -> None:
    """Raise a `DataError` with a remedy if `block`, which `Examples.read` gave, is texts."""
    if is_text(block):
        raise DataError(f"texts, from {source}", f"numbers or images, for {purpose}", ADVICE)
