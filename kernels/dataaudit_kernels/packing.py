"""Rows as the products read them: centred, rounded once, sorted by label, in panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.arrays import Floats, Integers
from dataaudit_kernels.compiled import compiled
from dataaudit_kernels.products import PANEL, Kind, per_word
from dataaudit_kernels.threads import in_order
from dataaudit_kernels.validation import FARTHEST, ROUNDED, moved_by_rounding, out_of_range

BLOCK = 2**21
"""Values of the given rows that are held in float64 at a time."""

SAMPLE = 4096
"""Most rows that the centre is computed from; of wide ones as many as make up half of `BLOCK` values, at least 64."""

MOST_PIXELS = 32768
"""Features up to which squared distances of 8-bit pixels fit 32 bits."""


@dataclass(frozen=True)
class Packed:
    """Rows in panels: flat `words` [panels x depth x PANEL], float32 or int32, 0 beyond n rows and d features.

    `squares` are squared norms of the rounded rows, and `sums` those of pixels, float64 [panels x PANEL].
    """

    words: NDArray[Any]
    depth: int
    squares: Floats
    sums: Floats | None = None


@dataclass(frozen=True)
class Order:
    """Position of every row sorted by label in the given order, and the sorted labels, int64 [n] each."""

    rows: Integers
    labels: Integers

    def ranges(self, labels: Integers) -> tuple[Integers, Integers]:
        """First and end position of each of `labels` among the sorted rows, int64 each."""
        first = np.searchsorted(self.labels, labels, side="left")
        return first.astype(np.int64), np.searchsorted(self.labels, labels, side="right").astype(np.int64)


def by_label(labels: Integers) -> Order:
    """Stable order by label."""
    rows = np.argsort(labels, kind="stable").astype(np.int64)
    return Order(rows, labels[rows])


def unit_of(bandwidth: float) -> float:
    """Power of two nearest the bandwidth: scaling by it does not round."""
    return float(2.0 ** np.round(np.log2(bandwidth)))


def centre_of(rows: NDArray[Any]) -> Floats:
    """Middle of the bulk of the rows, float64 [d]: distances between rows near it lose least to rounding.

    The mean of a sample without the rows that are over four times as far from its median as half of the sample
    is: a few far rows do not move it.
    """
    n = len(rows)
    most = min(n, SAMPLE, max(64, BLOCK // 2 // max(1, rows.shape[1])))
    chosen = np.unique(np.linspace(0, max(n - 1, 0), most).astype(np.int64))
    step = max(1, BLOCK // max(1, rows.shape[1]))
    # Scaled, so that the squares of huge values stay finite.
    largest = max((float(np.abs(rows[part].astype(np.float64)).max()) for part in _parts(chosen, step)), default=0.0)
    if n == 0 or largest == 0:
        return np.zeros(rows.shape[1])
    few = rows[chosen[:: max(1, -(-len(chosen) // 512))]].astype(np.float64) / largest
    middle = np.median(few, axis=0)
    spread = 4 * float(np.median(np.linalg.norm(few - middle, axis=1)))
    total, count = np.zeros(rows.shape[1]), 0
    for part in _parts(chosen, step):
        block = rows[part].astype(np.float64) / largest
        inside = np.linalg.norm(block - middle, axis=1) <= spread
        total += block[inside].sum(0)
        count += int(inside.sum())
    return np.asarray(total / count * largest if count else middle * largest, np.float64)


def _parts(chosen: Integers, step: int) -> list[Integers]:
    return [chosen[start : start + step] for start in range(0, len(chosen), step)]


def rounded(block: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """Values rounded to nearest even as the products see them, float32 (or int16, pixels minus 128).

    >>> rounded(np.array([[1.001, 2.0]]), "bfloat16").tolist()
    [[1.0, 2.0]]
    """
    if kind == "uint8":
        return np.asarray(block.astype(np.int16) - 128)
    single = np.ascontiguousarray(block, np.float32)
    if kind == "float32":
        return single
    bits = single.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def _as_words(block: NDArray[Any], kind: Kind, depth: int) -> NDArray[Any]:
    """Rounded rows [b, d] as words [b, depth]."""
    if kind == "float32":
        return block
    width = depth * per_word(kind)
    if kind == "bfloat16":
        narrow = (block.view(np.uint32) >> 16).astype(np.uint16)
    else:
        narrow = block.astype(np.int8 if per_word(kind) == 4 else np.int16)
    padded = np.zeros((len(block), width), narrow.dtype)
    padded[:, : block.shape[1]] = narrow
    return padded.view(np.int32)


@compiled()
def _lay_out(block, centre, factor, words, squares, largest):
    """Rows [b, d] minus the centre, in units, as float32 words [panels, d, PANEL]; their squares and largest values.

    One pass: this is what NumPy would take six for. Strips of 64 features stay in the cache while they are turned.
    """
    n, d = block.shape
    for start in range(0, n, PANEL):
        panel = start // PANEL
        stop = min(n, start + PANEL)
        for first in range(0, d, 64):
            for row in range(start, stop):
                total, peak = squares[row], largest[row]
                for k in range(first, min(first + 64, d)):
                    value = (np.float64(block[row, k]) - centre[k]) * factor
                    single = np.float32(value)
                    words[panel, k, row - start] = single
                    total += np.float64(single) * np.float64(single)
                    peak = max(peak, abs(value))
                squares[row], largest[row] = total, peak
        for row in range(stop, start + PANEL):
            words[panel, :, row - start] = 0


def pack(
    rows: NDArray[Any],
    order: Integers,
    kind: Kind,
    centre: Floats | None,
    unit: float,
    name: str = "x",
    threads: int = 1,
) -> Packed:
    """Rows ``rows[order]``, minus the centre, in units, rounded and laid out in panels.

    Memory: the packed words and blocks of `BLOCK` values, one a thread. A `ValueError` names a row that is more than
    `FARTHEST` units from the centre, or that rounding to bfloat16 moves by over `ROUNDED`; a `MemoryError` says how
    many bytes do not fit.
    """
    d = rows.shape[1]
    depth = -(-d // per_word(kind))
    panels = -(-len(order) // PANEL)
    kept = np.float32 if kind == "float32" else np.int32
    try:
        words = np.empty((panels, depth, PANEL), kept)
    except MemoryError as error:
        raise MemoryError(
            f"found no memory for {name}: {len(order)} rows of {d} {kind} values; expected "
            f"{panels * depth * PANEL * 4 / 2**30:.1f} GiB free; free some, or pass fewer rows"
        ) from error
    squares = np.zeros(panels * PANEL)
    sums = np.zeros(panels * PANEL) if kind == "uint8" else None
    step = max(1, BLOCK // max(1, d) // PANEL)

    def lay(panel: int) -> None:
        part = order[panel * PANEL : (panel + step) * PANEL]
        span = slice(panel * PANEL, panel * PANEL + len(part))
        taken = rows[part]
        if kind == "float32":
            if taken.dtype not in (np.float32, np.float64, np.uint8) or not taken.dtype.isnative:
                taken = taken.astype(np.float64)
            middle = np.zeros(d) if centre is None else centre
            largest = np.zeros(len(part))
            _lay_out(np.ascontiguousarray(taken), middle, 1 / unit, words[panel : panel + step], squares[span], largest)
            _check_range(largest, part, name, centre is not None)
            return
        if kind == "bfloat16":
            taken = taken.astype(np.float64)
            if centre is not None:
                taken -= centre
            taken /= unit
            _check_range(np.abs(taken).max(1, initial=0.0), part, name, centre is not None)
        block = rounded(taken, kind)
        if kind == "bfloat16":
            _check_rounding(np.linalg.norm(block - taken, axis=1), part, name, kind)
        squares[span] = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        if sums is not None:
            sums[span] = block.sum(1, dtype=np.int64)
        laid = np.zeros((-(-len(part) // PANEL) * PANEL, depth), kept)
        laid[: len(part)] = _as_words(block, kind, depth)
        words[panel : panel + step] = laid.reshape(-1, PANEL, depth).transpose(0, 2, 1)

    for _ in in_order(lay, range(0, panels, step), threads):
        pass
    return Packed(words.reshape(-1), depth, squares, sums)


def _check_range(largest: Floats, part: Integers, name: str, centred: bool) -> None:
    far = largest > FARTHEST
    if far.any():
        raise ValueError(out_of_range(int(part[far.argmax()]), name, centred))


def _check_rounding(moved: Floats, part: Integers, name: str, kind: Kind) -> None:
    worst = int(moved.argmax())
    if moved[worst] > ROUNDED:
        raise ValueError(moved_by_rounding(int(part[worst]), float(moved[worst]), name, kind))
