"""Label and input columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from dataaudit.data.labels import NoLabels
from dataaudit.errors import DataError, SettingError

LABEL_NAMES = ("label", "labels", "target", "class", "y")
"""Names by which a label column is recognised, in any case."""


def listed(columns: Sequence[Hashable], most: int = 20) -> str:
    """Column names for a message."""
    rest = f" and {len(columns) - most} more" if len(columns) > most else ""
    return ", ".join(repr(column) for column in columns[:most]) + rest


def check_column(column: Any, columns: Sequence[Hashable], option: str) -> None:
    """Raise a `DataError` that lists the columns unless `column` is one of them."""
    if column not in columns:
        raise DataError(
            f"{option}={column!r}",
            f"one of the columns {listed(columns)}",
            f"pass {option}= with one of them",
        )


def named_labels(columns: Sequence[Hashable]) -> list[Hashable]:
    """Columns that are called like a label."""
    return [column for column in columns if str(column).lower() in LABEL_NAMES]


def label_unknown(columns: Sequence[Hashable], candidates: Sequence[Hashable]) -> DataError:
    """Error for a label column that cannot be inferred."""
    arrived = f"{len(candidates)} possible label columns ({listed(candidates)})" if candidates else "no label column"
    return DataError(f"{arrived} among {listed(columns)}", "one label column", "name it: label=...")


def _as_list(inputs: Any) -> list[Any] | None:
    """`inputs` as a list of columns; one name stands for itself."""
    if inputs is None:
        return None
    if isinstance(inputs, set):
        inputs = sorted(inputs, key=str)
    chosen = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if not chosen:
        raise SettingError("inputs=[]", "at least one input column", "leave inputs= out to take the default")
    return chosen


def choose_columns(
    columns: Sequence[Hashable],
    label: Any,
    inputs: Any,
    infer_label: Callable[[list[Any]], Any],
    infer_inputs: Callable[[Any], list[Any]],
) -> tuple[Any, list[Any]]:
    """Label column, or `NoLabels`, and input columns, checked; those that are None are inferred from the others."""
    chosen = _as_list(inputs)
    if label is None:
        label = infer_label(chosen or [])
    if not isinstance(label, NoLabels):
        check_column(label, columns, "label")
    if chosen is None:
        chosen = infer_inputs(label)
    check_inputs(chosen, columns, label)
    return label, chosen


def check_inputs(chosen: Sequence[Any], columns: Sequence[Hashable], label: Any) -> None:
    """Raise a `DataError` unless `chosen` are distinct columns without the label."""
    for position, column in enumerate(chosen):
        check_column(column, columns, "inputs")
        if column == label:
            raise DataError(f"the label column {label!r} among the inputs", "inputs without it", "leave it out")
        if column in chosen[:position]:
            raise DataError(f"inputs column {column!r} twice", "each column once", "leave it out once")
