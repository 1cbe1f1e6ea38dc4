"""Examples in a Hugging Face ``datasets.Dataset``; Arrow files stay on disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import datasets
import numpy as np
import pandas as pd

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.arrow import dense, kind_of, mixed, numbers, views, wide
from dataaudit.data.chunks import ChunkedRows
from dataaudit.data.column_notes import notes_on_columns
from dataaudit.data.columns import choose_columns, label_unknown, listed, named_labels
from dataaudit.data.examples import Examples
from dataaudit.data.identity import identity_of
from dataaudit.data.images import common_channels, probed_rows, resizes, row_pixels
from dataaudit.data.labels import Declared, NoLabels, check_lengths, encode_labels, label_values
from dataaudit.data.row_numbers import without_ids
from dataaudit.data.rows import RESIZE, for_row, stack, transformed_rows
from dataaudit.data.texts import as_texts
from dataaudit.data.token_columns import IDS, MADE, TokenColumns
from dataaudit.errors import DataError, RowError, require
from dataaudit.tasks.classification import label_column


class HuggingFaceExamples(Examples):
    """Columns of a Hugging Face data set, in memory or on disk; see `dataaudit.data.as_examples`.

    The caller's data set keeps its format; a selection or a shuffle of it is honoured. `label` is by default the only
    ``ClassLabel`` column, whose names are kept, otherwise the one called label, labels, target, class or y; `NoLabels`
    stands for none. `inputs` are by default the only image column, otherwise all numeric columns, otherwise the only
    list column, otherwise the only text column; ``ClassLabel`` columns are never inferred. If `lenient`, an image that
    cannot be read is left for the reader to find.

    Numeric columns are read together as [b, d]: float32, or float64 if any is float64 or a whole number of
    32 bits or more, positions of a ``ClassLabel`` among them. One text column is read as texts; text columns with
    others are read together as a DataFrame: texts as objects, a ``ClassLabel`` as categories by name, booleans and
    numbers as float64, NaN where a value is missing. Lists keep their type. Images have channels as in
    `common_channels`.
    """

    source = "Hugging Face Dataset"

    def __init__(
        self,
        dataset: datasets.Dataset,
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
        features = dataset.features
        label = label if labels is None else NoLabels(len(dataset))
        label, chosen = choose_features(features, label, inputs, key, exclude)
        if inputs is None and transform is None and {kind_of(features[name]) for name in chosen} == {"number"}:
            chosen, self.notes = without_ids(chosen, partial(_column, dataset))
        if inputs is None:
            self.notes = [*self.notes, *_left_out(features, (*chosen, label, key), exclude)]
        self.columns = tuple(chosen)
        self._features = features
        self.class_columns = tuple(name for name in chosen if kind_of(features[name]) == "class")
        self.transform = transform
        self._tokens = TokenColumns(dataset) if kind_of(features.get(IDS)) == "list" else None
        self.tokenised = () if self._tokens is None else self._tokens.names
        self._kind = self._kind_of_inputs(inputs is None)
        values = label_values(labels, self.task) if labels is not None else _labels_of(dataset, label)
        check_lengths(len(dataset), len(values))
        super().__init__(*encode_labels(values, None, lenient, self.task, unlabelled))
        self.label_column = None if isinstance(label, NoLabels) else label
        self.identity = names_of(dataset, key)
        if self._kind in ("number", "mixed"):
            self.notes = [*self.notes, *notes_on_columns(chosen, partial(_column, dataset), self.labels)]
        self._view = dataset.select_columns(chosen).with_format("arrow")
        self._plain = dataset.select_columns(chosen).with_format(None)
        rounded = self._kind == "number" and any(wide(features[name]) for name in chosen)
        self._dtype = np.float64 if rounded else np.float32
        self._channels = 3
        if self._kind == "image":
            require("PIL", "report", "decoding images")
            feature = features[chosen[0]]
            # A column cast to decode=False holds the same bytes.
            self._decoder = datasets.Image(mode=feature.mode)
            if transform is None:
                self._channels = common_channels(self._probed(lenient))

    @property
    def array(self) -> AnyArray | ChunkedRows | None:
        """A column of lists without a copy, where no transform and no selection stand before it and lists are alike."""
        if self._kind != "list" or self.transform is not None or self._view._indices is not None:
            return None
        chunks = views(self._view[:][self.columns[0]])
        if chunks is None:
            return None
        return chunks[0] if len(chunks) == 1 else ChunkedRows(chunks)

    @property
    def channels(self) -> int | None:
        """Channels with which images are read; None where inputs are none."""
        return self._channels if self._kind == "image" else None

    @property
    def is_decoded(self) -> bool:
        """Whether reading a row decodes an image, whose pixels are the same every time."""
        return self._kind == "image" and (self.transform is None or resizes(self.transform))

    def show(self, index: int) -> Any:
        """Row `index` as stored: a PIL image, an array, a text, or a dict of columns."""
        return self._row(index) if self._kind == "number" else self._value(index)

    def _probed(self, lenient: bool) -> Iterator[Any]:
        for row in probed_rows(len(self)).tolist():
            try:
                yield self._image(row)
            except RowError:
                # If lenient, every row is read later, and those that cannot be are reported then.
                if not lenient:
                    raise

    def _kind_of_inputs(self, inferred: bool) -> str:
        """Kind of all inputs together: "image", "number", "list", "tokens", "text", "mixed", or "other"."""
        kinds = [kind_of(self._features[name]) for name in self.columns]
        if set(kinds) <= {"number", "class"}:
            # Positions of a ClassLabel are numbers when they are named as inputs.
            return "number" if set(kinds) == {"number"} or self.transform is None else "other"
        if self.transform is None and self.columns == (IDS,) and self._tokens is not None:
            return "tokens" if inferred or not self._tokens.alike else "list"
        if len(kinds) == 1 and (self.transform is not None or kinds[0] in ("image", "list", "text")):
            return kinds[0]
        if self.transform is not None:
            return "other"
        if set(kinds) <= {"number", "class", "text"}:
            return "mixed"
        described = ", ".join(f"{name!r} ({kind})" for name, kind in zip(self.columns, kinds, strict=True))
        raise DataError(
            f"input columns {described}",
            "one image column, one list column, one text column, or columns of numbers and categories",
            ["name such columns with inputs=", "turn each row into numbers with transform="],
        )

    def read_rows(self, indices: IntArray) -> Any:
        """`read` for at least one row."""
        if self.transform is not None:
            return transformed_rows(self.transform, self._value, indices)
        table = self._table(indices)
        if self._kind == "image":
            stored = table[self.columns[0]].to_pylist()
            pixels = [
                row_pixels(self._decode(image, row), self._channels, row)
                for image, row in zip(stored, indices.tolist(), strict=True)
            ]
            return stack(pixels, indices, RESIZE)
        if self._kind == "list":
            return dense(table[self.columns[0]], indices)
        if self._kind == "tokens":
            assert self._tokens is not None
            return self._tokens.texts(indices)
        if self._kind == "text":
            return as_texts(table[self.columns[0]].to_pylist())
        if self._kind == "mixed":
            return mixed(table, self._features)
        return self._numbers(table)

    def read_tokens(self, indices: IntArray, names: Sequence[str]) -> tuple[AnyArray, IntArray]:
        """Token values called `names` of the rows."""
        assert self._tokens is not None
        return self._tokens.read(indices, names)

    def _numbers(self, table: Any) -> AnyArray:
        return np.stack([numbers(table[name], self._dtype) for name in self.columns], axis=1)

    def _table(self, indices: IntArray) -> Any:
        """Arrow table of the rows `indices`; only they are read from disk."""
        first, last = int(indices[0]), int(indices[-1])
        if last - first + 1 == len(indices) and (np.diff(indices) == 1).all():
            return self._view[first : last + 1]
        return self._view[indices.tolist()]

    def _value(self, row: int) -> Any:
        """Input of one row before any transform."""
        one = np.array([row], dtype=np.int64)
        if self._kind == "image":
            return self._image(row)
        if self._kind == "list":
            return dense(self._table(one)[self.columns[0]], one)[0]
        if self._kind == "number":
            return self._numbers(self._table(one))[0]
        values = self._row(row)
        return values[self.columns[0]] if len(self.columns) == 1 else values

    def _row(self, row: int) -> dict[str, Any]:
        """Columns of one row as Python values."""
        values: dict[str, Any] = for_row(
            self._plain.__getitem__,
            row,
            row,
            "values that do not decode",
            ["repair that row", "pass on_bad_rows='drop'"],
        )
        return values

    def _image(self, row: int) -> Any:
        """PIL image of one row."""
        return self._decode(self._view[[row]][self.columns[0]][0].as_py(), row)

    def _decode(self, stored: Any, row: int) -> Any:
        """PIL image of what the column stores: bytes, or the path of a file."""
        if stored is None:
            raise RowError(f"no image in row {row}", "an image in every row", "pass on_bad_rows='drop'")
        return for_row(
            self._decoder.decode_example,
            stored,
            row,
            "an image that does not decode",
            ["repair that row", "pass on_bad_rows='drop'"],
        )


def _labels_of(dataset: datasets.Dataset, label: Any) -> Any:
    """Labels of a column, with the names that it declares."""
    feature, values = dataset.features[label], _column(dataset, label)
    if type(feature).__name__ in ("List", "LargeList", "Sequence"):
        # One label a row in a list, as of a task that may have several.
        feature, values = feature.feature, label_column(values)
        feature = None if values.map(lambda value: isinstance(value, np.ndarray)).any() else feature
    names = getattr(feature, "names", None)
    return Declared(values, tuple(names)) if names else values


def names_of(dataset: datasets.Dataset, key: Any) -> Any:
    """Names of the rows: the column `key`, or the index of a table that was written with one."""
    if key is not None:
        return identity_of(pd.Index(_column(dataset, key), name=str(key)), f"key={key!r}", "name another column")
    levels = [name for name in dataset.column_names if INDEX.fullmatch(name)]
    if len(levels) != 1:
        return None
    return identity_of(
        pd.Index(_column(dataset, levels[0]), name=None), f"the index {levels[0]!r}", "remove that column"
    )


def _column(dataset: datasets.Dataset, name: str) -> Any:
    """A column as pandas holds it; nothing else is read."""
    return dataset.select_columns([name]).with_format("arrow")[:][name].to_pandas()


def choose_features(
    features: Any, label: Any, inputs: Any, key: Any = None, exclude: Any = None
) -> tuple[Any, list[Any]]:
    """Label column, or `NoLabels`, and input columns, inferred where they are None; see `choose_columns`."""
    infer = partial(_infer_label, features), partial(_infer_inputs, features)
    return choose_columns(list(features), label, inputs, *infer, key, exclude)


NAMED_AND_TURNED = "name columns with inputs=, and turn each row of them into numbers with transform="
"""Advice where no column can be read as it is."""

INDEX = re.compile(r"__index_level_\d+__")
"""Names of the columns that an index becomes."""


def _infer_label(features: Any, taken: list[Any]) -> Any:
    """Name of the one column that can be the label."""
    columns = [name for name in features if name not in taken]
    candidates = [name for name in columns if kind_of(features[name]) == "class"] or named_labels(columns)
    if len(candidates) != 1:
        raise label_unknown(list(features), candidates)
    return candidates[0]


def _left_out(features: Any, known: Sequence[Any], exclude: Any) -> list[str]:
    """Note on columns that are neither inputs nor left out by the caller, because they hold nothing that is read."""
    aside = [*known, *([exclude] if isinstance(exclude, str) else exclude or ())]
    other = [name for name in features if name not in aside and kind_of(features[name]) == "other"]
    return [f"columns left out, which hold no numbers, texts, lists or images: {listed(other)}"] if other else []


def _infer_inputs(features: Any, taken: list[Any]) -> list[str]:
    """Names of the columns that can be the inputs."""
    kinds: dict[str, list[str]] = {}
    for name, feature in features.items():
        if name not in taken and not INDEX.fullmatch(name):
            kinds.setdefault(kind_of(feature), []).append(name)
    if IDS in kinds.get("list", ()):
        # Texts, where they are there too, say more to a reader, and their ids stay at hand.
        if len(kinds.get("text", ())) == 1 and set(features) - {*taken, *kinds["text"], *MADE} == set():
            return kinds["text"]
        return [IDS]
    images, numeric, lists, texts = (kinds.get(kind, []) for kind in ("image", "number", "list", "text"))
    if len(images) == 1:
        return images
    if not images and numeric and not lists and not texts:
        return numeric
    if not images and not numeric and len(lists) == 1:
        return lists
    if not images and not numeric and not lists and len(texts) == 1:
        return texts
    # Numbers beside texts may be row numbers or half of a table: nothing is left out unsaid.
    candidates = images or [*numeric, *lists, *texts]
    arrived = (
        f"several possible inputs ({listed(candidates)})" if candidates else "no image, number, list or text column"
    )
    named = f"name them, such as inputs={candidates[0]!r}" if candidates else NAMED_AND_TURNED
    raise DataError(f"{arrived} among {listed(list(features))}", "inputs that are clear", named)
