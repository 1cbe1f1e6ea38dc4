"""Data sets as they lie on disk: tables, folders of images, saved Hugging Face data sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from dataaudit.common import checks
from dataaudit.common.spelling import escaped, has_surrogates
from dataaudit.data import as_examples
from dataaudit.data.derived import name_rows
from dataaudit.data.examples import Examples
from dataaudit.data.formats import TableFormat, read_table, words_for_missing
from dataaudit.data.images import probed_rows
from dataaudit.errors import DataError, RowError, SettingError, require

IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
READING = ("format", "delimiter", "encoding", "missing")
"""What says how the file of a table is read."""
HUB = "hf:"
"""Before the name of a data set that `datasets.load_dataset` finds, on the Hugging Face hub or in a folder."""


def open_data(
    source: str | Path | BinaryIO,
    *,
    label: str | None = None,
    inputs: list[str] | None = None,
    split: str | None = None,
    size: int | None = None,
    key: str | None = None,
    exclude: list[str] | None = None,
    unlabelled: Sequence[str] | None = None,
    lenient: bool = False,
    raw: bool = False,
    table: TableFormat | None = None,
) -> Examples:
    """Data set in a file or folder, ``hf:`` and the name of one that `datasets.load_dataset` finds, or a binary file.

    Files are tables; folders are Hugging Face data sets that were saved, or hold a folder of images for each class,
    whose columns are called "label" and "image". Rows are named by the column `key`, otherwise by the line of a text
    file, an index that a Parquet file has kept, or the file of an image. Columns are inferred where there is one
    candidate. Images are resized to `size` pixels a side, which is needed where they differ, unless they stay `raw`.
    `table` says how that of a file is read. If `lenient`, labels that cannot be right, and images that do not decode,
    are left out. Labels that are spelled as one of `unlabelled` are none.
    """
    options: dict[str, Any] = {"label": label, "inputs": inputs, "key": key, "exclude": exclude, "lenient": lenient}
    options["unlabelled"] = None if unlabelled is None else _as_stored(unlabelled)
    unread = {name: None if table is None else getattr(table, name) for name in READING}
    if isinstance(source, str) and source.startswith(HUB):
        _refuse(source, **unread)
        return as_examples(_of_hub(source.removeprefix(HUB), split), **options, resize=size)
    if not isinstance(source, (str, Path)):
        _refuse("standard input", split=split, size=size)
        return _of_table(source, table or TableFormat(), options)
    path = Path(source)
    checks.exists(path)
    if path.is_file():
        _refuse(path, split=split, size=size)
        return _of_table(path, table or TableFormat(), options)
    _refuse(path, **unread)
    if not is_image_folder(path):
        return as_examples(_saved(path), split=split, **options, resize=size)
    # The columns of such a folder are called as Hugging Face calls them.
    other_label, other_inputs = (None if label == "label" else label), (None if inputs == ["image"] else inputs)
    _refuse(path, split=split, label=other_label, inputs=other_inputs, key=key, exclude=exclude)
    return _image_folder(path, size, lenient, raw, options["unlabelled"])


def _of_table(source: Path | BinaryIO, reading: TableFormat, options: Mapping[str, Any]) -> Examples:
    """Examples of a table; a note tells of words in it that were taken for missing values."""
    frame = read_table(source, reading)
    examples = as_examples(frame, **options)
    used = [str(examples.label_column), *map(str, examples.columns)]
    for name, counts in words_for_missing(source, reading, frame).items():
        if name in used:
            said = ", ".join(f"{word!r} ({count})" for word, count in counts.items())
            what = "labels" if name == used[0] else f"values of {name!r}"
            examples.notes = [
                *examples.notes,
                f"{what} that count as missing: {said}; missing='' takes words as they are, missing='NA' only NA",
            ]
    return examples


def is_image_folder(source: str | Path) -> bool:
    """Tell folders of images by class from files, names of the hub and data sets that were saved."""
    saved = any((Path(source) / name).exists() for name in ("state.json", "dataset_dict.json"))
    return Path(source).is_dir() and not saved


def _refuse(source: object, **options: Any) -> None:
    given = ", ".join(f"{name}=" for name, value in options.items() if value is not None)
    if given:
        raise SettingError(f"{given} for {source}", "options that apply to it", f"drop {given}")


def _saved(path: Path) -> Any:
    import datasets

    try:
        return datasets.load_from_disk(str(path))
    except (ValueError, OSError, KeyError) as error:
        raise DataError(
            f"{path}, which cannot be read ({error})", "a saved data set", "save it again with Dataset.save_to_disk"
        ) from error


def _of_hub(name: str, split: str | None) -> Any:
    import datasets

    try:
        return datasets.load_dataset(name, split=split)
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"{HUB}{name}{'' if split is None else f' with split={split!r}'}, which cannot be loaded ({error})",
            "a data set of the Hugging Face hub, or a folder that load_dataset reads",
            "check its name, its splits and the network",
        ) from error


def _probed(examples: Examples, lenient: bool) -> Iterator[Any]:
    """Some examples as people see them; those that cannot be read are left out if `lenient`."""
    for row in probed_rows(len(examples)).tolist():
        try:
            yield examples.show(row)
        except RowError:
            if not lenient:
                raise


def image_files(path: Path) -> tuple[list[Path], list[int] | None, list[str]]:
    """Images in a folder, their classes as positions, and the names of these: folders in it, by name, then files.

    Images that lie in the folder itself have no classes: None. Raises a `DataError` if there are no images.
    """
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    images = [(file, number) for number, folder in enumerate(classes) for file in _images(folder.rglob("*"))]
    if images:
        _check_spelled([file for file, _ in images], path)
        return [file for file, _ in images], [number for _, number in images], [folder.name for folder in classes]
    loose = _images(path.iterdir())
    if not loose:
        raise DataError(
            f"the folder {path} without images in class folders",
            "one folder of images for each class, or a folder that Dataset.save_to_disk wrote",
            "name a folder that holds some",
        )
    _check_spelled(loose, path)
    return loose, None, []


def _check_spelled(files: list[Path], folder: Path) -> None:
    """Raise a `DataError` unless names are UTF-8, which tables of them are made of."""
    wrong = [file for file in files if has_surrogates(str(file))]
    if wrong:
        raise DataError(
            f"{len(wrong)} images whose names are no UTF-8, such as {escaped(str(wrong[0].relative_to(folder)))}",
            "names of files and folders in UTF-8",
            "rename them, for example with convmv",
        )


def _images(files: Iterable[Path]) -> list[Path]:
    return sorted(file for file in files if file.suffix.lower() in IMAGES and file.is_file())


def _as_stored(spelled: Sequence[str]) -> list[str | int]:
    """Labels as a person types them, and as a table may hold them."""
    found: list[str | int] = list(spelled)
    for text in spelled:
        with suppress(ValueError):
            found.append(int(text))
    return found


def _image_folder(path: Path, size: int | None, lenient: bool, raw: bool, unlabelled: Sequence[Any] | None) -> Examples:
    files, labels, names = image_files(path)
    if labels is None:
        raise DataError(
            f"the folder {path} with images and no class folders",
            "one folder of images for each class",
            "move the images into folders by their labels",
        )
    require("PIL", "report", "decoding images")
    import datasets

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    dataset = datasets.Dataset.from_dict({"image": list(map(str, files)), "label": labels}, features=features)
    plain = as_examples(dataset, lenient=lenient, resize=size, unlabelled=unlabelled)
    name_rows(plain, pd.Index([file.relative_to(path).as_posix() for file in files], name="file"))
    sizes = set() if size is not None or raw else {image.size for image in _probed(plain, lenient)}
    if len(sizes) > 1:
        raise DataError(
            f"images of {len(sizes)} sizes, such as {' and '.join(f'{w} x {h}' for w, h in sorted(sizes)[:2])}",
            "images of one size",
            f"pass size={max(min(sizes))} to resize them, for example",
        )
    return plain
