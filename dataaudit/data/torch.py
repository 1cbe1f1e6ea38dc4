"""Examples in a torch map-style data set of (x, y)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset

from dataaudit.common.spelling import class_name
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.arrays import check_numbers
from dataaudit.data.examples import Examples
from dataaudit.data.images import is_gray, probed_rows, resizes, row_pixels
from dataaudit.data.kinds import is_image, is_tensor
from dataaudit.data.labels import encode_labels, label_values
from dataaudit.data.rows import RESIZE, as_array, as_input, for_row, stack, transformed
from dataaudit.data.texts import as_texts
from dataaudit.errors import DataError, RowError
from dataaudit.tasks.base import DAMAGED

FOLDER = "torchvision.datasets.folder"
"""Module of torchvision that reads folders of files."""


class TorchExamples(Examples):
    """A torch map-style data set.

    Labels come from ``.targets`` or ``.labels`` where up to 64 rows yield the same, with ``.classes`` as names
    if there are any; otherwise from one pass over all rows. Whenever a row is read, its label must be the
    same again. Inputs, which are arrays, tensors, PIL images, texts, or with `transform` anything, are never kept;
    images have channels as in `common_channels`. If `lenient`, a row that cannot be read has no label.
    """

    source = "torch Dataset"

    def __init__(
        self,
        dataset: Any,
        *,
        transform: Callable[[Any], Any] | None = None,
        lenient: bool = False,
        unlabelled: tuple[Any, ...] | None = None,
    ) -> None:
        self._dataset = dataset
        self.transform = transform
        self._channels = 1
        self._named = False
        self._lenient, self._unlabelled = lenient, unlabelled
        self._images = self._text = False
        self._tensors, self._map = _tensors(dataset)
        if self._tensors is None:
            super().__init__(*self._encode())
            return
        given = as_array(self._tensors[1])
        values = label_values(given.reshape(-1) if given.size == len(given) else given, self.task)
        values = values if self._map is None else values[self._map]
        super().__init__(*encode_labels(values, None, lenient, self.task, unlabelled))
        if transform is None:
            check_numbers(self._tensors[0])

    @property
    def channels(self) -> int | None:
        """Channels with which images are read; None where inputs are none."""
        return self._channels if self._images else None

    @property
    def is_decoded(self) -> bool:
        """Whether reading a row decodes an image, whose pixels are the same every time: of files, without transforms,
        which may draw at random.
        """
        plain = self._images and _plain_files(self._dataset)
        return plain and (self.transform is None or resizes(self.transform))

    def show(self, index: int) -> Any:
        """The x of row `index` before `transform`: a PIL image, an array, or another object."""
        x = self._pair(index)[0]
        return as_array(x) if is_tensor(x) else x

    def _encode(self) -> tuple[IntArray, tuple[str, ...]]:
        """Labels and names; also settles how many channels images have."""
        probed: dict[int, Any] = {}
        texts: list[bool] = []
        for row in probed_rows(len(self._dataset)).tolist():
            x, label = self._known(row)
            if x is None and label is None:
                continue
            probed[row] = label
            texts.append(isinstance(x, str))
            self._images |= is_image(x)
            if is_image(x) and not is_gray(x):
                self._channels = 3
        self._text = self.transform is None and bool(texts) and all(texts)
        offered, names = _offered(self._dataset)
        if offered is not None and all(_plain(offered[row], row) == y for row, y in probed.items()):
            encoded = encode_labels(offered, names, self._lenient, self.task, self._unlabelled)
            self._named = names is not None
            return encoded
        # What a row yields is what a model would be trained on, so it decides.
        values, unread = [], np.zeros(len(self._dataset), bool)
        for row in range(len(self._dataset)):
            x, y = self._known(row)
            unread[row] = x is None and y is None
            values.append(y)
        labels, names = encode_labels(values, None, self._lenient, self.task, self._unlabelled)
        if unread.any():
            labels = np.where(unread, DAMAGED, labels)
            labels.flags.writeable = False
        return labels, names

    def _known(self, row: int) -> tuple[Any, Any]:
        """(x, y) of a row; None for both where it cannot be read, if lenient."""
        try:
            return self._pair(row)
        except RowError:
            if not self._lenient:
                raise
            return None, None

    def _pair(self, row: int) -> tuple[Any, Any]:
        """(x, y) of a row, y as a plain value."""
        pair = for_row(
            self._dataset.__getitem__,
            row,
            row,
            f"an error of {type(self._dataset).__name__}.__getitem__",
            ["repair the data set", "pass on_bad_rows='drop'"],
        )
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            length = f" of {len(pair)} items" if isinstance(pair, (tuple, list)) else ""
            raise DataError(
                f"a {type(pair).__name__}{length} in row {row}",
                "the pair (x, y)",
                "wrap the data set so that it yields one input and one label",
            )
        return pair[0], _plain(pair[1], row)

    def read_rows(self, indices: IntArray) -> AnyArray:
        """`read` for at least one row."""
        if self._tensors is not None and self.transform is None:
            rows = indices if self._map is None else self._map[indices]
            return as_array(self._tensors[0][torch.tensor(rows, device=self._tensors[0].device)])
        if self._text:
            return as_texts([self._checked(row) for row in indices.tolist()])
        inputs = [self._input(row) for row in indices.tolist()]
        return stack(inputs, indices, RESIZE) if self._images else stack(inputs, indices)

    def _checked(self, row: int) -> Any:
        """The x of a row, whose label is what it was."""
        x, y = self._pair(row)
        label = int(self.labels[row])
        if label >= 0 and ((y != label) if self._named else (class_name(y) != self.class_names[label])):
            raise DataError(
                f"label {y!r} in row {row}, which had {self.class_names[label]!r} before",
                "one label for each row, every time, the same as .targets or .labels where they exist",
                "make the data set yield the same labels every time, which its .targets name where it has them",
            )
        return x

    def _input(self, row: int) -> AnyArray:
        x = self._checked(row)
        if self.transform is not None:
            return transformed(self.transform, x, row)
        if is_image(x):
            return row_pixels(x, self._channels, row)
        return as_input(x, row, "pass transform= that turns each x into numbers")


def _plain_files(dataset: Any) -> bool:
    """Tell a folder of files that torchvision reads, without transforms, or a subset of one.

    What a class of the caller's own does to its rows, or a loader, may be random, and need not allow threads.
    """
    while type(dataset) is Subset:
        dataset = dataset.dataset
    readers = type(dataset).__getitem__, getattr(dataset, "loader", None)
    transforms = [getattr(dataset, name, None) for name in ("transform", "target_transform", "transforms")]
    return all(getattr(reader, "__module__", None) == FOLDER for reader in readers) and transforms == [None] * 3


def _plain(label: Any, row: int) -> Any:
    """Label as a Python value; whole floats as integers, so that 1.0 and 1 are one class."""
    if is_tensor(label) or isinstance(label, (np.ndarray, np.generic)):
        size = label.numel() if is_tensor(label) else label.size
        if size != 1:
            raise DataError(
                f"a label of shape {tuple(label.shape)} in row {row}",
                "one class for every example",
                "yield a class number: argmax() makes one of a one-hot row",
            )
        label = label.item()
    return int(label) if isinstance(label, float) and label.is_integer() else label


def _tensors(dataset: Any) -> tuple[tuple[Tensor, Tensor] | None, IntArray | None]:
    """Tensors behind a TensorDataset or Subsets of one, and the rows taken; None for any other data set."""
    rows = None
    # Subclasses may yield something else than their tensors.
    while type(dataset) is Subset:
        taken = np.asarray(dataset.indices, dtype=np.int64)
        rows = taken if rows is None else taken[rows]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or len(dataset.tensors) != 2:
        return None, None
    inputs, labels = dataset.tensors
    return ((inputs, labels), rows) if inputs.layout == torch.strided else (None, None)


def _offered(dataset: Any) -> tuple[Sequence[Any] | AnyArray | None, tuple[str, ...] | None]:
    """Labels [n] and class names that a data set keeps beside its rows; nothing of it is checked here."""
    if type(dataset) is Subset:
        labels, names = _offered(dataset.dataset)
        taken = np.asarray(dataset.indices, dtype=np.int64)
        return (None, None) if labels is None else (np.asarray(labels)[taken], names)
    for attribute in ("targets", "labels"):
        labels = getattr(dataset, attribute, None)
        if not (is_tensor(labels) or isinstance(labels, (np.ndarray, list, tuple))):
            continue
        array = as_array(labels) if is_tensor(labels) else np.asarray(labels)
        if array.ndim == 1 and len(array) == len(dataset) and array.dtype.kind in "iubUf":
            names = getattr(dataset, "classes", None)
            spelled = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
            return array, tuple(names) if spelled and names and array.dtype.kind in "iu" else None
    return None, None


class CorrectedDataset(Dataset[Any]):
    """Rows of a torch data set of (x, y), some with the label of another row; with weights it yields (x, y, weight).

    Parameters
    ----------
    dataset
        The data set, read row by row as ever.
    rows
        Rows of it that this one has, int64 [k].
    labels
        Row of `dataset` whose label another one gets instead of its own.
    weights
        Weights float32 [k], or None.
    """

    def __init__(self, dataset: Any, rows: IntArray, labels: Mapping[int, int], weights: Any = None) -> None:
        self.dataset, self.rows, self._weights = dataset, rows, weights
        self._labels = {row: dataset[other][1] for row, other in labels.items()}

    def __len__(self) -> int:
        """Number of rows k."""
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """(x, y) of a row."""
        row = int(self.rows[index])
        x, y = self.dataset[row]
        pair = x, self._labels.get(row, y)
        return pair if self._weights is None else (*pair, float(self._weights[index]))
