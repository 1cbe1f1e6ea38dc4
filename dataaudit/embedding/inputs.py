"""Texts or images by position, wherever a caller keeps them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.columns import check_column, listed
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import dimensions, is_a, is_table, is_tensor
from dataaudit.data.rows import for_row
from dataaudit.data.texts import is_text
from dataaudit.embedding.pictures import REPAIR, Kind, checked, kind_of
from dataaudit.errors import DataError, InPython, RowError, SettingError, rows

TEXTS = 8192
"""Texts that are read, tokenised and sorted by length at a time."""

TAKEN = (
    "texts or images: a list, an array, a pandas Series, a torch or Hugging Face data set, or the path of a folder of "
    "images"
)


@dataclass(frozen=True)
class Inputs:
    """Texts or images of n rows."""

    n: int
    read: Callable[[int, int], list[Any]]
    """Those from a row up to another, as they are kept."""
    kind: Kind
    dataset: Any = None
    """Hugging Face data set that they are a column of, which gets the vectors; None elsewhere."""


def open_inputs(data: Any, column: str | None) -> Inputs:
    """Inputs of whatever `dataaudit.embed` takes."""
    if isinstance(data, (str, os.PathLike)):
        data = _folder(Path(data))
    if is_a(data, "datasets", "Dataset"):
        column = _column_of(data) if column is None else column
        check_column(column, list(data.features), "column")
        if "embedding" in data.features:
            raise DataError(
                "a data set with a column 'embedding'",
                "none of that name",
                "remove it: data.remove_columns('embedding')",
            )
        return _inputs(len(data), _column_reader(data, column), data)
    if column is not None:
        raise SettingError(
            f"column={column!r} for data of type {type(data).__name__}",
            "a column of a Hugging Face Dataset",
            "leave out column=",
        )
    return _inputs(len(data) if hasattr(data, "__len__") else 0, _reader(data))


def _inputs(n: int, read: Callable[[int, int], list[Any]], dataset: Any = None) -> Inputs:
    if n == 0:
        raise DataError("no texts or images", "at least one", "pass a list with some")
    first = next((one for start in range(n) for one in read(start, start + 1) if one is not None), None)
    kind = kind_of(first)
    if kind is None:
        raise DataError(
            f"inputs of type {type(first).__name__}",
            "texts, or images: PIL images, arrays of pixels, or paths",
            "convert each to one of these; tables are passed to score as they are",
        )
    return Inputs(n, read, kind, dataset)


def _folder(path: Path) -> Any:
    """Hugging Face data set of the images in a folder: image, and label where they lie in folders by class."""
    if not path.is_dir():
        raise DataError(
            f"data {str(path)!r}, which is no folder", TAKEN, "pass a list: [text], or [pathlib.Path(name)]"
        )
    import datasets

    from dataaudit.data.files import image_files

    files, labels, names = image_files(path)
    columns: dict[str, Any] = {"image": list(map(str, files))}
    features: dict[str, Any] = {"image": datasets.Image()}
    if labels is not None:
        columns["label"], features["label"] = labels, datasets.ClassLabel(names=list(names))
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def _column_of(data: Any) -> str:
    """The only column of images, or else the only one of texts."""
    features = data.features
    images = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    texts = [name for name, feature in features.items() if getattr(feature, "dtype", "") in ("string", "large_string")]
    found = images or texts
    if len(found) != 1:
        named = f" ({listed(found)} could be it)" if found else ""
        raise SettingError(
            f"a Hugging Face Dataset without column={named}",
            "the name of its column of texts or images",
            f"pass column={(found or list(features) or ['text'])[0]!r}, for example",
        )
    return str(found[0])


def _column_reader(data: Any, column: str) -> Callable[[int, int], list[Any]]:
    """Rows of a Hugging Face data set's column; nothing else is read."""
    view = data.select_columns([column]).with_format("arrow")
    feature = data.features[column]

    def read(start: int, end: int) -> list[Any]:
        stored: list[Any] = view[start:end][column].to_pylist()
        if type(feature).__name__ != "Image":
            return stored
        from datasets import Image

        decode = Image(mode=feature.mode).decode_example
        return [
            None if one is None else for_row(decode, one, row, "an image that does not decode", REPAIR)
            for row, one in enumerate(stored, start)
        ]

    return read


