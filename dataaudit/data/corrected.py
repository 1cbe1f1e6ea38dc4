"""A caller's data set with some rows left out and some labels exchanged: what came in comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.data.card import carded
from dataaudit.data.containers import as_it_came, is_columns, is_pairs, is_records, is_row_by_row, taken, unzipped
from dataaudit.data.examples import Examples
from dataaudit.data.export import as_dataset, with_column, with_labels
from dataaudit.data.kinds import is_a, is_table
from dataaudit.errors import DataError


@dataclass(frozen=True)
class Changes:
    """Changes to a data set.

    Attributes
    ----------
    kept
        Rows that stay, ascending, int64 [k].
    rows, classes
        Those of them that get another label, ascending, and which, int64 [b].
    weights
        Weights of the rows that stay, float32 [k], or None.
    card
        Section for the card of a Hugging Face data set, in Markdown; empty for none.
    """

    kept: IntArray
    rows: IntArray
    classes: IntArray
    weights: FloatArray | None = None
    card: str = ""


def corrected(examples: Examples, known: tuple[IntArray, IntArray], changes: Changes) -> Any:
    """The caller's data set, changed, as what it was passed as.

    A Hugging Face data set (or all splits, one of them exchanged), a DataFrame with its index and columns, a pair
    (inputs, labels), or a torch data set of (x, y); weights are a further column ``weight`` or a third part.
    `known` are audited rows and their labels [n], by which classes are spelled.
    """
    origin = examples.origin
    dataset: Any = None if origin is None else origin.dataset
    if is_records(dataset):
        frame = _frame(pd.DataFrame(list(dataset)), examples, known, changes)
        return type(dataset)(frame.to_dict("records"))
    if origin is not None and (is_a(dataset, "datasets", "Dataset") or is_columns(dataset)):
        whole, label = as_dataset(examples)
        whole = with_labels(whole, label, changes.rows, changes.classes, known, len(examples.class_names))
        if changes.weights is not None:
            spread = np.zeros(len(whole), np.float32)
            spread[changes.kept] = changes.weights
            whole = with_column(whole, "weight", spread)
        whole = whole if len(changes.kept) == len(whole) else whole.select(changes.kept)
        if is_columns(dataset):
            return as_it_came(whole, dataset)
        if origin.splits is not None:
            whole = type(origin.splits)({**origin.splits, str(origin.split): whole})
        return carded(whole, changes.card) if changes.card else whole
    if is_table(dataset):
        return _frame(dataset, examples, known, changes)
    if is_pairs(dataset):
        inputs, labels = unzipped(dataset)
        parts = (taken(inputs, changes.kept), _relabelled(labels, known, changes, examples))
        extra = () if changes.weights is None else (changes.weights.tolist(),)
        return type(dataset)(zip(*parts, *extra, strict=True))
    if isinstance(dataset, (tuple, list)):
        inputs, labels = dataset
        parts = (taken(inputs, changes.kept), _relabelled(labels, known, changes, examples))
        return parts if changes.weights is None else (*parts, changes.weights)
    if is_a(dataset, "torch.utils.data", "Dataset") or is_row_by_row(dataset):
        from dataaudit.data.torch import CorrectedDataset

        return CorrectedDataset(dataset, changes.kept, _by_position(examples, known, changes), changes.weights)
    raise DataError(
        f"an audit of a data set that cannot be changed ({examples.source})",
        "a Hugging Face data set, a DataFrame, (inputs, labels) or a torch data set",
        "select from your own data set by audit.rows, audit.labels and audit.suggested",
    )


def _frame(frame: Any, examples: Examples, known: tuple[IntArray, IntArray], changes: Changes) -> Any:
    """A DataFrame, changed."""
    values = _relabelled(frame[examples.label_column], known, changes, examples)
    changed = frame.iloc[changes.kept].copy(deep=False)
    changed[examples.label_column] = values
    return changed if changes.weights is None else changed.assign(weight=changes.weights)


def _first(known: tuple[IntArray, IntArray], classes: int) -> IntArray:
    """A row that carries each class [C], -1 where none does."""
    rows, labels = known
    first = np.full(classes, -1, np.int64)
    present, positions = np.unique(labels, return_index=True)
    first[present] = rows[positions]
    return first


def _carriers(examples: Examples, known: tuple[IntArray, IntArray], classes: IntArray) -> IntArray:
    """A row with each of the labels that are to be given."""
    first = _first(known, len(examples.class_names))[classes]
    if (first < 0).any():
        name = examples.class_names[int(classes[np.argmax(first < 0)])]
        raise DataError(
            f"the label {name!r}, which no row of the data set carries",
            "labels that are spelled somewhere in it",
            "choose another label for these rows, or correct them yourself",
        )
    return first


def _relabelled(labels: Any, known: tuple[IntArray, IntArray], changes: Changes, examples: Examples) -> Any:
    """Labels of the rows that stay, of the type that they have."""
    take = np.arange(len(labels))
    take[changes.rows] = _carriers(examples, known, changes.classes)
    chosen = taken(labels, take[changes.kept])
    return chosen.set_axis(labels.index[changes.kept]) if hasattr(chosen, "set_axis") else chosen


def _by_position(examples: Examples, known: tuple[IntArray, IntArray], changes: Changes) -> Mapping[int, int]:
    """Row whose label each changed row gets."""
    carriers: AnyArray = _carriers(examples, known, changes.classes)
    return dict(zip(changes.rows.tolist(), carriers.tolist(), strict=True))
