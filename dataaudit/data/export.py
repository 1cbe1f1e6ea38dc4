"""Columns added to a Hugging Face data set, or one of them exchanged; what is on disk stays there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa

from dataaudit.common.spelling import escaped, has_surrogates
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.columns import listed
from dataaudit.data.containers import as_hugging_face, is_columns, is_pairs, is_records, unzipped
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_a, is_tensor
from dataaudit.data.labels import Declared, label_values, unmasked
from dataaudit.data.rows import as_array
from dataaudit.data.sparse import is_sparse
from dataaudit.errors import DataError


def as_dataset(examples: Examples) -> tuple[datasets.Dataset, str]:
    """The caller's data set as a Hugging Face one, all of its columns and rows, and the name of its label column.

    A Hugging Face data set is itself, without its format; a DataFrame's columns are copied where Arrow cannot share
    them, arrays always.
    """
    origin = examples.origin
    dataset: Any = None if origin is None else origin.dataset
    if is_columns(dataset):
        return as_hugging_face(dataset), str(examples.label_column)
    if is_records(dataset):
        dataset = pd.DataFrame(list(dataset))
    if is_a(dataset, "datasets", "Dataset"):
        return dataset.with_format(None), str(examples.label_column)
    if is_a(dataset, "pandas", "DataFrame"):
        return _of_frame(dataset), str(examples.label_column)
    if isinstance(dataset, (tuple, list)):
        inputs, labels = unzipped(dataset) if is_pairs(dataset) else dataset
        given = label_values(labels)
        labels = np.asarray(given.names, dtype=object)[given.values] if isinstance(given, Declared) else given
        if is_columns(inputs) or is_a(inputs, "datasets", "Dataset"):
            whole = as_hugging_face(inputs) if is_columns(inputs) else inputs.with_format(None)
            return add_columns(whole, {"label": (pa.array(_plain(labels), from_pandas=True), None)}), "label"
        if is_a(inputs, "pandas", "DataFrame"):
            check_free(["label"], list(map(str, inputs.columns)))
            frame = inputs.copy(deep=False)
            frame["label"] = labels.to_numpy() if isinstance(labels, pd.Series) else labels
            return _of_frame(frame), "label"
        if is_sparse(inputs):
            raise DataError(
                "an audit of a sparse matrix, which has no columns of Arrow's",
                "a Hugging Face Dataset, a DataFrame or (inputs, labels) arrays",
                "select from your own data set by audit.rows, audit.labels and audit.suggested",
            )
        inputs = as_array(inputs) if is_tensor(inputs) else inputs
        columns = {"input": inputs, "label": labels}
        return _made(datasets.Dataset.from_dict, {name: _plain(one) for name, one in columns.items()}), "label"
    raise DataError(
        f"an audit of a data set without columns ({examples.source})",
        "a Hugging Face Dataset, a DataFrame or (inputs, labels) arrays",
        "select from your own data set by audit.rows, audit.labels and audit.suggested",
    )


def _plain(values: Any) -> Any:
    """Arrays and lists as `Dataset.from_dict` takes them."""
    if isinstance(values, (pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        values = values.to_numpy()
    if isinstance(values, np.ma.MaskedArray):
        values = unmasked(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "OUST":
        return [None if _is_gap(value) else _encodable(value) for value in values.tolist()]
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        # Arrow knows numbers of this machine's byte order, of 64 bits at most.
        return values.astype(np.float64 if values.itemsize > 8 else values.dtype.newbyteorder("="), copy=False)
    return [_encodable(value) for value in values] if isinstance(values, (list, tuple, range)) else values


def _is_gap(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _made(make: Callable[..., Any], *given: Any, **options: Any) -> datasets.Dataset:
    """The data set that `make` gives, or a `DataError` that says which values it has no type for."""
    try:
        return make(*given, **options)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, OSError) as error:
        raise DataError(
            f"values that Arrow has no type for ({error})",
            "numbers of at most 64 bits, texts, lists or images",
            "select from your own data set by audit.rows, audit.labels and audit.suggested",
        ) from error


def _encodable(value: Any) -> Any:
    """A value that Arrow takes: lone surrogates are escaped, as in names of classes and rows, intervals spelled."""
    if isinstance(value, (pd.Interval, pd.Period)):
        return str(value)
    return escaped(value) if isinstance(value, str) and has_surrogates(value) else value


def _of_frame(frame: pd.DataFrame) -> datasets.Dataset:
    plain = frame.rename(columns=str)
    for name in plain.columns:
        if isinstance(plain[name].dtype, pd.CategoricalDtype):
            # Hugging Face has no type for the dictionaries that Arrow would make of them.
            plain[name] = plain[name].astype(object)
        kind = plain[name].dtype
        if isinstance(kind, pd.SparseDtype):
            plain[name] = plain[name].astype(kind.subtype)
        if isinstance(plain[name].dtype, (pd.IntervalDtype, pd.PeriodDtype)):
            plain[name] = plain[name].astype(object)
        if plain[name].dtype == object:
            plain[name] = pd.Series([_encodable(value) for value in plain[name]], plain.index, object)
    return _made(datasets.Dataset.from_pandas, plain, preserve_index=False)


def add_columns(dataset: datasets.Dataset, columns: Mapping[str, tuple[pa.Array, Any]]) -> datasets.Dataset:
    """The data set with more columns, each an Arrow array with its feature; existing ones are not copied."""
    check_free(list(columns), dataset.column_names)
    known = {name: feature or datasets.Value(str(array.type)) for name, (array, feature) in columns.items()}
    features = datasets.Features(known)
    table = pa.table({name: array.cast(features.arrow_schema.field(name).type) for name, (array, _) in columns.items()})
    added = datasets.Dataset(table, info=datasets.DatasetInfo(features=features))
    return datasets.concatenate_datasets([dataset, added], axis=1)


def check_free(names: list[str], taken: list[str]) -> None:
    """Raise `DataError` if a data set with columns `taken` has one of the new `names`."""
    clash = [name for name in names if name in taken]
    if clash:
        raise DataError(
            f"a data set that has {listed(clash)} already",
            "names that are free for new columns",
            "rename those columns, or remove them where they come from an earlier audit",
        )


def label_array(dataset: datasets.Dataset, label: str) -> pa.Array:
    """Label column of all rows, as stored."""
    column = dataset.select_columns([label]).with_format("arrow")[:][label]
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def class_values(given: pa.Array, feature: Any, labels: IntArray, rows: IntArray, classes: int) -> pa.Array:
    """Spelling of each class [C] in the label column `given`; null for a class that no row carries.

    `labels` are those of the audited rows [n], whose positions in the column are `rows`.
    """
    if isinstance(feature, datasets.ClassLabel):
        return pa.array(np.arange(classes), given.type)
    first = np.full(classes, -1, np.int64)
    present, positions = np.unique(labels, return_index=True)
    first[present] = rows[positions]
    return given.take(pa.array(first, mask=first < 0))


def spread(values: AnyArray, rows: IntArray, total: int, unknown: Any = None) -> pa.Array:
    """Values [n] of `rows` as an Arrow array [total], null elsewhere and where `unknown`."""
    filled = np.zeros(total, values.dtype)
    empty = np.ones(total, bool)
    filled[rows] = values
    empty[rows] = np.zeros(len(rows), bool) if unknown is None else unknown
    return pa.array(filled, mask=empty)


def relabelled(dataset: datasets.Dataset, label: str, rows: IntArray, classes: IntArray, values: pa.Array) -> Any:
    """The data set with `rows` of the classes [b] in its label column; other columns are not copied."""
    given = label_array(dataset, label)
    take = np.arange(len(given))
    take[rows] = len(given) + classes
    # Concatenating by one name keeps text columns of two widths apart.
    column = pa.concat_arrays([given, values.cast(given.type)]).take(pa.array(take))
    order, feature = dataset.column_names, dataset.features[label]
    return add_columns(dataset.remove_columns([label]), {label: (column, feature)}).select_columns(order)


def with_labels(
    dataset: datasets.Dataset,
    label: str,
    rows: IntArray,
    classes: IntArray,
    known: tuple[IntArray, IntArray],
    count: int,
) -> Any:
    """The data set with `rows` of the classes [b], of `count`, spelled as the audited rows and labels `known` do."""
    if not len(rows):
        return dataset
    values = class_values(label_array(dataset, label), dataset.features[label], known[1], known[0], count)
    return relabelled(dataset, label, rows, classes, values)


def with_column(dataset: datasets.Dataset, name: str, values: AnyArray) -> datasets.Dataset:
    """The data set with a float32 column more."""
    return add_columns(dataset, {name: (pa.array(values), datasets.Value("float32"))})
