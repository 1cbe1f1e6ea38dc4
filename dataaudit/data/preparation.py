"""Tables as people keep them (numbers, categories, gaps) as numbers: standardised, one-hot encoded, filled."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.columns import listed
from dataaudit.data.derived import DerivedExamples, SubsetExamples
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import one_read, unfit
from dataaudit.data.kinds import is_table
from dataaudit.data.preprocessor import MOST_CATEGORIES, as_categories, kinds_of, one_hot
from dataaudit.data.texts import is_text
from dataaudit.errors import DataError

FEW_CATEGORIES = 50
"""Different texts that any column may hold; one of more of them must repeat them."""


@dataclass(frozen=True)
class Preparation:
    """Fitted steps that make rows of numbers of a table, and a note on them."""

    steps: ColumnTransformer
    numbers: tuple[Any, ...]
    note: str

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Preparation:
        """Fit the steps to the input columns of a table.

        Gaps among numbers are filled by the median and marked by a column of their own. Columns of strings, categories
        or booleans become one column a value, a gap among them; the rarest of more than `MOST_CATEGORIES` share one.

        Raises
        ------
        DataError
            If a column holds neither numbers nor categories, nothing at all, infinity, or free text.
        """
        numbers, categories = kinds_of(frame)
        for name in numbers:
            _check_numbers(name, frame[name])
        many = [name for name in categories if _distinct(name, frame[name]) > MOST_CATEGORIES]
        place = {name: position for position, name in enumerate(frame)}
        filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        # A mark of a rare gap, standardised, would put its row far from all others.
        marks = MissingIndicator(features="missing-only", error_on_new=False)
        steps = ColumnTransformer(
            [
                ("numbers", filled, [place[name] for name in numbers]),
                ("gaps", marks, [place[name] for name in numbers if frame[name].isna().any()]),
                ("categories", one_hot(), [place[name] for name in categories]),
            ]
        )
        gaps = int(frame[numbers].isna().to_numpy().sum()) if numbers else 0
        note = f"{_counted(numbers, 'numeric column')} standardised"
        note += f", {_counted(categories, 'column')} of categories one-hot encoded" if categories else ""
        note += f"; gaps filled by medians and marked: {gaps}" if gaps else ""
        note += f"; the rarest categories of {listed(many)} share a column" if many else ""
        fitted = cls(steps, tuple(numbers), note)
        steps.fit(fitted._plain(frame))
        return fitted

    def rows(self, frame: pd.DataFrame) -> AnyArray:
        """Rows float32 [n, d] of a table with the same columns."""
        return np.ascontiguousarray(self.steps.transform(self._plain(frame)), dtype=np.float32)

    def _plain(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Columns of float64 and of strings: pandas has several marks for a missing value."""
        try:
            plain = frame.astype({name: np.float64 for name in self.numbers})
        except (TypeError, ValueError) as error:
            raise DataError(
                f"values in the audited columns of numbers that are none ({error})", "numbers", "correct those rows"
            ) from error
        names: list[Any] = [name for name in frame if name not in self.numbers]
        if names:
            plain[names] = as_categories(frame[names])
        # Columns may have names of several types, which scikit-learn does not take.
        return plain.set_axis(range(plain.shape[1]), axis=1)


class PreparedExamples(DerivedExamples):
    """A table whose rows are read as numbers, see `Preparation`; people are shown the rows as they were.

    By default `preparation` is fitted to these rows.
    """

    def __init__(self, whole: Examples, preparation: Preparation | None = None) -> None:
        super().__init__(whole, whole.labels)
        frame = _table(whole)
        self.preparation = Preparation.of(frame) if preparation is None else preparation
        self._rows = self.preparation.rows(frame)
        self.notes = [*whole.notes, self.preparation.note]

    @property
    def width(self) -> int:
        """Number of input values a row."""
        return int(self._rows.shape[1])

    def without_label(self) -> Examples | None:
        """The rows that have no label, prepared as these."""
        rest = self.whole.without_label()
        return None if rest is None else PreparedExamples(rest, self.preparation)

    @property
    def given(self) -> Examples:
        """The table."""
        return self.whole

    @property
    def array(self) -> AnyArray:
        """All rows, float32 [n, d]."""
        return self._rows

    def show(self, index: int) -> Any:
        """Row `index` as it stands in the table."""
        return self.whole.show(index)

    def read_rows(self, indices: IntArray) -> AnyArray:
        """`read` for at least one row."""
        return self._rows[indices]


def prepared(examples: Examples, lenient: bool = False) -> Examples:
    """Examples that a network can read: those of a table as `PreparedExamples`, others as they are.

    One column of few texts that repeat is categories too. If `lenient`, rows that hold infinity are left out.
    """
    block = one_read(examples)
    if is_text(block):
        return PreparedExamples(examples) if _are_categories(_table(examples).iloc[:, 0]) else examples
    if not is_table(block):
        return examples
    usable = ~unfit(_table(examples), True) if lenient else np.ones(len(examples), bool)
    return PreparedExamples(examples if usable.all() else SubsetExamples(examples, np.flatnonzero(usable)))


def is_plain(frame: pd.DataFrame) -> bool:
    """Tell whether all columns are numbers or booleans without gaps, which need no preparation."""
    return all(map(pd.api.types.is_numeric_dtype, frame.dtypes)) and not frame.isna().any(axis=None)


def _table(examples: Examples) -> pd.DataFrame:
    block = examples.read(np.arange(len(examples), dtype=np.int64))
    return block if is_table(block) else pd.DataFrame({name: block for name in examples.columns[:1] or ["text"]})


def _check_numbers(name: Hashable, column: pd.Series) -> None:
    wrong = np.flatnonzero(np.isinf(column.to_numpy(np.float64, na_value=np.nan)))
    if len(wrong):
        raise DataError(
            f"an infinite number in column {name!r}, row {int(wrong[0])}",
            "finite numbers",
            ["correct that row", "pass on_bad_rows='drop'"],
        )
    if column.isna().all():
        raise DataError(f"column {name!r} without a single value", "some values", f"leave it out: exclude={name!r}")


def _distinct(name: Hashable, column: pd.Series) -> int:
    """Number of different values of one kind that are not missing."""
    present = column.dropna()
    try:
        distinct = len(sorted(present.unique().tolist()))
    except TypeError as error:
        raise DataError(
            f"column {name!r} with values that cannot be told apart as categories ({error})",
            "numbers, or categories of one type",
            [f"leave it out: exclude={name!r}", "turn its values into texts"],
        ) from error
    if distinct > FEW_CATEGORIES and 2 * distinct > len(present):
        raise DataError(
            f"column {name!r} with {distinct} different texts in {len(present)} rows",
            f"numbers, or categories: at most {FEW_CATEGORIES}, or each of them in two rows or more on average",
            [
                f"leave it out: exclude={name!r}",
                f"take it alone, as texts: inputs={name!r}",
                "turn it into numbers first",
            ],
        )
    return distinct


def _counted(names: list[Any], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def _are_categories(column: pd.Series) -> bool:
    distinct = column.dropna().nunique()
    return distinct <= FEW_CATEGORIES and 2 * distinct <= len(column)
