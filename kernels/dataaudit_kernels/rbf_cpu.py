"""Kernel sums on the CPU: every pair once, in blocks that stay in the cache, on all cores.

    labels -> order by label
    rows   -> centred, rounded once, packed in panels                    packing
    for each block of pairs on or above the diagonal (threads):
        inner products, from those of the factors for gradients          products
        kernel values, added to the sums of its rows and its columns     epilogue
    rows whose float32 sums, of all or of their label, underflow are looked at again, shifted

Sums of blocks are float64, added in one order: results do not depend on the number of threads. Memory beyond the
arguments: a packed copy (4 bytes a float32 value, 2 bfloat16, 1 pixel, 2 a pixel without avx512_vnni), about 150 bytes
a row and a few MiB a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba.core import config
from numpy.typing import ArrayLike, NDArray

from dataaudit_kernels.arrays import Advance, Floats, Integers
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import MOST_PIXELS, Order, Packed, by_label, centre_of, pack, unit_of
from dataaudit_kernels.products import PANEL, Kind, pixel_shift, supported
from dataaudit_kernels.strips import TILE, strip_sums
from dataaudit_kernels.threads import in_order
from dataaudit_kernels.validation import UNDERFLOW, check_bandwidth, check_factors, check_reach, check_sides

COLUMNS = 64
"""Blocks of columns in a task."""


@dataclass(frozen=True)
class Side:
    """Rows or columns of the pairs, sorted: words and depths of packed factors (one, or two a layer), squared norms."""

    kind: Kind
    words: tuple[NDArray[Any], ...]
    depths: tuple[int, ...]
    biases: tuple[float, ...]
    row_norms: NDArray[Any]
    norms: NDArray[Any]
    order: Order

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.order.rows)


Pack = Callable[[Order], Side]
"""Packs the rows of an order, all or some of those of a side."""


def rbf_sums(
    x: ArrayLike,
    labels: ArrayLike,
    bandwidth: float,
    references: ArrayLike | None = None,
    reference_labels: ArrayLike | None = None,
    *,
    precision: str = "auto",
    threads: int | None = None,
    advance: Advance | None = None,
) -> tuple[Floats, Floats]:
    """`dataaudit_kernels.reference.rbf_sums` at the speed of half a matrix product.

    Parameters
    ----------
    x, labels, bandwidth, references, reference_labels
        As there; any real numbers in any memory layout, memory-mapped arrays are read in blocks.
    precision
        What products multiply: "float32", "bfloat16" (twice as fast, on CPUs with avx512_bf16; rows that rounding moves
        by over a tenth of a bandwidth, for they lie some 40 of them from the bulk, are refused), "uint8" (exact; pixels
        only, on CPUs with avx2 or avx512bw), or "auto": uint8 for pixels where it can be, else float32. Sums are
        float32 within a block and float64 beyond.
    threads
        Number of threads; Numba's number (all cores, NUMBA_NUM_THREADS) if None.
    advance
        Called now and then with the share of the work done since the last call.

    Returns
    -------
    all, same
        float64 [n] each. Relative error of each at most 2e-6 (1 + R^2 / h^2) on the rounded rows, R their largest norm
        from the centre of their bulk, down to sums of 1e-300.

    Raises
    ------
    ValueError
        If shapes do not match, values are not finite, rows are over 1e15 bandwidths apart or moved too far by the
        precision, the bandwidth is not positive, its square is out of range, or this CPU lacks the precision.
    MemoryError
        If the packed rows do not fit.

    Examples
    --------
    >>> rbf_sums([[0.0], [1.0], [1.0]], [0, 0, 1], 1.0)[1].round(4).tolist()
    [0.3679, 0.3679, 0.0]
    """
    h = check_bandwidth(bandwidth)
    sides = check_sides(x, labels, references, reference_labels)
    kind = kind_of(precision, [rows for rows, _ in sides])
    centre = None if kind == "uint8" else centre_of(sides[-1][0])
    unit = 1.0 if kind == "uint8" else unit_of(h)
    pairs = Pairs(scale_of(h, unit), workers(threads), advance)

    def side(rows: NDArray[Any], name: str) -> Pack:
        return lambda order: row_side(order, rows, kind, centre, unit, name, pairs.threads)

    (rows, given), *other = sides
    if not other:
        return pairs.within(side(rows, "x"), by_label(given))
    others, their = other[0]
    return pairs.across(side(rows, "x"), by_label(given), side(others, "references"), by_label(their))


def gradient_rbf_sums(
    layers: Sequence[GradientFactors],
    labels: ArrayLike,
    bandwidth: float,
    *,
    threads: int | None = None,
    advance: Advance | None = None,
) -> tuple[Floats, Floats]:
    """`dataaudit_kernels.reference.gradient_rbf_sums` from the factors alone: no gradient is written out.

    Two products a block and layer, in float32: gradients cannot be centred without being written out. Arguments,
    results and errors are those of `rbf_sums`.
    """
    h = check_bandwidth(bandwidth)
    order = by_label(check_factors(layers, labels))
    unit = unit_of(h)
    pairs = Pairs(scale_of(h, unit), workers(threads), advance)
    return pairs.within(lambda chosen: gradient_side(chosen, layers, unit, pairs.threads), order)


def row_side(
    order: Order, rows: NDArray[Any], kind: Kind, centre: Floats | None, unit: float, name: str, threads: int
) -> Side:
    """Rows in an order, packed."""
    packed = pack(rows, order.rows, kind, centre, unit, name, threads)
    if packed.sums is None:
        single = packed.squares.astype(np.float32)
        return Side(kind, (packed.words,), (packed.depth,), (0.0,), single, single, order)
    # A product is (a + shift) b: the sum of b leaves with the column's norm. Differences wrap to exact values.
    norms = packed.squares.astype(np.int32)
    columns = (packed.squares + 2 * pixel_shift() * packed.sums).astype(np.int64).astype(np.int32)
    return Side(kind, (packed.words,), (packed.depth,), (0.0,), norms, columns, order)


def gradient_side(order: Order, layers: Sequence[GradientFactors], unit: float, threads: int) -> Side:
    """Factors of gradients in an order, packed."""
    factors: list[Packed] = []
    norms = np.zeros(-(-len(order.rows) // PANEL) * PANEL)
    for number, (delta, inputs, bias) in enumerate(layers):
        outer = pack(np.asarray(delta), order.rows, "float32", None, unit, f"delta of layer {number}", threads)
        inner = pack(np.asarray(inputs), order.rows, "float32", None, 1.0, f"inputs of layer {number}", threads)
        norms += outer.squares * (inner.squares + float(bias))
        factors += [outer, inner]
    check_reach(norms, order.rows)
    single = norms.astype(np.float32)
    words, depths = tuple(factor.words for factor in factors), tuple(factor.depth for factor in factors)
    return Side("float32", words, depths, tuple(float(layer.bias) for layer in layers), single, single, order)


def scale_of(bandwidth: float, unit: float) -> float:
    """Factor of squared distances in units that gives the exponent of 2.

    At most 1e25: beyond, pixels that differ are out of reach anyhow, and float32 would overflow.
    """
    return min(float(np.log2(np.e) * (unit / bandwidth) ** 2), 1e25)


def kind_of(precision: str, arrays: Sequence[NDArray[Any]]) -> Kind:
    """Precision of products."""
    pixels = all(rows.dtype == np.uint8 and rows.shape[1] <= MOST_PIXELS for rows in arrays)
    if precision == "auto":
        return "uint8" if pixels and "uint8" in supported() else "float32"
    if precision == "uint8" and not pixels:
        raise ValueError(
            f"found precision='uint8' for {arrays[0].dtype} rows of {arrays[0].shape[1]}; expected uint8 rows of at "
            f"most {MOST_PIXELS} values; pass precision='auto'"
        )
    for kind in supported():
        if precision == kind:
            return kind
    raise ValueError(
        f"found precision={precision!r}; expected one that this CPU multiplies: auto, {', '.join(supported())}; "
        "pass precision='auto'"
    )


@dataclass(frozen=True)
class Pairs:
    """All blocks of pairs, in tasks over threads."""

    scale: float
    threads: int
    advance: Advance | None

    def within(self, side: Pack, order: Order) -> tuple[Floats, Floats]:
        """Sums over all other rows."""
        sums = np.zeros((2, len(order.rows)))
        if sums.size:
            rows = side(order)
            for start, begin, down, across in self.tasks(rows, rows, symmetric=True):
                sums[:, start : start + down.shape[1]] += down
                sums[:, begin : begin + across.shape[1]] += across
            self.look_again(sums, side, rows, rows, symmetric=True)
        return unsorted(sums, order)

    def across(self, side: Pack, order: Order, their: Pack, references: Order) -> tuple[Floats, Floats]:
        """Sums over references."""
        sums = np.zeros((2, len(order.rows)))
        if sums.size and len(references.rows):
            rows, columns = side(order), their(references)
            for start, _, down, _ in self.tasks(rows, columns, symmetric=False):
                sums[:, start : start + down.shape[1]] += down
            self.look_again(sums, side, rows, columns, symmetric=False)
        return unsorted(sums, order)

    def tasks(self, rows: Side, columns: Side, symmetric: bool) -> Iterator[tuple[int, int, Floats, Floats]]:
        """(first row, first column, sums of rows, sums of columns) of every task, in order."""
        first, end = columns.order.ranges(rows.order.labels)
        skip = np.arange(rows.n, dtype=np.int64) if symmetric else np.full(rows.n, -1, np.int64)
        tasks = []
        for start in range(0, rows.n, TILE):
            for begin in range(start if symmetric else 0, columns.n, COLUMNS * TILE):
                tasks.append((start, begin, min(begin + COLUMNS * TILE, columns.n)))
        blocks = sum(-(-(stop - begin) // TILE) for _, begin, stop in tasks)

        def work(task: tuple[int, int, int]) -> tuple[int, int, Floats, Floats]:
            start, begin, stop = task
            part = slice(start, min(start + TILE, rows.n))
            down, across = np.zeros((2, part.stop - start)), np.zeros((2, stop - begin))
            strip_sums(
                *(rows.words, columns.words, rows.depths, rows.biases, start // PANEL, begin, stop),
                *(rows.row_norms[part], columns.norms, np.float32(self.scale)),
                *(first[part], end[part], skip[part], start if symmetric else -1, down, across, None),
            )
            return start, begin, down, across

        for task, result in zip(tasks, in_order(work, tasks, self.threads), strict=True):
            if self.advance is not None:
                self.advance(-(-(task[2] - task[1]) // TILE) / blocks)
            yield result

    def look_again(self, sums: Floats, side: Pack, rows: Side, columns: Side, symmetric: bool) -> None:
        """Put shifted sums in place of those [2, n] that float32 may have lost.

        Where the sum over the same label alone is lost, only columns of that label are looked at.
        """
        first, end = columns.order.ranges(rows.order.labels)
        lost = sums.sum(0) < UNDERFLOW
        alone = ~lost & (sums[1] < UNDERFLOW) & (end - first > symmetric)
        for which, own in ((lost, False), (alone, True)):
            low = np.flatnonzero(which)
            # A copy of some rows at a time.
            for start in range(0, len(low), COLUMNS * TILE):
                part = low[start : start + COLUMNS * TILE]
                few = side(Order(rows.order.rows[part], rows.order.labels[part]))
                again = self.shifted(few, part if symmetric else np.full(few.n, -1, np.int64), columns, own)
                sums[own:, part] = again[own:]

    def shifted(self, few: Side, skip: Integers, columns: Side, own: bool) -> Floats:
        """Sums [2, n] of rows by values relative to their largest; of columns of their labels alone where `own`."""
        first, end = columns.order.ranges(few.order.labels)

        def work(start: int) -> Floats:
            part = slice(start, min(start + TILE, few.n))
            begin, stop = 0, columns.n
            if own:
                begin, stop = int(first[part][0]) // PANEL * PANEL, int(end[part][-1])
            shifted, shifts = np.zeros((2, part.stop - start)), np.full((2, part.stop - start), -np.inf)
            across = np.empty((2, 0))
            strip_sums(
                *(few.words, columns.words, few.depths, few.biases, start // PANEL, begin, stop),
                *(few.row_norms[part], columns.norms, np.float32(self.scale)),
                *(first[part], end[part], skip[part], -1, shifted, across, shifts),
            )
            return np.asarray(np.exp2(shifts) * shifted)

        return np.concatenate(list(in_order(work, range(0, few.n, TILE), self.threads)), axis=1)


def workers(threads: int | None) -> int:
    """Requested number of threads; Numba's number where that is None."""
    if threads is None:
        return int(config.NUMBA_NUM_THREADS)
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise ValueError(f"found threads={threads!r}; expected a whole number of at least 1, or None; pass None")
    return int(threads)


def unsorted(sums: Floats, order: Order) -> tuple[Floats, Floats]:
    """(other, same) of sorted rows [2, n] as (all, same) in the given order."""
    total, same = np.empty(len(order.rows)), np.empty(len(order.rows))
    total[order.rows], same[order.rows] = sums.sum(0), sums[1]
    return total, same
