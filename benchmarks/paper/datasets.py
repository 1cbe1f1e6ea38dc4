"""Data sets from what the user names: .npz files, folders of images, Debian's Fashion-MNIST."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile

from benchmarks.common import Array, fashion, fashion_test
from benchmarks.paper.setting import Data
from dataaudit.data.files import open_data
from dataaudit.errors import DataError

LABELS = ("labels", "label", "clean_label")
INPUTS = ("images", "inputs", "x")


def of_file(path: Path, name: str = "") -> Data:
    """Data set in an .npz file: images or inputs, labels, and if there are any C-scores and people's votes."""
    there = _arrays(path)
    inputs = next((there[key] for key in INPUTS if key in there), None)
    labels = next((there[key] for key in LABELS if key in there), None)
    if inputs is None or labels is None or labels.ndim != 1 or len(inputs) != len(labels):
        raise DataError(
            f"{path} with {', '.join(f'{key} {list(value.shape)}' for key, value in there.items()) or 'no array'}",
            "images [n, h, w], [n, h, w, 3] or inputs [n, d], and labels [n]",
            "write numpy.savez(file, images=..., labels=...), with cscores= where they are known",
        )
    classes, encoded = np.unique(labels, return_inverse=True)
    _check_shape(path, there, "cscores", (len(labels),))
    _check_shape(path, there, "votes", (len(labels), len(classes)))
    votes = there.get("votes")
    return Data(
        name or path.stem,
        inputs,
        encoded.astype(np.int64),
        tuple(map(str, classes)),
        published=_floats(there.get("cscores")),
        votes=None if votes is None else votes / votes.sum(1, keepdims=True),
        test=_test(path, there, classes),
    )


def _arrays(path: Path) -> dict[str, Array]:
    """Arrays in the file, but for those of Python objects."""
    try:
        archive = np.load(path)
    except (ValueError, EOFError, BadZipFile):
        archive = None
    if not isinstance(archive, NpzFile):
        raise DataError(
            f"{path}, which is no .npz file",
            "an .npz file with images and labels, or a folder of images for each class",
            "write one by numpy.savez(file, images=..., labels=...)",
        )
    found = {}
    with archive:
        for key in archive.files:
            with suppress(ValueError):  # Numpy refuses to read objects.
                found[key] = archive[key]
    return found


def _check_shape(path: Path, there: dict[str, Array], key: str, shape: tuple[int, ...]) -> None:
    if key in there and there[key].shape != shape:
        raise DataError(
            f"{path} with {key} {list(there[key].shape)}",
            f"{key} {list(shape)}, as there are labels" + " and classes" * (len(shape) - 1),
            f"write the file with all of them, or without {key}",
        )


def of_folder(path: Path, pixels: int) -> Data:
    """Data set in a folder of images for each class, brought to `pixels` a side."""
    examples = open_data(path, size=pixels)
    images = np.stack([np.asarray(examples.read(np.array([row])))[0] for row in range(len(examples))])
    if images.ndim == 4:
        images = images.transpose(0, 2, 3, 1)
    images = images[..., 0] if images.shape[-1] == 1 else images
    return Data(path.resolve().name, images, np.asarray(examples.labels), tuple(map(str, examples.class_names)))


def of_fashion(folder: str) -> Data:
    """Fashion-MNIST, with its test part."""
    images, labels = fashion(folder, 60000)
    test = fashion_test(folder)
    classes = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
    return Data("fashion", images[:, 0], labels, classes, test=(test[0][:, 0], test[1]))


def _floats(values: Array | None) -> Array | None:
    return None if values is None else values.astype(np.float64)


def _test(path: Path, there: dict[str, Array], classes: Array) -> tuple[Array, Array] | None:
    if "test_images" not in there or "test_labels" not in there:
        return None
    images, labels = there["test_images"], there["test_labels"]
    if len(images) != len(labels) or not np.isin(labels, classes).all():
        raise DataError(
            f"{path} with {len(images)} test_images and {len(labels)} test_labels of {len(np.unique(labels))} classes",
            f"a label of each test image, among the {len(classes)} classes of labels",
            "write the file with such test_labels, or without a test part",
        )
    return images, np.searchsorted(classes, labels).astype(np.int64)