def _reader(data: Any) -> Callable[[int, int], list[Any]]:
    """Rows of a list, an array, a tensor, a Series, or a torch data set."""
    if is_a(data, "torch.utils.data", "Dataset") and hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return lambda start, end: [_input_of(data, row) for row in range(start, end)]
    known = isinstance(data, (list, tuple, np.ndarray)) or is_a(data, "pandas", "Series") or is_tensor(data)
    if not known and not is_a(data, "datasets.arrow_dataset", "Column"):
        raise DataError(f"data of type {type(data).__name__}", TAKEN, "pass the texts or images as a list")
    if dimensions(data) not in (1, 3, 4):
        raise DataError(
            f"an array of shape {tuple(data.shape)}",
            "texts [n], or images [n, h, w] or [n, h, w, c]",
            "pass texts [n] or images [n, h, w, c]; vectors are passed to score as they are",
        )
    if is_a(data, "pandas", "Series"):
        data = data.to_numpy()
    return lambda start, end: list(data[start:end])


def _input_of(data: Any, row: int) -> Any:
    pair = for_row(data.__getitem__, row, row, f"an error of {type(data).__name__}.__getitem__", REPAIR)
    return pair[0] if isinstance(pair, (tuple, list)) else pair


def check_texts(inputs: Inputs) -> None:
    """Raise a `DataError` that names all rows without a text."""
    other: list[int] = []
    empty: list[int] = []
    kinds: set[str] = set()
    for start in range(0, inputs.n, TEXTS):
        for position, text in enumerate(inputs.read(start, min(start + TEXTS, inputs.n)), start):
            if not isinstance(text, str):
                other.append(position)
                kinds.add(type(text).__name__)
            elif not text.strip():
                empty.append(position)
    if other:
        raise DataError(
            f"{', '.join(sorted(kinds))} in {rows(other)}", "a text in every row", "drop or fill those rows"
        )
    if empty:
        raise DataError(f"an empty text in {rows(empty)}", "a text in every row", "drop those rows")


def examples_reader(examples: Examples) -> tuple[Kind, Callable[[IntArray], list[Any]]]:
    """Kind of the inputs of a labelled data set, and a function that reads rows of it as they are kept."""
    one = partial(_shown, examples)
    try:
        first = examples.read(np.zeros(1, np.int64))
    except RowError:
        return "images", one
    if is_table(first):
        # Columns of tables are read as numbers or texts; images are read where a column is passed.
        alone = InPython(f"pass the column itself: (frame[{first.columns[0]!r}], labels)")
        raise DataError(
            f"a table of the columns {listed(list(first.columns))} for embed=",
            "one column of texts or images",
            [
                alone if list(first.dtypes) == [object] else "name it with inputs=",
                "leave embed= out: numbers are vectors already",
            ],
        )
    whole = is_text(first) or examples.transform is not None
    known = examples.read if whole else one
    looked = (known(np.array([row]))[0] for row in range(len(examples)))
    kind = kind_of(next((item for item in looked if item is not None), None))
    if kind is None or (kind == "images" and not whole and np.ndim(first) < 3):
        raise DataError(
            f"inputs of shape {np.shape(first)[1:]} for embed=",
            "texts or images",
            "leave embed= out: numbers are vectors already",
        )
    return kind, lambda indices: list(known(indices))


def _shown(examples: Examples, indices: IntArray) -> list[Any]:
    return [examples.show(row) for row in indices.tolist()]


def usable(
    read: Callable[[IntArray], list[Any]], indices: IntArray, kind: Kind, bad: list[int] | None
) -> tuple[IntArray, list[Any]]:
    """Rows that can be used, and their texts or pictures; the others are added to `bad`, or raise where it is None."""
    rows_read: list[int] = []
    found: list[Any] = []
    try:
        items: list[Any] | None = read(indices)
    except RowError:
        items = None
    for position, row in enumerate(indices.tolist()):
        try:
            item = read(indices[position : position + 1])[0] if items is None else items[position]
            found.append(checked(item, row, kind))
            rows_read.append(row)
        except RowError:
            if bad is None:
                raise
            bad.append(row)
    return np.asarray(rows_read, np.int64), found
