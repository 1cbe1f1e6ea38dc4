"""Containers of other packages, and rows one by one, as what the adapters read; what came in can be made again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.spelling import has_surrogates
from dataaudit.common.types import IntArray
from dataaudit.data.kinds import dimensions, is_a, is_table, is_tensor
from dataaudit.errors import DataError

INPUT = "input"
"""Name of a column that has none."""

ELSEWHERE = {
    "xarray": "data.to_numpy()",
    "xarray.Dataset": "data.to_dataframe()",
    "dask": "data.compute()",
    "dask_expr": "data.compute()",
    "cupy": "data.get()",
    "cudf": "data.to_pandas()",
    "modin": "data._to_pandas()",
    "pyspark": "data.toPandas()",
    "vaex": "data.to_pandas_df()",
    "duckdb": "data.df()",
    "ibis": "data.to_pandas()",
    "awkward": "awkward.to_numpy(data)",
    "jax": "numpy.asarray(data)",
    "jaxlib": "numpy.asarray(data)",
    "tensorflow": "data.numpy() for a tensor, or lists of what the data set yields",
}
"""What to call, by the package of a container that is not read as it is, or by package and type."""


def refuse_elsewhere(data: Any, what: str) -> None:
    """Raise a `DataError` that says what to call, for a container of a package that computes or keeps rows its own way.

    `what` says what it was passed as.
    """
    if is_tensor(data) and (data.is_nested or data.is_meta):
        raise DataError(
            f"{what} in a nested tensor" if data.is_nested else f"{what} in a tensor on the device 'meta'",
            "rows of one shape, with values",
            "pad them: torch.nested.to_padded_tensor(data, 0.0)" if data.is_nested else "pass a tensor that has values",
        )
    package = type(data).__module__.split(".")[0]
    if package in ELSEWHERE and not isinstance(data, np.ndarray):
        raise DataError(
            f"{what} of type {type(data).__module__}.{type(data).__qualname__}",
            "rows in memory, or mapped from a file",
            f"call {ELSEWHERE.get(f'{package}.{type(data).__name__}', ELSEWHERE[package])}, and pass what it gives",
        )


def listing(data: Any, name: str) -> str:
    """Advice that makes a list of what holds things one by one and is called `name`; empty where it does not."""
    if isinstance(data, Mapping):
        return f"pass list({name}.values())"
    if isinstance(data, (set, frozenset)):
        return f"pass a list in the order of the rows: a {type(data).__name__} has none, and names each value once"
    if type(data).__module__.startswith("scipy.sparse"):
        return f"pass {name}.toarray()"
    plain = isinstance(data, (str, Path)) or (hasattr(data, "shape") and not isinstance(data, memoryview))
    return "" if plain or not isinstance(data, Iterable) else f"pass list({name})"


def is_columns(data: Any) -> bool:
    """Tell whether that is columns as Arrow keeps them: a table or one column of pyarrow, polars or Hugging Face."""
    return (
        is_a(data, "pyarrow", "Table")
        or is_a(data, "pyarrow", "RecordBatch")
        or is_a(data, "polars", "DataFrame")
        or is_a(data, "polars", "LazyFrame")
        or is_column(data)
    )


def is_column(data: Any) -> bool:
    """Tell whether that is one column of pyarrow, polars or a Hugging Face data set."""
    return (
        is_a(data, "datasets.arrow_dataset", "Column")
        or is_a(data, "pyarrow", "Array")
        or is_a(data, "pyarrow", "ChunkedArray")
        or is_a(data, "polars", "Series")
    )


def as_hugging_face(data: Any) -> Any:
    """Columns of `is_columns` as a Hugging Face data set that shares their memory; that of one column has one."""
    import datasets

    if is_a(data, "datasets.arrow_dataset", "Column"):
        if not is_a(data.source, "datasets", "Dataset"):
            return datasets.Dataset.from_dict({data.column_name: list(data)})
        return data.source.select_columns([data.column_name])
    import pyarrow as pa

    if is_a(data, "polars", "LazyFrame"):
        data = data.collect()
    if is_a(data, "polars", "Series"):
        data = pa.table({data.name or INPUT: data.to_arrow()})
    elif is_a(data, "polars", "DataFrame"):
        data = data.to_arrow()
    elif isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    elif not isinstance(data, pa.Table):
        data = pa.table({INPUT: data})
    _check_names(data.column_names)
    try:
        return datasets.Dataset(datasets.table.InMemoryTable(pa.table(_known(data))))
    except (ValueError, pa.ArrowException) as error:
        raise DataError(
            f"columns that are not read as they are ({error})",
            "numbers, booleans, texts, lists or categories",
            "cast those columns, or leave them out of the table",
        ) from error


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"several columns called {twice[0]!r}", "a name for each column", "rename or drop them")


def check_spelling(names: Iterable[Any]) -> None:
    """Raise a `DataError` for names of columns with lone surrogates, which pandas and Arrow have no place for."""
    bad = [name for name in names if isinstance(name, str) and has_surrogates(name)]
    if bad:
        raise DataError(
            f"lone surrogates in the name of column {bad[0]!r}",
            "names that UTF-8 has bytes for",
            "rename it: name.encode('utf-8', 'backslashreplace').decode()",
        )


def _known(table: Any) -> Any:
    """Columns of a table in types that Hugging Face has: categories become what they stand for, views plain texts."""
    import pyarrow as pa

    fields, columns = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if str(kind) == "string_view":
            kind = pa.large_string()
        elif str(kind) == "binary_view":
            kind = pa.large_binary()
        elif pa.types.is_null(kind):
            kind = pa.float32()
        fields.append(field.with_type(kind))
        columns.append(column if kind == field.type else column.cast(kind))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, table.schema.metadata))


def as_it_came(changed: Any, data: Any) -> Any:
    """Hugging Face data set that was made of `data` as a container of its kind; further columns are kept."""
    if is_a(data, "datasets", "Dataset"):
        return changed
    table = changed.with_format("arrow")[:]
    if is_a(data, "pyarrow", "Table") or is_a(data, "pyarrow", "RecordBatch"):
        for position, field in enumerate(data.schema):
            if table.schema.field(position).type != field.type:
                table = table.set_column(position, field, table.column(position).cast(field.type))
        return table
    import polars

    frame = polars.from_arrow(table)
    lazy = is_a(data, "polars", "LazyFrame")
    schema = data.collect_schema() if lazy else data.schema
    frame = frame.with_columns([frame[name].cast(kind) for name, kind in schema.items()])
    return frame.lazy() if lazy else frame


def is_pairs(data: Any) -> bool:
    """Tell whether that is rows (x, y), one by one, as torch data sets give them; two things alone are one pair."""
    return (
        isinstance(data, (list, tuple))
        and len(data) > 2
        and all(isinstance(row, (tuple, list)) and len(row) == 2 for row in data)
        and not any(isinstance(row[1], (list, tuple, Mapping)) or dimensions_of(row[1]) > 0 for row in data[:8])
    )


def dimensions_of(value: Any) -> int:
    """Number of dimensions of an array, a tensor or a column; 0 of a plain value."""
    return dimensions(value) if hasattr(value, "ndim") else 0


def unzipped(rows: Sequence[Sequence[Any]]) -> tuple[list[Any], list[Any]]:
    """Inputs and labels of rows (x, y)."""
    return [row[0] for row in rows], [row[1] for row in rows]


def is_records(data: Any) -> bool:
    """Tell whether that is rows as dictionaries, one by one."""
    return isinstance(data, (list, tuple)) and len(data) > 0 and all(isinstance(row, Mapping) for row in data)


def table_of(records: Sequence[Mapping[Any, Any]]) -> Any:
    """DataFrame of rows as dictionaries; texts stay Python's: pandas' own type has no lone surrogates."""
    import pandas as pd

    names = pd.Index([*dict.fromkeys(chain.from_iterable(records))], dtype=object)
    check_spelling(names)
    table = pd.DataFrame([*records], columns=names, dtype=object)
    types = {name: column.infer_objects().dtype for name, column in table.items() if not _is_text(column)}
    return table.astype(types)


def _is_text(column: Any) -> bool:
    from pandas.api.types import infer_dtype

    return bool(infer_dtype(column) == "string")


def taken(values: Any, rows: IntArray) -> Any:
    """Rows of an array, a tensor, a list, a column or a table, as what it is; all of them are no copy."""
    if len_of(values) == len(rows) and (rows == np.arange(len(rows))).all():
        return values
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if is_tensor(values):
        import torch

        if values.layout is torch.strided:
            return values[rows]
        listed = values.to_sparse_coo().index_select(0, torch.tensor(rows, device=values.device)).coalesce()
        if values.layout is torch.sparse_coo:
            return listed
        # Rows that are left need not fill blocks.
        return listed.to_sparse_csc() if values.layout is torch.sparse_csc else listed.to_sparse_csr()
    if is_a(values, "datasets", "Dataset"):
        return values.select(rows)
    if is_a(values, "datasets.arrow_dataset", "Column"):
        return values.source.select(rows)[values.column_name]
    if any(is_a(values, "pyarrow", kind) for kind in ("Table", "RecordBatch", "Array", "ChunkedArray")):
        import pyarrow as pa

        return values.take(pa.array(rows))
    if is_a(values, "polars", "LazyFrame"):
        return values.collect()[rows].lazy()
    if type(values).__module__.startswith("scipy.sparse"):
        return values.tocsr()[rows].asformat(values.format)
    if isinstance(values, (list, tuple)):
        return type(values)(values[row] for row in rows.tolist())
    return values[rows]


def len_of(values: Any) -> int:
    """Number of rows, of sparse matrices too."""
    return int(values.shape[0]) if hasattr(values, "shape") and len(values.shape) else len(values)


def is_row_by_row(data: Any) -> bool:
    """Tell whether an object is read by ``len`` and ``[row]`` alone, as torch data sets are."""
    kind = type(data)
    plain = isinstance(data, (str, bytes, Mapping, list, tuple, range, set, frozenset)) or hasattr(data, "shape")
    return not plain and not is_table(data) and hasattr(kind, "__len__") and hasattr(kind, "__getitem__")
