"""Rows that were not audited, with or without labels, read as the audited ones were."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Any

import numpy as np

from dataaudit.common.spelling import class_name
from dataaudit.common.types import IntArray
from dataaudit.data import as_examples
from dataaudit.data.adapters import Reading, examples_of
from dataaudit.data.columns import check_column, named_labels
from dataaudit.data.containers import as_hugging_face, is_columns, is_pairs, is_records, len_of
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import dimensions, is_a, is_table, is_tensor
from dataaudit.data.labels import Declared, NoLabels, check_lengths, label_values
from dataaudit.data.sparse import is_sparse
from dataaudit.errors import DataError, did_you_mean, rows
from dataaudit.tasks.classification import label_column


def as_unseen(
    dataset: Any,
    labels: Any,
    audited: Examples,
    *,
    split: str | None = None,
    label: Any = None,
    inputs: Any = None,
    transform: Callable[[Any], Any] | None = None,
    raw: bool = False,
) -> tuple[Examples, IntArray | None]:
    """Rows that were not audited, and their labels as positions in the audited class names, int64 [m], or None.

    Inputs come alone (an array, a tensor, a list, a DataFrame, a Hugging Face data set), with `labels` [m] or without
    any, or with labels as `dataaudit.data.as_examples` takes them. Class names, columns and, unless another is given,
    the transform are those of the `audited` rows. A table is labelled if it has the column `label`, or one that is
    called like a label. `raw` is as for `as_examples`: inputs need not be like the audited ones then.
    """
    transform = audited.transform if transform is None else transform
    pair = isinstance(dataset, tuple) and len(dataset) == 2 and not _is_row_pair(dataset)
    if pair and labels is not None:
        raise DataError("labels= beside the pair (inputs, labels)", "labels once", "leave out labels=")
    if pair:
        dataset, labels = dataset
    if is_a(dataset, "datasets", "DatasetDict") and split in dataset:
        dataset, split = dataset[split], None
    if is_columns(dataset):
        dataset = as_hugging_face(dataset)
    table = is_a(dataset, "pandas", "DataFrame")
    if table or is_a(dataset, "datasets", "Dataset"):
        examples, labels = _of_columns(dataset, table, labels, audited, label, inputs, transform)
    elif not is_pairs(dataset) and (labels is not None or _are_inputs(dataset)):
        examples = examples_of(dataset, NoLabels(_count(dataset)), Reading(transform=transform, raw=raw))
    else:
        # An `Examples` reads its rows as it does.
        applied = None if isinstance(dataset, Examples) else transform
        examples = as_examples(dataset, split=split, label=label, inputs=inputs, transform=applied, raw=raw)
        labels = np.asarray(examples.class_names, dtype=object)[examples.labels]
    if not len(examples):
        raise DataError("a data set without rows", "at least one row to score", "pass a data set with rows")
    known = None if labels is None else _positions(labels, len(examples), audited.class_names)
    if not raw:
        _check_inputs(examples, audited)
    return examples, known


def _are_inputs(dataset: Any) -> bool:
    """Tell whether that is inputs alone, and not a data set."""
    rows = isinstance(dataset, (np.ndarray, list, tuple)) and not is_records(dataset)
    return rows or is_tensor(dataset) or is_sparse(dataset)


def _is_row_pair(dataset: tuple[Any, Any]) -> bool:
    """Tell whether that is two inputs: the second has rows of its own, and is as deep as the first."""
    first, second = (dimensions(part) for part in dataset)
    return first == second and second > 1


def _count(dataset: Any) -> int:
    if not isinstance(dataset, Sized) and not hasattr(dataset, "shape"):
        raise DataError(f"inputs of type {type(dataset).__name__}", "inputs with a length", "pass an array [m, ...]")
    return len_of(dataset)


def _of_columns(
    dataset: Any, table: bool, labels: Any, audited: Examples, label: Any, inputs: Any, transform: Any
) -> tuple[Examples, Any]:
    """The audited columns, and the labels of a column if there is one."""
    columns = list(dataset.columns if table else dataset.features)
    chosen = inputs
    if chosen is None and audited.columns:
        chosen = list(audited.columns)
        for column in chosen:
            check_column(column, columns, "inputs")
    if label is None and labels is None:
        candidates = [column for column in named_labels(columns) if column not in (chosen or [])]
        label = candidates[0] if len(candidates) == 1 else None
    elif label is not None and labels is not None:
        raise DataError(f"labels= beside label={label!r}", "labels once", ["leave out labels=", "leave out label="])
    if label is not None:
        check_column(label, columns, "label")
        labels = _named(dataset, table, label)
    if chosen is None:
        chosen = [column for column in columns if column != label]
    if table:
        from dataaudit.data.tables import TableExamples

        return TableExamples(dataset, NoLabels(len(dataset)), inputs=chosen, transform=transform), labels
    from dataaudit.data.huggingface import HuggingFaceExamples

    return HuggingFaceExamples(dataset, NoLabels(len(dataset)), inputs=chosen, transform=transform), labels


def _named(dataset: Any, table: bool, label: Any) -> Any:
    """Labels of a column, by name where the data set has names for them."""
    if table:
        return dataset[label]
    values = dataset.select_columns([label]).with_format("arrow")[:][label].to_pandas()
    names = getattr(dataset.features[label], "names", None)
    if names is None:
        return values
    return values.map(lambda value: names[int(value)] if value is not None and 0 <= value < len(names) else None)


def _positions(labels: Any, count: int, class_names: Sequence[str]) -> IntArray:
    """Labels as positions in the audited class names."""
    import pandas as pd

    given = label_values(labels)
    if isinstance(given, Declared):
        given = [given.names[value] if 0 <= value < len(given.names) else None for value in given.values]
    values = label_column(given)
    check_lengths(count, len(values))
    missing = np.flatnonzero(values.isna().to_numpy())
    if len(missing):
        raise DataError(
            f"missing labels in {rows(missing)}",
            "a label for every row, or none at all",
            ["drop those rows", "leave out the labels"],
        )
    if pd.api.types.is_float_dtype(values.dtype) and (values == values.round()).all():
        values = values.astype(np.int64)
    spelled = values.map(class_name)
    positions = spelled.map({name: position for position, name in enumerate(class_names)})
    unknown = np.flatnonzero(positions.isna().to_numpy())
    if len(unknown):
        names = sorted(set(spelled.iloc[unknown]))
        named = ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise DataError(
            f"labels that were not audited: {named} in {rows(unknown)}",
            "classes of the audit, or no labels",
            did_you_mean(names[0], class_names),
        )
    return np.asarray(positions, np.int64)


def _check_inputs(examples: Examples, audited: Examples) -> None:
    """Raise unless inputs have the shape, and pixels the unit, of the audited ones."""
    first = np.zeros(1, np.int64)
    new, known = examples.read(first), audited.read(first)
    if is_table(new) != is_table(known):
        kinds = ["a table" if is_table(part) else "an array" for part in (new, known)]
        raise DataError(f"{kinds[0]} of inputs", f"{kinds[1]}, as was audited", "pass the same kind of data set")
    if is_table(new):
        if list(new.columns) != list(known.columns):
            raise DataError(
                f"columns {list(map(str, new.columns))}",
                f"the audited ones, {list(map(str, known.columns))}",
                f"pass inputs={list(known.columns)!r}",
            )
        return
    if new.shape[1:] != known.shape[1:]:
        raise DataError(
            f"inputs of shape {new.shape[1:]}",
            f"the audited shape, {known.shape[1:]}",
            "resize or reshape them as the audited ones were",
        )
    if (new.dtype == np.uint8) != (known.dtype == np.uint8):
        raise DataError(
            f"inputs of type {new.dtype}",
            f"{known.dtype} as was audited: 8-bit pixels and other numbers have different units",
            "convert them as the audited ones were",
        )
