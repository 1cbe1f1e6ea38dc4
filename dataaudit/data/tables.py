"""Examples in a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.data.column_notes import notes_on_columns
from dataaudit.data.columns import choose_columns, label_unknown, listed, named_labels
from dataaudit.data.containers import check_spelling
from dataaudit.data.examples import Examples
from dataaudit.data.identity import identity_of
from dataaudit.data.labels import NoLabels, check_lengths, encode_labels, label_values
from dataaudit.data.row_numbers import without_ids
from dataaudit.data.rows import transformed_rows
from dataaudit.data.texts import as_texts, holds_texts
from dataaudit.data.vector_columns import check_vectors, holds_vectors, read_vectors
from dataaudit.errors import DataError, InPython


class TableExamples(Examples):
    """The input columns of a DataFrame, whose values are shared, and labels; see `dataaudit.data.as_examples`.

    Labels [n] are in the order of the rows, or in the column `label`: by default the one called label, labels, target,
    class or y; otherwise the only column of categories, strings or booleans, if its values repeat. `transform` is
    applied to a dict column -> value. A single input column of strings is read as texts, one of lists or arrays as
    vectors, beside which numbers may stand, every other choice as a DataFrame.
    """

    source = "table"

    def __init__(
        self,
        frame: pd.DataFrame,
        labels: Any = None,
        *,
        label: Any = None,
        inputs: Any = None,
        key: Any = None,
        exclude: Any = None,
        transform: Callable[[Any], Any] | None = None,
        lenient: bool = False,
        unlabelled: tuple[Any, ...] | None = None,
    ) -> None:
        columns = list(frame.columns)
        twice = frame.columns[frame.columns.duplicated()].unique()
        if len(twice):
            raise DataError(
                f"several columns called {listed(list(twice))}", "a name for each column", "rename or drop them"
            )
        check_spelling(columns)
        named = label if labels is None else NoLabels(0)
        named, chosen = choose_columns(
            columns, named, inputs, partial(_infer_label, frame), partial(_others, columns), key, exclude
        )
        if not chosen:
            raise DataError(
                "a DataFrame without input columns"
                if labels is not None
                else f"a DataFrame with the label column {named!r} only",
                "at least one input column",
                "add a column beside the label",
            )
        if labels is None:
            label, labels = named, frame[named]
        if inputs is None and transform is None:
            chosen, self.notes = without_ids(chosen, frame.__getitem__)
        if isinstance(labels, pd.Series):
            _check_order(frame, labels)
        values = label_values(labels, self.task)
        check_lengths(len(frame), len(values))
        super().__init__(*encode_labels(values, None, lenient, self.task, unlabelled))
        self.label_column, self.columns, self.transform = label, tuple(chosen), transform
        self.identity = row_names(frame, key)
        # A shallow copy: columns that the caller adds or drops later do not move ours.
        self.frame = with_decimals(frame.copy(deep=False), chosen)
        self._positions = [columns.index(column) for column in chosen]
        inputs_of = self.frame.iloc[:, self._positions]
        self._text = transform is None and len(chosen) == 1 and holds_texts(inputs_of.iloc[:, 0])
        # Decided once: a block of rows may hold gaps alone.
        held = [transform is None and holds_vectors(inputs_of.iloc[:, place]) for place in range(len(chosen))]
        self._vectors = held if any(held) else None
        if self._vectors:
            check_vectors(inputs_of)
        elif transform is None and not self._text:
            self.notes = [*self.notes, *notes_on_columns(chosen, self.frame.__getitem__, self.labels)]

    def show(self, index: int) -> dict[str, Any]:
        """Values of row `index` by column."""
        # Column by column: one row of several types would turn whole numbers into fractions.
        values = {str(column): self.frame[column].iloc[index] for column in self.columns}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}

    def read_rows(self, indices: IntArray) -> Any:
        """`read` for at least one row."""
        block = self.frame.iloc[indices, self._positions]
        if self._text:
            return as_texts(block.iloc[:, 0])
        if self._vectors:
            return read_vectors(block, indices, self._vectors)
        if self.transform is None:
            return block
        values = dict(zip(indices.tolist(), block.to_dict("records"), strict=True))
        return transformed_rows(self.transform, values.__getitem__, indices)


def row_names(frame: pd.DataFrame, key: Any = None) -> Any:
    """Names of the rows: the column `key`, otherwise the index; None where that is the positions."""
    if key is None:
        return identity_of(frame.index, "a DataFrame's index", "drop it: frame.reset_index(drop=True)")
    return identity_of(pd.Index(frame[key], name=str(key)), f"key={key!r}", "name another column")


def _others(columns: list[Any], taken: list[Any]) -> list[Any]:
    return [column for column in columns if column not in taken]


def with_decimals(frame: pd.DataFrame, columns: list[Any]) -> pd.DataFrame:
    """The table, columns of `decimal.Decimal` as floats."""
    for column in columns:
        values = frame[column]
        if pd.api.types.infer_dtype(values, skipna=True) == "decimal":
            frame[column] = values.map(float, na_action="ignore").astype(np.float64)
    return frame


def as_numbers(frame: pd.DataFrame) -> FloatArray:
    """Columns of numbers and booleans as float64 [b, d], within float32's range; missing values become NaN."""
    kinds = pd.api.types
    other = [
        column
        for column, dtype in zip(frame.columns, frame.dtypes, strict=True)
        if not (kinds.is_numeric_dtype(dtype) or kinds.is_bool_dtype(dtype)) or kinds.is_complex_dtype(dtype)
    ]
    if other:
        raise DataError(
            f"columns that are not numbers: {listed(other)}",
            "columns of numbers or booleans",
            [
                f"leave them out: exclude={other!r}",
                InPython("pass a scikit-learn pipeline that starts with dataaudit.preprocessor(dataset, label)"),
            ],
        )
    numbers = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        infinite = np.flatnonzero(np.isinf(numbers.astype(np.float32)).any(axis=0))
    if len(infinite):
        raise DataError(
            f"values beyond float32 in columns {listed(list(frame.columns[infinite]))}",
            f"finite numbers up to {np.finfo(np.float32).max:.1e}",
            "rescale those columns",
        )
    return numbers


def _check_order(frame: pd.DataFrame, labels: pd.Series[Any]) -> None:
    """Raise if both indexes hold the same rows in another order: taken by position they would be mixed up."""
    if len(frame) != len(labels) or frame.index.equals(labels.index):
        return
    if frame.index.is_unique and labels.index.is_unique and frame.index.isin(labels.index).all():
        raise DataError(
            "labels whose index has the rows in another order than the inputs",
            "inputs and labels row by row",
            "pass labels.loc[inputs.index], or pass labels.to_numpy() if positions are right",
        )


def _infer_label(frame: pd.DataFrame, taken: list[Any]) -> Hashable:
    """The one column that can be the label."""
    columns: list[Hashable] = _others(list(frame.columns), taken)
    named = named_labels(columns)
    if len(named) == 1:
        return named[0]
    kinds = pd.api.types
    classes = [
        column
        for column in columns
        if isinstance(frame[column].dtype, pd.CategoricalDtype)
        or kinds.is_bool_dtype(frame[column].dtype)
        or kinds.is_string_dtype(frame[column])
    ]
    # A column in which every value is new is a name or a key.
    if not named and len(classes) == 1 and frame[classes[0]].nunique() < len(frame):
        return classes[0]
    raise label_unknown(list(frame.columns), named or classes)
