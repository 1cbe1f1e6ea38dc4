"""Examples in arrays, in memory or memory-mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dataaudit.common.mapped import MappedFile
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.containers import listing
from dataaudit.data.examples import Examples
from dataaudit.data.images import common_channels, probed_rows, row_pixels
from dataaudit.data.kinds import dimensions, is_a, is_image, is_tensor
from dataaudit.data.labels import check_lengths, encode_labels, label_values
from dataaudit.data.rows import NUMBERS, RESIZE, as_array, as_input, stack, transformed_rows, unmasked
from dataaudit.data.texts import as_texts
from dataaudit.errors import DataError, RowError

ADVICE = "pass numbers, such as numpy.asarray(inputs, float), or turn each row into numbers with transform="


class ArrayExamples(Examples):
    """An array of inputs [n, ...], kept by reference, and labels [n]; see `dataaudit.data.as_examples`.

    Inputs are a NumPy array or memmap, a torch tensor (on any device), nested lists or a pandas Series. Without
    `transform` they are texts [n], PIL images [n], or numbers of at least two dimensions; masked ones are NaN.
    `raw` ones may be of any type.
    """

    source = "arrays"

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        *,
        transform: Callable[[Any], Any] | None = None,
        lenient: bool = False,
        raw: bool = False,
        unlabelled: tuple[Any, ...] | None = None,
    ) -> None:
        self._inputs = _listed(inputs) if raw and isinstance(inputs, (list, tuple)) else _indexable(inputs)
        self.transform = transform
        values = label_values(labels, self.task)
        # Of pandas columns that came from one table, either names the rows.
        named = next((part for part in (inputs, labels) if is_a(part, "pandas", "Series")), None)
        self.identity = None if named is None else _names(named)
        check_lengths(len(self._inputs), len(values))
        super().__init__(*encode_labels(values, None, lenient, self.task, unlabelled))
        self._text = transform is None and _are_texts(self._inputs)
        self._images = not raw and _are_images(self._inputs)
        self._channels = 3
        if self._images and transform is None:
            self._channels = common_channels(self._probed(lenient))
        elif transform is None and not self._text and not raw:
            check_numbers(self._inputs)

    @property
    def channels(self) -> int | None:
        """Channels with which images are read; None where inputs are none."""
        return self._channels if self._images else None

    def _probed(self, lenient: bool) -> Iterator[Any]:
        for row in probed_rows(len(self)).tolist():
            if is_image(self._inputs[row]):
                yield self._inputs[row]
            elif not lenient:
                self._image(row)

    def _image(self, row: int) -> Any:
        image = self._inputs[row]
        if not is_image(image):
            raise RowError(
                f"no image in row {row} ({type(image).__name__})",
                "a PIL image in every row",
                "pass on_bad_rows='drop'",
            )
        return image

    @property
    def array(self) -> AnyArray | None:
        """All inputs without a copy, where they are a NumPy array or memmap and no transform stands before them."""
        plain = self.transform is None and not self._text and not self._images
        return self._inputs if plain and isinstance(self._inputs, np.ndarray) else None

    def __getstate__(self) -> dict[str, Any]:
        """State for another process: a memory-mapped file goes by its name, and is mapped there, not copied."""
        return {**super().__getstate__(), "_inputs": MappedFile.of(self._inputs) or self._inputs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        inputs = state["_inputs"]
        self.__dict__.update(state, _inputs=inputs.open() if isinstance(inputs, MappedFile) else inputs)

    def show(self, index: int) -> Any:
        """Row `index` as it was passed: an array, a text, or another object."""
        row = self._inputs[index]
        if is_tensor(row) or isinstance(row, np.ndarray):
            return as_array(row)
        return row.item() if isinstance(row, np.generic) else row

    def read_rows(self, indices: IntArray) -> AnyArray:
        """`read` for at least one row."""
        if self._text:
            return as_texts(self._inputs[indices])
        if self.transform is not None:
            return transformed_rows(self.transform, self._image if self._images else self._inputs.__getitem__, indices)
        if self._images:
            return stack(
                [row_pixels(self._image(row), self._channels, row) for row in indices.tolist()], indices, RESIZE
            )
        return as_array(_take(self._inputs, indices))


def _are_images(inputs: Any) -> bool:
    """Tell whether an array [n] holds PIL images."""
    return isinstance(inputs, np.ndarray) and inputs.dtype == object and inputs.ndim == 1 and any(map(is_image, inputs))


def _names(column: Any) -> Any:
    from dataaudit.data.identity import identity_of

    return identity_of(column.index, "a Series' index", "drop it: series.reset_index(drop=True)")


def _take(inputs: Any, indices: IntArray) -> Any:
    if is_tensor(inputs):
        import torch

        return inputs[torch.tensor(indices, device=inputs.device)]
    return inputs[indices]


def _indexable(inputs: Any) -> Any:
    """Inputs with a length and rows; arrays and tensors themselves, never a copy of them."""
    if isinstance(inputs, np.ma.MaskedArray):
        inputs = unmasked(inputs)
    elif isinstance(inputs, np.matrix):
        inputs = np.asarray(inputs)
    elif type(inputs).__module__.split(".")[0] == "pandas" and dimensions(inputs) == 1:
        inputs = inputs.to_numpy()
    elif isinstance(inputs, (list, tuple)):
        inputs = _from_list(inputs)
    elif not (is_tensor(inputs) or isinstance(inputs, np.ndarray)):
        raise DataError(
            f"inputs of type {type(inputs).__module__}.{type(inputs).__name__}",
            "an array, a tensor, a sparse matrix, nested lists, texts, a DataFrame or a column",
            _instead(inputs),
        )
    if isinstance(inputs, np.ndarray) and inputs.dtype.names:
        raise DataError("an array of records", "numbers, or a table", "pass pandas.DataFrame(inputs)")
    if isinstance(inputs, np.ndarray) and inputs.dtype == object and inputs.size:
        inputs = _of_objects(inputs)
    if inputs.ndim == 0:
        raise DataError("inputs without dimensions", "an array [n, ...]", "pass one entry an example")
    return inputs


def _instead(inputs: Any) -> str:
    """Advice on inputs in something that is no container of them."""
    if is_a(inputs, "torch.utils.data", "DataLoader"):
        return "pass loader.dataset, whose rows hold labels, in place of the pair"
    if is_a(inputs, "torch.utils.data", "Dataset"):
        return "pass it in place of the pair if it yields labels too, or [data[row] for row in range(len(data))]"
    return listing(inputs, "inputs") or "pass numpy.asarray(inputs)"


def _from_list(inputs: list[Any] | tuple[Any, ...]) -> AnyArray:
    if any(row is np.ma.masked for row in inputs):
        inputs = [None if row is np.ma.masked else row for row in inputs]
    whole = any(is_image(row) or isinstance(row, (str, bytes)) for row in inputs)
    if whole or _are_pictures(inputs):
        # np.asarray would make one array of all images, channels last, and give every text the longest one's room.
        return _listed([_picture(row) if isinstance(row, np.ndarray) else row for row in inputs])
    rows = [as_array(row) if is_tensor(row) else row for row in unmasked(inputs)]
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise DataError(
            f"nested lists of different lengths ({error})",
            "rows of one shape",
            "pad or cut them to one length",
        ) from error


def _listed(inputs: list[Any] | tuple[Any, ...]) -> AnyArray:
    """Items of a list as they are, an object array [n]."""
    listed = np.empty(len(inputs), dtype=object)
    for row, item in enumerate(inputs):
        listed[row] = item
    return listed


def _are_pictures(inputs: Sequence[Any]) -> bool:
    """Tell whether rows are 8-bit pixels of several sizes."""
    pixels = all(isinstance(row, np.ndarray) and row.dtype == np.uint8 and row.ndim in (2, 3) for row in inputs)
    return pixels and len({row.shape for row in inputs}) > 1


def _picture(pixels: AnyArray) -> Any:
    """PIL image of pixels [H, W] or [H, W, c] with c of 1, 3 or 4."""
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4):
        raise DataError(
            f"8-bit pixels of shape {pixels.shape} among others",
            "[height, width], or [height, width, channels] with 1, 3 or 4 channels, where sizes differ",
            "turn the channels to the end: pixels.transpose(1, 2, 0)",
        )
    from PIL import Image

    return Image.fromarray(pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _of_objects(inputs: AnyArray) -> AnyArray:
    """Objects as what they hold: numbers, or arrays and lists of one shape; others as they are."""
    if inputs.ndim == 1 and any(isinstance(row, str) or is_image(row) for row in inputs):
        return inputs
    if any(is_tensor(row) or (isinstance(row, (np.ndarray, list, tuple)) and not _is_gap(row)) for row in inputs.flat):
        indices = np.arange(len(inputs))
        return stack([as_input(row, number, ADVICE) for number, row in enumerate(inputs)], indices)
    try:
        numbers = np.asarray([np.nan if _is_gap(value) else value for value in inputs.flat]).reshape(inputs.shape)
    except (TypeError, ValueError):
        return inputs
    return numbers if numbers.dtype.kind in NUMBERS else inputs


def _is_gap(value: Any) -> bool:
    return value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType")


def _are_texts(inputs: Any) -> bool:
    """Tell whether an array [n] holds strings, gaps and other values perhaps among them."""
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 1 or inputs.dtype.kind not in "OUT":
        return False
    return inputs.dtype.kind in "UT" or any(isinstance(row, str) for row in inputs)


def check_numbers(inputs: Any) -> None:
    """Raise a `DataError` unless an array or a tensor holds numbers in at least two dimensions."""
    holds_bytes = inputs.dtype == object and any(isinstance(row, bytes) for row in inputs)
    if holds_bytes or (not is_tensor(inputs) and inputs.dtype.kind == "S"):
        raise DataError("bytes", "texts or numbers", "decode them: [text.decode() for text in texts]")
    if inputs.is_complex() if is_tensor(inputs) else inputs.dtype.kind not in NUMBERS:
        raise DataError(f"inputs of type {inputs.dtype}", "numbers", _as_numbers(inputs))
    if inputs.ndim < 2:
        raise DataError(
            f"inputs of shape {tuple(inputs.shape)}",
            "[n, features] or more dimensions",
            "if each example is a single number pass inputs[:, None], or turn each into an array with transform=",
        )


def _as_numbers(inputs: Any) -> str:
    """Advice on an array of something else than real numbers."""
    if inputs.dtype == object:
        return (
            "for columns of several kinds pass pandas.DataFrame(inputs), or turn each row into numbers with transform="
        )
    if is_tensor(inputs) or inputs.dtype.kind == "c":
        return "pass real and imaginary parts side by side: numpy.concatenate([inputs.real, inputs.imag], 1)"
    return ADVICE
