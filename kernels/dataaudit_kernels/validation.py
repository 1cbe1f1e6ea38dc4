"""Checks before every kernel; messages say what arrived, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dataaudit_kernels.arrays import Floats, Integers
from dataaudit_kernels.layers import GradientFactors

FARTHEST = 2.0**50
"""Largest centred value in bandwidths: squares of distances stay finite in float32."""

UNDERFLOW = 2.0**-80
"""Sum below which a row is looked at again: float32 kernel values end at 2^-126."""

ROUNDED = 0.1
"""Most that rounding to 8 or 11 bits may move a row, in bandwidths, by benchmarks/kernels/rounding.py: ranks of all
rows are then right to 1 - rho = 1e-3, and those among far rows alone to 2e-2."""

BLOCK = 2**22
"""Values looked at together when rows are checked."""


def check_bandwidth(bandwidth: float) -> float:
    """Bandwidth as a float; a `ValueError` unless it is above 0 and its square within the normal range of float64."""
    try:
        h = float(bandwidth)
    except (TypeError, ValueError):
        h = float("nan")
    limits = np.finfo(np.float64)
    if not (h > 0 and limits.tiny <= h * h <= limits.max):
        raise ValueError(
            f"found bandwidth={bandwidth!r}; expected a number above 0 whose square and its inverse are finite, "
            "1e-153 to 1e154; pass half the mean distance, multiply rows and bandwidth, or drop rows that are all equal"
        )
    return h


def check_rows(x: ArrayLike, name: str, width: int | None = None) -> NDArray[Any]:
    """Rows [n, d] as an array of finite numbers, not copied where it is one already; a `ValueError` otherwise."""
    rows = np.asarray(x)
    if rows.dtype.kind == "f" and rows.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            rows = rows.astype(np.float64)  # What is beyond its range becomes infinite, and is refused below.
    if rows.dtype.kind not in "fiub":
        raise ValueError(f"found {name} of type {rows.dtype}; expected real numbers; convert it to float32")
    if rows.ndim != 2 or rows.shape[1] == 0 or (width is not None and rows.shape[1] != width):
        wanted = f"[n, {width}]" if width is not None else "[n, d] with d > 0"
        raise ValueError(f"found {name} of shape {rows.shape}; expected {wanted}; reshape it")
    if rows.dtype.kind == "f":
        step = max(1, BLOCK // rows.shape[1])
        bad: list[int] = []
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            # One sum is finite wherever all values are, unless it overflows: only then look closely.
            with np.errstate(over="ignore", invalid="ignore"):
                suspicious = not np.isfinite(block.sum(dtype=np.float64))
            if suspicious:
                bad.extend((np.flatnonzero(~np.isfinite(block).all(axis=1)) + start).tolist())
        if bad:
            raise ValueError(not_finite(bad, name))
    return rows


def not_finite(bad: Sequence[int], name: str) -> str:
    """Words for rows that hold NaN or infinity."""
    more = f" and {len(bad) - 8} more" if len(bad) > 8 else ""
    return (
        f"found NaN or infinity in {name}, rows {', '.join(map(str, bad[:8]))}{more}; expected finite rows; "
        "fill or drop them"
    )


def out_of_range(row: int, name: str, centred: bool) -> str:
    """Words for a row whose values are beyond `FARTHEST`."""
    where = "over 1e15 bandwidths from the others" if centred else "with values over 1e15"
    return f"found row {row} of {name} {where}; expected rows within that; pass a larger bandwidth, or drop that row"


def moved_by_rounding(row: int, moved: float, name: str, precision: str) -> str:
    """Words for a row that the rounding to a precision moves by more than `ROUNDED`."""
    return (
        f"found row {row} of {name} so far from the middle of the others that {precision} moves it by {moved:.2g} "
        f"bandwidths; expected at most {ROUNDED}, for the ranks of far rows get lost; pass precision='float32'"
    )


def check_labels(labels: ArrayLike, n: int, name: str) -> Integers:
    """Labels as int64 [n]; a `ValueError` unless they are whole numbers, one a row."""
    given = np.asarray(labels)
    if given.shape != (n,):
        raise ValueError(f"found {name} of shape {given.shape} for {n} rows; expected [{n}]; pass one label a row")
    if given.dtype.kind not in "iub" and n:
        raise ValueError(f"found {name} of type {given.dtype}; expected whole numbers; encode the classes as 0..C-1")
    return given.astype(np.int64)


def check_sides(
    x: ArrayLike, labels: ArrayLike, references: ArrayLike | None, reference_labels: ArrayLike | None
) -> list[tuple[NDArray[Any], Integers]]:
    """Rows [n, d] with their labels, then references with theirs where there are any; both are needed."""
    rows = check_rows(x, "x")
    sides = [(rows, check_labels(labels, len(rows), "labels"))]
    if references is None and reference_labels is None:
        return sides
    if references is None or reference_labels is None:
        raise ValueError("found references without labels, or labels without them; expected both or neither; pass both")
    others = check_rows(references, "references", rows.shape[1])
    return [*sides, (others, check_labels(reference_labels, len(others), "reference_labels"))]


def check_reach(squares: Floats, order: Integers) -> None:
    """Raise a `ValueError` where a gradient's squared norm, in bandwidths, is beyond what float32 can square.

    `squares` begins with those of the rows at the positions `order`.
    """
    far = squares[: len(order)] > FARTHEST**2
    if far.any():
        raise ValueError(
            f"found row {order[far.argmax()]} of layers with a gradient over 1e15 bandwidths long; expected gradients "
            "within that; pass a larger bandwidth, or drop that row"
        )


def check_layers(layers: Sequence[GradientFactors]) -> int:
    """Number of examples n that the factors of all layers agree on; a `ValueError` where they do not."""
    if len(layers) == 0:
        raise ValueError("found no layers; expected at least one GradientFactors; pass [GradientFactors(...)]")
    sizes = set()
    for number, layer in enumerate(layers):
        sizes.add(len(check_rows(layer.delta, f"delta of layer {number}")))
        sizes.add(len(check_rows(layer.inputs, f"inputs of layer {number}")))
    if len(sizes) > 1:
        raise ValueError(f"found factors of {sorted(sizes)} rows; expected one length; pass the same examples to all")
    return sizes.pop()


def check_factors(layers: Sequence[GradientFactors], labels: ArrayLike, name: str = "labels") -> Integers:
    """Labels as int64 [n] of gradients whose factors agree; a `ValueError` as in `check_layers` and `check_labels`."""
    return check_labels(labels, check_layers(layers), name)
