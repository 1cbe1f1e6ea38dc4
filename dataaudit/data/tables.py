"""Examples in a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dataaudit.common.types import IntArray
from dataaudit.data.columns import as_list, check_column, check_inputs, label_unknown, listed, named_labels
from dataaudit.data.examples import check_lengths, encode_labels
from dataaudit.data.labelled import LabelledExamples, label_values
from dataaudit.data.rows import stack, transformed
from dataaudit.data.texts import as_texts, holds_texts
from dataaudit.errors import DataError


class TableExamples(LabelledExamples):
    """The input columns of a DataFrame, and labels.

    Parameters
    ----------
    frame
        DataFrame [n, columns]; its values are shared, not copied.
    labels
        [n], in the order of the rows.
    inputs
        Input columns; all by default.
    transform
        Applied to one row at a time, a dict column -> value; returns an array or a tensor.
    lenient
        Whether a missing label is -1, not an error.

    Notes
    -----
    A single input column of strings is read as texts, every other choice as a DataFrame.

    Raises
    ------
    DataError
        If columns are named twice, lengths differ, or a Series of labels has the rows in another order.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        labels: Any,
        *,
        inputs: Any = None,
        transform: Callable[[Any], Any] | None = None,
        lenient: bool = False,
    ) -> None:
        _check_distinct(frame)
        chosen = as_list(inputs)
        if chosen is None:
            chosen = list(frame.columns)
        check_inputs(chosen, list(frame.columns), None)
        if not chosen:
            raise DataError("a DataFrame without input columns", "at least one", "add a column beside the label")
        if isinstance(labels, pd.Series):
            _check_order(frame, labels)
        values = label_values(labels)
        check_lengths(len(frame), len(values))
        super().__init__(*encode_labels(values, lenient=lenient))
        # A shallow copy: columns that the caller adds or drops later do not move ours.
        self._frame = frame.copy(deep=False)
        self._positions = [list(frame.columns).index(column) for column in chosen]
        self.transform = transform
        self.columns = tuple(chosen)
        self._text = transform is None and len(chosen) == 1 and holds_texts(self._frame.iloc[:, self._positions[0]])

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        label: Any = None,
        inputs: Any = None,
        transform: Callable[[Any], Any] | None = None,
        lenient: bool = False,
    ) -> TableExamples:
        """Examples of a DataFrame that has the labels in a column.

        Parameters
        ----------
        frame
            DataFrame [n, columns].
        label
            Label column. By default the column called label, labels, target, class or y; otherwise the only
            column of categories, strings or booleans, if its values repeat.
        inputs
            Input columns; all others by default.
        transform, lenient
            As for the class.

        Raises
        ------
        DataError
            If a column is unknown, or the label cannot be told; the columns are listed.
        """
        _check_distinct(frame)
        chosen = as_list(inputs)
        columns = list(frame.columns)
        if label is None:
            label = _infer_label(frame, chosen or [])
        check_column(label, columns, "label")
        if chosen is None:
            chosen = [column for column in columns if column != label]
        check_inputs(chosen, columns, label)
        if not chosen:
            raise DataError(
                f"a DataFrame with the label column {label!r} only",
                "at least one input column",
                "add a column beside the label",
            )
        made = cls(frame, frame[label], inputs=chosen, transform=transform, lenient=lenient)
        made.label_column = label
        return made

    @property
    def source(self) -> str:
        """What the data set is."""
        return "table"

    def show(self, index: int) -> dict[str, Any]:
        """Values of row `index` by column."""
        row = self._frame.iloc[[index], self._positions]
        return {
            str(name): row[name].iloc[0].item() if isinstance(row[name].iloc[0], np.generic) else row[name].iloc[0]
            for name in row.columns
        }

    def _read(self, indices: IntArray) -> Any:
        block = self._frame.iloc[indices, self._positions]
        if self._text:
            return as_texts(block.iloc[:, 0])
        if self.transform is None:
            return block
        made = [
            transformed(self.transform, values, row)
            for values, row in zip(block.to_dict("records"), indices.tolist(), strict=True)
        ]
        return stack(made, indices)


def as_numbers(frame: pd.DataFrame) -> NDArray[np.float32]:
    """Columns of numbers and booleans as float32 [b, d]; missing values become NaN.

    Raises
    ------
    DataError
        If a column holds anything else, or a value beyond the range of float32; the columns are named.
    """
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
            "choose columns with inputs=, or pass a scikit-learn pipeline that starts with dataaudit.preprocessor(...)",
        )
    with np.errstate(over="ignore"):
        numbers = frame.to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32)
    infinite = np.flatnonzero(np.isinf(numbers).any(axis=0))
    if len(infinite):
        raise DataError(
            f"values beyond float32 in columns {listed(list(frame.columns[infinite]))}",
            f"finite numbers up to {np.finfo(np.float32).max:.1e}",
            "rescale those columns",
        )
    return numbers


def _check_distinct(frame: pd.DataFrame) -> None:
    twice = frame.columns[frame.columns.duplicated()].unique()
    if len(twice):
        raise DataError(
            f"several columns called {listed(list(twice))}", "a name for each column", "rename or drop them"
        )


def _check_order(frame: pd.DataFrame, labels: pd.Series[Any]) -> None:
    """Raise if both indexes hold the same rows in another order: taken by position they would be mixed up."""
    if len(frame) != len(labels) or frame.index.equals(labels.index):
        return
    if frame.index.is_unique and labels.index.is_unique and frame.index.isin(labels.index).all():
        raise DataError(
            "labels whose index has the rows in another order than the inputs",
            "inputs and labels row by row",
            "pass labels.loc[inputs.index], or labels.to_numpy() if positions are right",
        )


def _infer_label(frame: pd.DataFrame, inputs: list[Any]) -> Hashable:
    """The one column that can be the label."""
    columns = [column for column in frame.columns if column not in inputs]
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
