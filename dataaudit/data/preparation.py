"""Tables as people keep them (numbers, categories, gaps) as numbers that a network takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.tables import TableExamples
from dataaudit.errors import DataError

MOST_CATEGORIES = 50


class PreparedTable(Examples):
    """Rows of a DataFrame, standardised and one-hot encoded; people are shown the rows as they were.

    Gaps among numbers are filled by the median and marked by a column of their own. Columns of strings, categories or
    booleans become one column a value, `MOST_CATEGORIES` at most. `inputs` are by default all columns but the label.
    """

    source = "table"

    def __init__(
        self,
        frame: pd.DataFrame,
        label: str,
        inputs: list[str] | None = None,
        *,
        key: str | None = None,
        exclude: list[str] | None = None,
    ) -> None:
        table = TableExamples(frame, label=label, inputs=inputs, key=key, exclude=exclude)
        super().__init__(table.labels, table.class_names)
        self.label_column, self.columns, self.identity = label, table.columns, table.identity
        self._frame = frame[list(table.columns)]
        self._rows, notes = _prepare(self._frame)
        self.notes = [*table.notes, *notes]

    @property
    def width(self) -> int:
        """Number of input values a row."""
        return int(self._rows.shape[1])

    def show(self, index: int) -> dict[str, Any]:
        """Row `index` as it stands in the table."""
        # Column by column: one row of several types would turn whole numbers into fractions.
        return {str(name): self._frame[name].iloc[int(index)] for name in self._frame.columns}

    def read_rows(self, indices: IntArray) -> AnyArray:
        """`read` for at least one row."""
        return self._rows[indices]


def _prepare(frame: pd.DataFrame) -> tuple[AnyArray, list[str]]:
    numbers = [n for n in frame if pd.api.types.is_numeric_dtype(frame[n]) and not pd.api.types.is_bool_dtype(frame[n])]
    names = [name for name in frame if name not in numbers]
    for name in numbers:
        wrong = np.flatnonzero(np.isinf(frame[name].to_numpy(np.float64, na_value=np.nan)))
        if len(wrong):
            raise DataError(
                f"an infinite number in column {name!r}, row {int(wrong[0])}", "finite numbers", "correct that row"
            )
        if frame[name].isna().all():
            raise DataError(f"column {name!r} without a single value", "some values", "leave it out with --inputs")
    for name in names:
        distinct = _distinct(frame[name])
        if distinct > MOST_CATEGORIES:
            raise DataError(
                f"column {name!r} with {distinct} different texts",
                f"numbers, or at most {MOST_CATEGORIES} categories",
                "leave it out by naming the others with --inputs, or turn it into numbers first",
            )
    filled = SimpleImputer(strategy="median", add_indicator=True)
    steps = ColumnTransformer(
        [
            ("numbers", make_pipeline(filled, StandardScaler()), numbers),
            ("categories", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), names),
        ]
    )
    plain = frame.astype({name: np.float64 for name in numbers})
    for name in names:
        # pandas has several marks for a missing value; the encoder does not know all of them.
        plain[name] = frame[name].astype(object).where(frame[name].notna(), None)
    rows = np.ascontiguousarray(steps.fit_transform(plain), dtype=np.float32)
    gaps = int(frame[numbers].isna().to_numpy().sum()) if numbers else 0
    note = f"{len(numbers)} numeric columns standardised, {len(names)} columns of categories one-hot encoded"
    return rows, [note + (f"; {gaps} gaps filled by medians and marked" if gaps else "")]


def _distinct(column: pd.Series) -> int:
    """Number of different values of one kind that are not missing."""
    try:
        return len(sorted(column.dropna().unique().tolist()))
    except TypeError as error:
        raise DataError(
            f"column {column.name!r} with values that cannot be told apart as categories ({error})",
            f"numbers, or at most {MOST_CATEGORIES} categories of one type",
            "leave it out by naming the others with --inputs, or convert it, for example to texts",
        ) from error
