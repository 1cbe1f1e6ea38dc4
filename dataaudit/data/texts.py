"""Texts as examples: recognised, checked, hashed, and refused where a model takes numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.common.spelling import has_surrogates
from dataaudit.common.types import AnyArray, BoolArray
from dataaudit.errors import DataError, InPython

ADVICE = (
    InPython("pass the vectors that dataaudit.embed makes of the texts"),
    InPython("pass a scikit-learn pipeline that starts with a text vectoriser, such as TfidfVectorizer()"),
    InPython("pass a transformers model"),
    "turn each text into numbers with transform=",
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

    if isinstance(values, np.ndarray):
        values = values.tolist()
    given = values.to_numpy(dtype=object) if isinstance(values, pd.Series) else values
    texts = np.empty(len(given), dtype=object)
    texts[:] = [None if _is_gap(text) else text for text in given]
    return texts


def _is_gap(text: Any) -> bool:
    return text is None or type(text).__name__ in ("NAType", "NaTType") or (isinstance(text, float) and text != text)


def holds_texts(column: Any) -> bool:
    """Tell whether a pandas column holds strings and nothing else but gaps, with at least one string."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return pd.api.types.infer_dtype(column, skipna=True) == "string"


def is_pair_of_texts(frame: Any) -> bool:
    """Tell whether a table is two columns of texts that hardly repeat, such as premise and hypothesis."""
    if frame.shape[1] != 2:
        return False
    columns = [frame.iloc[:, side] for side in (0, 1)]
    return all(holds_texts(column) for column in columns) and any(2 * c.nunique() > len(c) for c in columns)


def joined(frame: Any) -> AnyArray:
    """Texts of all columns as one text a row, a line each, object [b]; missing ones are left out."""
    parts = zip(*(as_texts(frame.iloc[:, side]) for side in range(frame.shape[1])), strict=True)
    return as_texts(["\n".join(part for part in texts if isinstance(part, str)) for texts in parts])


def joined_texts(frame: Any, reader: str) -> AnyArray:
    """As `joined`; a `DataError` if a column holds other values than texts, of which `reader` takes one a row."""
    others = [
        name
        for side, name in enumerate(frame)
        if any(text is not None and not isinstance(text, str) for text in as_texts(frame.iloc[:, side]))
    ]
    if others:
        raise DataError(
            f"column {others[0]!r}, which holds no texts, for a {reader}, which takes one text a row",
            "columns of texts, which are joined",
            [
                f"pass inputs={[name for name in frame if name not in others]!r}",
                "start the pipeline with a ColumnTransformer that has a step for each column",
            ],
        )
    return joined(frame)


def unusable(texts: AnyArray) -> BoolArray:
    """Mark those of the texts [b] that have a `fault`."""
    return np.fromiter((bool(fault(text)) for text in texts), bool, len(texts))


def fault(text: Any) -> str:
    """Name of what is wrong with a text, for a message; empty for one that any model, file and page takes."""
    if text is None:
        return "missing texts"
    if not isinstance(text, str):
        return "values that are no texts"
    if not text.strip():
        return "empty texts"
    if "\0" in text:
        return "texts with NUL characters"
    if len(text) > LONGEST:
        return f"texts of more than {LONGEST} characters"
    return "texts with lone surrogates" if not text.isascii() and has_surrogates(text) else ""


LONGEST = 2**21
"""Characters of the longest text that is taken for one example, and not for a file that was read whole."""


def digest_texts(digest: Any, texts: AnyArray) -> None:
    """Add texts to a digest, each behind its length: no two lists of texts look alike, in whatever blocks they come."""
    known = (text if isinstance(text, str) else "" for text in texts)
    digest.update("".join(f"{len(text)}:{text}" for text in known).encode("utf-8", "surrogatepass"))


def refuse_texts(block: Any, source: str, purpose: str) -> None:
    """Raise a `DataError` with a remedy if `block`, which `Examples.read` gave, is texts."""
    if is_text(block):
        raise DataError(f"texts, from {source}", f"numbers or images, for {purpose}", ADVICE)
