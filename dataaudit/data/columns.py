"""Label and input columns of a table."""

from __future__ import annotations

import difflib
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
        near = difflib.get_close_matches(str(column), map(str, columns), n=1)
        known = next((name for name in columns if str(name) in near), None)
        raise DataError(
            f"{option}={column!r}",
            f"one of the columns {listed(columns)}",
            f"pass {option}= with one of them" if known is None else f"pass {option}={known!r}",
        )


def named_labels(columns: Sequence[Hashable]) -> list[Hashable]:
    """Columns that are called like a label."""
    return [column for column in columns if _own_part(column).lower() in LABEL_NAMES]


def _own_part(column: Hashable) -> str:
    """Name of a column, under several headings the last that is there."""
    parts = column if isinstance(column, tuple) else (column,)
    return str(next((part for part in reversed(parts) if part != ""), ""))


def label_unknown(columns: Sequence[Hashable], candidates: Sequence[Hashable]) -> DataError:
    """Error for a label column that cannot be inferred."""
    arrived = f"{len(candidates)} possible label columns ({listed(candidates)})" if candidates else "no label column"
    # The last one, where most tables have their labels.
    advice = f"name it, such as label={candidates[-1]!r}" if candidates else "name it with label="
    return DataError(f"{arrived} among {listed(columns)}", "one label column", advice)


def _as_list(option: str, columns: Any) -> list[Any]:
    """`inputs` or `exclude` as a list of columns; one name stands for itself, None for none."""
    if columns is None:
        return []
    if isinstance(columns, set):
        columns = sorted(columns, key=str)
    chosen = list(columns) if isinstance(columns, (list, tuple)) else [columns]
    if not chosen:
        raise SettingError(f"{option}=[]", "at least one column", f"leave {option}= out to take the default")
    return chosen


def choose_columns(
    columns: Sequence[Hashable],
    label: Any,
    inputs: Any,
    infer_label: Callable[[list[Any]], Any],
    infer_inputs: Callable[[list[Any]], list[Any]],
    key: Any = None,
    exclude: Any = None,
) -> tuple[Any, list[Any]]:
    """Label column, or `NoLabels`, and input columns, checked; those that are None are inferred from the others.

    Neither is ever inferred to be the column `key`, which names rows, or one of `exclude`. Functions that infer are
    given the columns that are none of what they look for.
    """
    chosen, aside = _as_list("inputs", inputs), _as_list("exclude", exclude)
    for column in aside:
        check_column(column, columns, "exclude")
        if column in (label, key) or column in chosen:
            role = "label" if column == label else "key" if column == key else "inputs"
            raise SettingError(
                f"column {column!r} in exclude= and in {role}=", "one of them", ["drop exclude=", f"drop {role}="]
            )
    if key is not None:
        check_column(key, columns, "key")
        aside.append(key)
    if label is None:
        label = infer_label([*chosen, *aside])
    if not isinstance(label, NoLabels):
        check_column(label, columns, "label")
    if not chosen:
        chosen = infer_inputs([label, *aside])
    check_inputs(chosen, columns, label)
    return label, chosen


def check_inputs(chosen: Sequence[Any], columns: Sequence[Hashable], label: Any) -> None:
    """Raise a `DataError` unless `chosen` are distinct columns without the label."""
    for position, column in enumerate(chosen):
        check_column(column, columns, "inputs")
        once = [name for name in dict.fromkeys(chosen) if name != label]
        advice = f"pass inputs={once!r}" if once else "leave inputs= out to take all others"
        if column == label:
            raise DataError(f"the label column {label!r} among the inputs", "inputs without it", advice)
        if column in chosen[:position]:
            raise DataError(f"inputs column {column!r} twice", "each column once", advice)
