"""Examples in arrays, in memory or memory-mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataaudit.common.mapped import MappedFile
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_a, is_image, is_tensor
from dataaudit.data.labels import check_lengths, encode_labels, label_values
from dataaudit.data.rows import NUMBERS, as_array, transformed_rows
from dataaudit.data.texts import as_texts
from dataaudit.errors import DataError

_ADVICE = "name numbers only, or turn each row into numbers with transform="


class ArrayExamples(Examples):
    """An array of inputs [n, ...], kept by reference, and labels [n]; see `dataaudit.data.as_examples`.

    Inputs are a NumPy array or memmap, a torch tensor (on any device), nested lists or a pandas Series. Without
    `transform` they are texts [n], or numbers of at least two dimensions; `raw` ones may be of any type.
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
    ) -> None:
        self._inputs = _listed(inputs) if raw and isinstance(inputs, (list, tuple)) else _indexable(inputs)
        self.transform = transform
        values = label_values(labels, self.task)
        # Of pandas columns that came from one table, either names the rows.
        named = next((part for part in (inputs, labels) if is_a(part, "pandas", "Series")), None)
        self.identity = None if named is None else _names(named)
        check_lengths(len(self._inputs), len(values))
        super().__init__(*encode_labels(values, lenient=lenient, task=self.task))
        self._text = transform is None and _are_texts(self._inputs)
        if transform is None and not self._text and not raw:
            check_numbers(self._inputs)

    @property
    def array(self) -> AnyArray | None:
        """All inputs without a copy, where they are a NumPy array or memmap and no transform stands before them."""
        plain = self.transform is None and not self._text
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
        if self.transform is None:
            return as_array(_take(self._inputs, indices))
        return transformed_rows(self.transform, self._inputs.__getitem__, indices)


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
    name = type(inputs).__name__
    sparse = type(inputs).__module__.startswith("scipy.sparse")
    if is_tensor(inputs):
        import torch

        sparse = inputs.layout != torch.strided
    if sparse:
        raise DataError(
            f"sparse inputs ({name})",
            "dense rows",
            "pass inputs.toarray() (to_dense() in torch) if it fits, or reduce the features first, "
            "for example with TruncatedSVD",
        )
    if isinstance(inputs, np.ma.MaskedArray) and np.ma.is_masked(inputs):
        raise DataError("masked inputs", "a value in every place", "fill them: inputs.filled(...)")
    if is_a(inputs, "pandas", "Series"):
        inputs = inputs.to_numpy()
    elif isinstance(inputs, (list, tuple)):
        inputs = _from_list(inputs)
    elif not (is_tensor(inputs) or isinstance(inputs, np.ndarray)):
        raise DataError(
            f"inputs of type {type(inputs).__module__}.{name}",
            "a NumPy array or memmap, a torch tensor, nested lists, a DataFrame or a Series",
            "convert them, for example with numpy.asarray(...)",
        )
    if inputs.ndim == 0:
        raise DataError("inputs without dimensions", "an array [n, ...]", "pass one entry an example")
    return inputs


def _from_list(inputs: list[Any] | tuple[Any, ...]) -> AnyArray:
    if inputs and (is_image(inputs[0]) or isinstance(next((row for row in inputs if row is not None), None), str)):
        # np.asarray would make one array of all images, channels last, and give every text the longest one's room.
        return _listed(inputs)
    try:
        return np.asarray([as_array(row) if is_tensor(row) else row for row in inputs])
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


def _are_texts(inputs: Any) -> bool:
    """Tell whether an array [n] holds strings, None perhaps among them."""
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 1 or inputs.dtype.kind not in "OUT":
        return False
    return inputs.dtype.kind in "UT" or isinstance(next((row for row in inputs if row is not None), None), str)


def check_numbers(inputs: Any) -> None:
    """Raise a `DataError` unless an array or a tensor holds numbers in at least two dimensions."""
    if inputs.dtype == object and len(inputs) and is_image(inputs[0]):
        raise DataError("a list of PIL images", "arrays", "pass transform=dataaudit.data.images.to_pixels with it")
    if inputs.is_complex() if is_tensor(inputs) else inputs.dtype.kind not in NUMBERS:
        raise DataError(f"inputs of type {inputs.dtype}", "numbers", _ADVICE)
    if inputs.ndim < 2:
        raise DataError(
            f"inputs of shape {tuple(inputs.shape)}",
            "[n, features] or more dimensions",
            "pass inputs[:, None] if each example is a single number, or transform=",
        )
