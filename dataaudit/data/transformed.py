"""Examples in a Hugging Face data set with a transform of its own (set_transform), which makes the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.columns import choose_columns, label_unknown, listed, named_labels
from dataaudit.data.examples import Examples
from dataaudit.data.huggingface import names_of
from dataaudit.data.images import is_gray, probed_rows, row_pixels
from dataaudit.data.kinds import is_image, is_tensor
from dataaudit.data.labels import Declared, NoLabels, check_lengths, encode_labels, label_values
from dataaudit.data.rows import RESIZE, as_array, as_input, for_row, stack, transformed
from dataaudit.data.texts import as_texts
from dataaudit.errors import DataError, RowError
from dataaudit.tasks.base import DAMAGED


class TransformedExamples(Examples):
    """Rows that a data set's own transform makes: one input column of arrays, images or texts, and a label.

    Columns are those of its first row. Labels are read from the column as stored, without the transform, where a few
    rows are given the same ones by it; otherwise each row is made once for its label.
    """

    source = "Hugging Face Dataset"

    def __init__(
        self,
        dataset: Any,
        *,
        label: Any = None,
        inputs: Any = None,
        key: Any = None,
        exclude: Any = None,
        transform: Callable[[Any], Any] | None = None,
        lenient: bool = False,
        unlabelled: tuple[Any, ...] | None = None,
    ) -> None:
        self._dataset, self.transform = dataset, transform
        if not len(dataset):
            raise DataError("an empty data set", "at least two examples of two classes", "pass a data set with rows")
        self._lenient = lenient
        self._unread: list[int] = []
        first = self._first()
        columns = list(first)
        label, chosen = choose_columns(
            columns, label, inputs, lambda taken: self._label(columns, taken), lambda taken: _inputs(first, taken),
            key if key in columns else None, exclude,
        )  # fmt: skip
        if len(chosen) != 1:
            raise DataError(
                f"several input columns ({listed(chosen)}) of a data set with a transform of its own",
                "one column of arrays, images or texts",
                [f"pass inputs={chosen[0]!r}", "put them together in the transform"],
            )
        self.columns, self.label_column = tuple(chosen), None if isinstance(label, NoLabels) else label
        values = label if isinstance(label, NoLabels) else label_values(self._labels(label), self.task)
        check_lengths(len(dataset), len(values))
        labels, names = encode_labels(values, None, lenient, self.task, unlabelled)
        super().__init__(_damaged(labels, self._unread), names)
        self.identity = names_of(dataset.with_format(None), key)
        value = first[chosen[0]]
        self._text, self._images = isinstance(value, str), is_image(value)
        probed = [made for row in probed_rows(len(self)).tolist() if (made := self._made(row)) is not None]
        gray = self._images and all(is_gray(made[chosen[0]]) for made in [first, *probed])
        self._channels = 1 if gray else 3

    @property
    def channels(self) -> int | None:
        """Channels with which images are read; None where inputs are none."""
        return self._channels if self._images else None

    def show(self, index: int) -> Any:
        """Row `index` as the transform makes it: a PIL image, an array or a text."""
        value = self._value(int(index))
        return as_array(value) if is_tensor(value) else value

    def read_rows(self, indices: IntArray) -> AnyArray:
        """`read` for at least one row."""
        if self._text and self.transform is None:
            return as_texts([self._value(row) for row in indices.tolist()])
        rows = [self._input(row) for row in indices.tolist()]
        return stack(rows, indices, RESIZE) if self._images else stack(rows, indices)

    def _input(self, row: int) -> AnyArray:
        value = self._value(row)
        if self.transform is not None:
            return transformed(self.transform, value, row)
        if self._images:
            return row_pixels(value, self._channels, row)
        return as_input(value, row, "have the data set's transform give arrays, images or texts")

    def _value(self, row: int) -> Any:
        return self._row(row)[self.columns[0]]

    def _row(self, row: int) -> Mapping[str, Any]:
        made: Mapping[str, Any] = for_row(
            self._dataset.__getitem__,
            row,
            row,
            "a failing transform of the data set",
            ["correct the transform", "pass on_bad_rows='drop'"],
        )
        return made

    def _made(self, row: int) -> Mapping[str, Any] | None:
        """A row; None for one that cannot be made, if lenient."""
        try:
            return self._row(row)
        except RowError:
            if not self._lenient:
                raise
            return None

    def _first(self) -> Mapping[str, Any]:
        """The first row that can be made."""
        for row in range(len(self._dataset) - 1):
            if (made := self._made(row)) is not None:
                return made
        return self._row(len(self._dataset) - 1)

    def _label(self, columns: list[str], taken: list[Any]) -> str:
        features = self._dataset.features
        classes = [name for name in columns if name not in taken and getattr(features.get(name), "names", None)]
        candidates = classes or [str(name) for name in named_labels([name for name in columns if name not in taken])]
        if len(candidates) != 1:
            raise label_unknown(columns, candidates)
        return candidates[0]

    def _labels(self, label: str) -> Any:
        """Labels of all rows, with the names that the data set declares."""
        plain = self._dataset.with_format("arrow")
        if label in plain.column_names:
            values = plain.select_columns([label])[:][label].to_pandas()
            names = getattr(plain.features[label], "names", None)
            probed = ((row, self._made(row)) for row in probed_rows(len(values)).tolist())
            if all(made is None or _same(made[label], values.iloc[row]) for row, made in probed):
                return Declared(values, tuple(names)) if names else values
        rows = [self._made(row) for row in range(len(self._dataset))]
        self._unread = [row for row, made in enumerate(rows) if made is None]
        labels: list[Any] = [None if made is None else made[label] for made in rows]
        return [value.item() if is_tensor(value) or isinstance(value, np.generic) else value for value in labels]


def _damaged(labels: IntArray, unread: list[int]) -> IntArray:
    """Labels, those of rows that could not be made marked as damaged."""
    if not unread:
        return labels
    marked = labels.copy()
    marked[unread] = DAMAGED
    marked.flags.writeable = False
    return marked


def _same(made: Any, stored: Any) -> bool:
    """Tell whether a label that a transform gives is the one that is stored."""
    value = made.item() if is_tensor(made) and made.numel() == 1 else made
    if value is None:
        return stored is None or stored != stored
    return bool(np.all(value == stored))


def _inputs(first: Mapping[str, Any], taken: list[Any]) -> list[str]:
    """The one column that can be the input: of arrays, images or texts."""
    arrays = [
        name
        for name, value in first.items()
        if name not in taken and (is_image(value) or is_tensor(value) or isinstance(value, (np.ndarray, list)))
    ]
    found = arrays or [name for name, value in first.items() if name not in taken and isinstance(value, str)]
    if len(found) != 1:
        arrived = f"several possible inputs ({listed(found)})" if found else "no column of arrays, images or texts"
        raise DataError(
            f"{arrived} among {listed(list(first))}, as the data set's transform gives them",
            "inputs that are clear",
            f"name them, such as inputs={found[0]!r}" if found else "have the transform give one",
        )
    return found
