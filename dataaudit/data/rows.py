"""Turn single rows into blocks: one conversion to NumPy, and errors that name the row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.images import to_pixels
from dataaudit.data.kinds import is_image, is_tensor
from dataaudit.errors import DataAuditError, DataError, RowError

NUMBERS = "iubf"
"""Kinds of NumPy types that are inputs."""


def as_array(value: Any) -> AnyArray:
    """NumPy array of a tensor, an array or nested lists, as a view where there is one.

    Half precision becomes float32 and extended precision float64; bytes come in this machine's order. Masked items are
    NaN.
    """
    array: AnyArray
    if is_tensor(value):
        tensor = value.detach().cpu()
        # NumPy has no bfloat16.
        array = (tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor).numpy()
    else:
        array = np.asarray(unmasked(value))
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return array


def unmasked(values: Any) -> Any:
    """Masked arrays, and nested lists, with NaN where an item is masked; anything else as it is."""
    if isinstance(values, np.ma.MaskedArray):
        return _filled(values)
    return _replaced(values) if isinstance(values, (list, tuple)) and _holds_masked(values) else values


def _filled(values: Any) -> AnyArray:
    if not np.ma.is_masked(values):
        return np.asarray(values.data)
    if values.dtype.kind not in NUMBERS:
        raise DataError("masked inputs that are no numbers", "a value in every place", "fill them: inputs.filled(...)")
    # Half precision is widened when it is read.
    wide = values if values.dtype.kind == "f" else values.astype(np.float64)
    return np.asarray(wide.filled(np.nan))


def _holds_masked(values: Sequence[Any]) -> bool:
    if any(issubclass(one, np.ma.MaskedArray) for one in set(map(type, values))):
        return True
    nested = [row for row in values if isinstance(row, (list, tuple))]
    return bool(nested) and _holds_masked(list(chain.from_iterable(nested)))


def _replaced(item: Any) -> Any:
    if isinstance(item, np.ma.MaskedArray):
        return _filled(item) if item.ndim else np.nan
    return [_replaced(one) for one in item] if isinstance(item, (list, tuple)) else item


def as_input(value: Any, row: int, action: str) -> AnyArray:
    """Array [...] of numbers for one example, at least one-dimensional; PIL images become pixels.

    A `DataError` for anything else names `row` and advises `action`.
    """
    reason = ""
    try:
        array = to_pixels(value) if is_image(value) else as_array(value)
        if array.dtype.kind in NUMBERS and array.ndim > 0:
            return array
        if array.dtype.kind in NUMBERS:
            reason = " (a single number)"
    except (TypeError, ValueError, RuntimeError) as error:
        reason = f" ({error})"
    raise DataError(
        f"an input of type {type(value).__name__} in row {row}{reason}",
        "an array or tensor of numbers with at least one dimension, or a PIL image",
        action,
    )


def for_row(function: Callable[[Any], Any], argument: Any, row: int, arrived: str, action: str | Sequence[str]) -> Any:
    """``function(argument)``; a `RowError` that names `row`, the original error chained, where it fails."""
    try:
        return function(argument)
    except DataAuditError as error:  # Of a transform of ours, which knows better than we what to do.
        raise RowError(f"{error.arrived} in row {row}", error.expected, error.alternatives) from error
    except Exception as error:  # A caller's code and image decoders raise whatever they like.
        raise RowError(
            f"{arrived} in row {row} ({type(error).__name__}: {error})", "a row that can be read", action
        ) from error


def transformed(transform: Callable[[Any], Any], value: Any, row: int) -> AnyArray:
    """Array [...] that the caller's `transform` makes of one input; errors name `row`."""
    action = ["correct the transform", "pass on_bad_rows='drop'"]
    output = for_row(transform, value, row, "a failing transform=", action)
    return as_input(output, row, "return an array or a tensor from transform=")


def transformed_rows(transform: Callable[[Any], Any], value: Callable[[int], Any], indices: IntArray) -> AnyArray:
    """Array [b, ...] that `transform` makes of the inputs `value` of the rows `indices`."""
    return stack([transformed(transform, value(row), row) for row in indices.tolist()], indices)


RESIZE = ["pass resize=32, for example", "resize the images beforehand"]
"""Remedy for images of several sizes."""


def stack(
    arrays: Sequence[AnyArray],
    indices: IntArray,
    action: str | Sequence[str] = "bring them to one shape and type, for example with transform=",
) -> AnyArray:
    """Array [b, ...] of b arrays of one shape and type; a `DataError` names the first that differs, with `action`."""
    first = arrays[0]
    for array, row in zip(arrays, indices.tolist(), strict=True):
        if array.shape != first.shape or array.dtype != first.dtype:
            raise DataError(
                f"an input of shape {array.shape} ({array.dtype}) in row {row}, "
                f"after {first.shape} ({first.dtype}) in row {int(indices[0])}",
                "inputs of one shape and type",
                action,
            )
    return np.stack(arrays)
