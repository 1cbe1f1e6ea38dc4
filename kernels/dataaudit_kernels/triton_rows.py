"""Rows on the device as the products read them: centred, rounded once, sorted by label, padded to whole tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataaudit_kernels.arrays import Floats, Integers
from dataaudit_kernels.triton_plan import padded
from dataaudit_kernels.validation import FARTHEST, ROUNDED, moved_by_rounding, out_of_range

BLOCK = 2**21
"""Values of the given rows that are copied to the device at a time."""

REDUCED = ("bfloat16", "float16", "tf32")
"""Precisions of so few bits that rounding may move a row that lies far from the others."""


class Part(NamedTuple):
    """Values that make up rows, or a factor of them: [n, d] in any layout, to be centred and divided by a unit."""

    values: NDArray[Any]
    centre: Floats | None
    unit: float
    name: str


@dataclass(frozen=True)
class Side:
    """Rows or columns of the pairs on the device.

    `rows` are sorted by label, parts side by side, each padded with zeros, [padded n, padded width]. `norms` are
    squared norms times log2(e) / h^2, float32, infinite where padded; `labels` are codes, int32, rising; `order` is the
    position of every sorted row in the given order, int64 [n].
    """

    rows: Tensor
    norms: Tensor
    labels: Tensor
    order: Integers

    @property
    def n(self) -> int:
        """Rows without the padding."""
        return len(self.order)


def side(rows: Tensor, squares: Tensor, scale: float, codes: Integers, order: Integers) -> Side:
    """Rows from `upload` with their squared norms, float64, and codes of labels, which sort alike."""
    n = len(order)
    norms = (squares * scale).float()
    norms[n:] = torch.inf
    labels = np.full(len(rows), codes[-1] if n else 0, np.int32)
    labels[:n] = codes
    return Side(rows, norms, torch.from_numpy(labels).to(rows.device), order)


def upload(
    parts: Sequence[Part], order: Integers, precision: str, block: int, step: int, device: torch.device
) -> Tensor:
    """Rows on the device: sorted by `order`, every part in units and rounded; see `Side`.

    Rows and values of a row are padded to multiples of `block` and `step`. A `ValueError` names a row that is out of
    range, or moved too far by rounding.
    """
    widths = [padded(part.values.shape[1], step) for part in parts]
    kept = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision, torch.float32)
    if device.type == "cpu" and kept is torch.bfloat16:
        kept = torch.float32  # Triton's interpreter multiplies the bits of bfloat16; rounded values are the same.
    shape = (padded(len(order), block), sum(widths))
    rows = torch.zeros(shape, dtype=kept, device=device)
    where = torch.empty(len(order), dtype=torch.int64)
    where[torch.from_numpy(order)] = torch.arange(len(order))
    first = 0
    for (values, centre, unit, name), width in zip(parts, widths, strict=True):
        some = max(1, BLOCK // values.shape[1])
        # No larger than need be, never narrower.
        plain = values.dtype if values.dtype in (np.uint8, np.float16, np.float32) else np.float64
        middle = None if centre is None else torch.from_numpy(centre).to(device)
        for start in range(0, len(values), some):
            # Copied: torch takes neither read-only arrays nor all types and byte orders.
            native: NDArray[Any] = np.array(values[start : start + some], dtype=plain, order="C")
            taken = torch.from_numpy(native).to(device).double()
            if middle is not None:
                taken -= middle
            taken /= unit
            _check_range(taken, start, name, precision, centre is not None)
            positions, single = where[start : start + len(taken)].to(device), rounded(taken.float(), precision)
            if precision in REDUCED:
                _check_rounding(taken - single, start, name, precision)
            rows[positions, first : first + values.shape[1]] = single.to(kept)
        first += width
    return rows


def rounded(block: Tensor, precision: str) -> Tensor:
    """Values, float32, rounded to nearest even as the products see them.

    >>> rounded(torch.tensor([1.001, 2.0]), "bfloat16").tolist()
    [1.0, 2.0]
    """
    if precision == "bfloat16":
        return block.to(torch.bfloat16).float()
    if precision == "float16":
        return block.to(torch.float16).float()
    if precision == "tf32":
        bits = block.contiguous().view(torch.int32)
        return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)
    return block


def squares(rows: Tensor) -> Tensor:
    """Squared norms of rows, float64, in blocks."""
    step = max(1, BLOCK // rows.shape[1])
    return torch.cat([part.double().square().sum(1) for part in rows.split(step)])


def _check_range(block: Tensor, start: int, name: str, precision: str, centred: bool) -> None:
    largest = block.abs().amax(1)
    if bool((largest > FARTHEST).any()):
        raise ValueError(out_of_range(start + int(largest.argmax()), name, centred))
    if precision == "float16" and bool((largest > torch.finfo(torch.float16).max).any()):
        raise ValueError(
            f"found row {start + int(largest.argmax())} of {name} over 65504 bandwidths from the others; expected rows "
            "within the range of float16; pass precision='bfloat16'"
        )


def _check_rounding(apart: Tensor, start: int, name: str, precision: str) -> None:
    moved = apart.norm(dim=1)
    if bool((moved > ROUNDED).any()):
        worst = int(moved.argmax())
        raise ValueError(moved_by_rounding(start + worst, float(moved[worst]), name, precision))
