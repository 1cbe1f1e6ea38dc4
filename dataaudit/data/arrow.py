"""Arrow columns of a Hugging Face data set as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.rows import as_array
from dataaudit.errors import DataError, RowError, rows


def kind_of(feature: Any) -> str:
    """Kind of a Hugging Face feature: "class", "image", "number", "list" (of numbers), "text" or "other"."""
    import datasets

    if feature is None:
        return "other"
    if isinstance(feature, datasets.ClassLabel):
        return "class"
    if isinstance(feature, datasets.Image):
        return "image"
    if isinstance(feature, datasets.Value):
        if feature.dtype.startswith(("int", "uint", "float", "bool", "decimal")):
            return "number"
        return "text" if "string" in feature.dtype else "other"
    return "list" if _leaf(feature) is not None else "other"


def _leaf(feature: Any) -> str | None:
    """Type of the numbers in a list or array feature, None if they are no numbers."""
    if type(feature).__name__ in ("Array2D", "Array3D", "Array4D", "Array5D"):
        return str(feature.dtype)
    if isinstance(feature, (list, tuple)):
        inner = feature[0]
    elif type(feature).__name__ in ("List", "LargeList", "Sequence"):
        inner = feature.feature
    else:
        return None
    if kind_of(inner) == "number":
        return str(inner.dtype)
    return _leaf(inner)


def wide(feature: Any) -> bool:
    """Tell whether float32 may round a number column: float64, decimals, and whole numbers of 32 bits or more."""
    dtype = str(feature.dtype)
    return dtype.startswith("decimal") or (dtype.endswith(("32", "64")) and dtype != "float32")


def numbers(column: Any, dtype: Any) -> AnyArray:
    """Column of scalars as an array [b] of `dtype`; null becomes NaN."""
    target = pa.float64() if dtype == np.float64 else pa.float32()
    return np.asarray(column.cast(target, safe=False).to_numpy(), dtype=dtype)


def mixed(table: Any, features: Any) -> Any:
    """Return a table of numbers, booleans, texts and classes as a DataFrame that scikit-learn takes.

    Numbers and booleans become float64, NaN where one is missing, whatever rows a block happens to hold; classes become
    categories by name; texts are objects, NaN where one is missing, as pandas reads them from files.
    """
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in table.column_names:
        column, kind = table[name], kind_of(features[name])
        if kind == "class":
            codes = np.asarray(column.fill_null(-1).to_numpy(), np.int64)
            columns[name] = pd.Categorical.from_codes(codes, categories=pd.Index(features[name].names))
        elif kind == "number":
            columns[name] = numbers(column, np.float64)
        else:
            texts = pd.Series(column.to_pylist(), dtype=object)
            columns[name] = texts.where(texts.notna(), np.nan)
    return pd.DataFrame(columns)


def dense(column: Any, indices: IntArray) -> AnyArray:
    """Column of b lists, nested to any depth, as an array [b, ...] of the type stored; null numbers become NaN."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    shape = [len(indices)]
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        owner = indices[np.arange(len(array)) // max(1, len(array) // len(indices))]
        if array.null_count:
            missing = owner[np.asarray(array.is_null())]
            raise RowError(
                f"no list in {rows(np.unique(missing))}",
                "a list in every row",
                "pass on_bad_rows='drop'",
            )
        lengths = np.asarray(pc.list_value_length(array))
        other = np.unique(owner[lengths != lengths[0]])
        if len(other):
            raise DataError(
                f"lists of other lengths than {int(lengths[0])} (row {int(owner[0])}) in {rows(other)}",
                "lists of one length",
                "bring them to one length, for example with transform=",
            )
        shape.append(int(lengths[0]))
        array = array.flatten()
    # Arrow's buffers are read-only, which torch.from_numpy warns about.
    plain = array.cast(pa.float64()) if pa.types.is_decimal(array.type) else array
    return as_array(np.array(plain.to_numpy(zero_copy_only=False))).reshape(shape)


def views(column: Any) -> list[AnyArray] | None:
    """Chunks of a column of lists as arrays [b, d] without a copy; None where the layout does not allow it.

    Lists must be of numbers of a type that NumPy and this library share, of one length, and none missing.
    """
    arrays: list[AnyArray] = []
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        if not len(chunk):
            continue
        if pa.types.is_fixed_size_list(chunk.type):
            width = chunk.type.list_size
        elif pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
            offsets = chunk.offsets.to_numpy()
            width = int(offsets[1] - offsets[0])
            if (np.diff(offsets) != width).any():
                return None
        else:
            return None
        # Neither is null_count a copy, nor is flatten, which honours the chunk's offset in its buffers.
        values = chunk.flatten() if chunk.null_count == 0 else None
        if values is None or values.null_count:
            return None
        if not any(test(values.type) for test in (pa.types.is_integer, pa.types.is_float32, pa.types.is_float64)):
            return None
        view = values.to_numpy(zero_copy_only=True).reshape(len(chunk), width)
        if arrays and (view.shape[1] != arrays[0].shape[1] or view.dtype != arrays[0].dtype):
            return None
        arrays.append(view)
    return arrays or None
