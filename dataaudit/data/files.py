"""Data sets as they lie on disk: tables, folders of images, saved Hugging Face data sets."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common import checks
from dataaudit.data import as_examples
from dataaudit.data.columns import label_unknown, named_labels
from dataaudit.data.examples import Examples
from dataaudit.data.images import probed_rows, to_pixels
from dataaudit.data.preparation import PreparedTable
from dataaudit.errors import DataError, SettingError, require

IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
TABLES: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
    ".parquet": pd.read_parquet,
}


LINES = {".csv": ",", ".tsv": "\t"}
"""Delimiters of tables whose rows have lines."""


def open_data(
    path: Path,
    *,
    label: str | None = None,
    inputs: list[str] | None = None,
    split: str | None = None,
    size: int | None = None,
    key: str | None = None,
    exclude: list[str] | None = None,
) -> Examples:
    """Data set at `path`, ready for a network: a table, a saved Hugging Face data set, or a folder of images by class.

    Rows are named by the column `key`, otherwise by the line of a text file, an index that a Parquet file has kept, or
    the file of an image. Columns are inferred where there is one candidate; those of folders of images are "label" and
    "image". `split` is of a saved ``DatasetDict``; images are resized to `size` pixels a side, which is needed where
    they differ.
    """
    checks.exists(path)
    if path.is_file():
        _refuse(path, split=split, size=size)
        return _table(path, label, inputs, key, exclude)
    if (path / "state.json").exists() or (path / "dataset_dict.json").exists():
        return _saved(path, size, split=split, label=label, inputs=inputs, key=key, exclude=exclude)
    # The columns of such a folder are called as Hugging Face calls them.
    other_label, other_inputs = (None if label == "label" else label), (None if inputs == ["image"] else inputs)
    _refuse(path, split=split, label=other_label, inputs=other_inputs, key=key, exclude=exclude)
    return _image_folder(path, size)


def _refuse(path: Path, **options: Any) -> None:
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        raise SettingError(f"{', '.join(given)} for {path}", "options that apply to it", f"drop {', '.join(given)}")


def _table(
    path: Path, label: str | None, inputs: list[str] | None, key: str | None, exclude: list[str] | None
) -> Examples:
    reader = TABLES.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"the file {path}", f"a table ({', '.join(TABLES)}) or a folder", "convert it to one of these")
    try:
        frame = reader(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path}, which cannot be read ({error})", "a readable table", "check the file") from error
    if label is None:
        candidates = named_labels(list(frame.columns))
        if len(candidates) != 1:
            raise label_unknown(list(frame.columns), candidates)
        label = str(candidates[0])
    if key is None and path.suffix.lower() in LINES:
        frame.index = _lines(path, LINES[path.suffix.lower()], len(frame))
    return PreparedTable(frame, label, inputs, key=key, exclude=exclude)


def _lines(path: Path, delimiter: str, rows: int) -> pd.Index:
    """Line of a file, from 1, on which each row of the table in it begins."""
    with path.open("rb") as file:
        blocks = iter(lambda: file.read(2**24), b"")
        breaks, last = 0, b""
        for block in blocks:
            breaks, last = breaks + block.count(b"\n"), block[-1:]
    first = np.arange(2, rows + 2)
    if breaks + (last != b"\n") != rows + 1:
        # Lines that are empty, or break within quotes.
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=delimiter)
            ends = [(reader.line_num, len(record)) for record in reader]
        begins = [end + 1 for end, _ in [(0, 0), *ends]]
        first = np.asarray([begin for begin, (_, length) in zip(begins, ends, strict=False) if length][1:])
    if len(first) != rows:
        raise DataError(
            f"{path} with {len(first)} records where pandas reads {rows} rows",
            "a table in which rows have lines",
            "name the column that names its rows with --key, or write the table again",
        )
    return pd.Index(first, name="line")


def _saved(path: Path, size: int | None, **options: Any) -> Examples:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path))
    except (ValueError, OSError) as error:
        raise DataError(f"{path}, which cannot be read ({error})", "a saved data set", "save it again") from error
    chosen = as_examples(loaded, **options)
    return chosen if size is None else _resized(chosen, size)


def _image_folder(path: Path, size: int | None) -> Examples:
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    images = [
        (str(file), number)
        for number, folder in enumerate(classes)
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in IMAGES and file.is_file()
    ]
    if not images:
        raise DataError(
            f"the folder {path} without images in class folders",
            "one folder of images for each class, or a folder that Dataset.save_to_disk wrote",
            "check the path",
        )
    require("PIL", "report", "decoding images")
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=[folder.name for folder in classes])}
    )
    files, labels = zip(*images, strict=True)
    dataset = datasets.Dataset.from_dict({"image": list(files), "label": list(labels)}, features=features)
    plain = as_examples(dataset)
    plain.identity = pd.Index([Path(file).relative_to(path).as_posix() for file in files], name="file")
    if size is not None:
        return _resized(plain, size)
    sizes = {plain.show(row).size for row in probed_rows(len(plain)).tolist()}
    if len(sizes) > 1:
        raise DataError(
            f"images of {len(sizes)} sizes, such as {' and '.join(f'{w} x {h}' for w, h in sorted(sizes)[:2])}",
            "images of one size",
            "pass --size to resize them",
        )
    return plain


def _resized(examples: Examples, size: int) -> Examples:
    """The same images, of one size, in as many channels as they are read with."""
    channels = examples.read(np.zeros(1, np.int64)).shape[1]

    def resize(image: Any) -> Any:
        return to_pixels(image.convert("L" if channels == 1 else "RGB").resize((size, size)))

    resized = copy.copy(examples)
    resized.transform = resize
    resized.origin = None if examples.origin is None else replace(examples.origin, transform=resize)
    return resized
