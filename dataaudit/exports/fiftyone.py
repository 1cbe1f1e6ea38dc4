"""FiftyOne: image classification data sets as ``labels.json``, and all that is known of each image as ``labels.csv``.

Formats: https://docs.voxel51.com, FiftyOneImageClassificationDataset and CSVDataset.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from dataaudit.common.json_text import spelled
from dataaudit.errors import DataError
from dataaudit.exports.base import Export, ExportFormat, ExportRow, key_as_text


class FiftyOne(ExportFormat):
    """FiftyOne: labels of images, for its types FiftyOneImageClassificationDataset and CSVDataset."""

    name = "fiftyone"
    summary = "FiftyOne: labels.json and labels.csv, of images"
    shows = ("image",)
    image_folder = "data"

    def files(self, export: Export) -> Iterator[tuple[str, Iterable[str]]]:
        """Given labels, with what the audit says of each as its attributes; and a table of the same."""
        yield "labels.json", _labels(export)
        yield "labels.csv", _table(export)


def _labels(export: Export) -> Iterator[str]:
    numbers = {name: number for number, name in enumerate(export.class_names)}
    yield f'{{"classes": {spelled(list(export.class_names))},\n"labels": {{'
    taken: dict[str, str] = {}
    for row in export.rows:
        name = _without_ending(row)
        if name in taken:
            raise DataError(
                f"the images {taken[name]!r} and {row.image!r}, which FiftyOne calls alike",
                "names that differ in more than their ending",
                "pass copy_images=True",
            )
        separator = ",\n" if taken else "\n"
        taken[name] = str(row.image)
        known = {name: value for name, value in _carried(export, row).items() if value is not None}
        # A label that is not known has no position.
        label: Any = {"label": numbers[row.given], "attributes": known} if row.given in numbers else None
        yield f"{separator}{spelled(name)}: {spelled(label)}"
    yield "\n}}\n"


def _without_ending(row: ExportRow) -> str:
    return str(PurePosixPath(str(row.image)).with_suffix(""))


def _table(export: Export) -> Iterator[str]:
    names = ["filepath"]
    for row in export.rows:
        carried = _carried(export, row)
        if len(names) == 1:
            names += carried
            yield _line(names)
        yield _line([row.image, *carried.values()])


def _carried(export: Export, row: ExportRow) -> dict[str, Any]:
    carried = export.carried(row)
    return {**carried, "key": key_as_text(carried["key"])}


def _line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
