"""Kernel sums on a CUDA device: every pair once, on its tensor cores.

    labels -> order by label
    rows   -> on the device: centred, rounded once, sorted, padded to whole tiles
    columns in slabs that stay in the L2 cache; for each slab, pairs on or above the diagonal:
        the same number of tiles to every program           triton_pairs.sum_pairs
        sums of programs, added in one order                triton_pairs.add_runs
    rows whose float32 sums, of all or of their label,
    underflow are looked at again                           triton_pairs.sum_shifted

Memory on the device: the rows once, padded, about 80 bytes a row, and 256 MiB. On the host: blocks of 16 MiB.
Under ``TRITON_INTERPRET=1`` the same kernels run on the CPU, slowly, for tests.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from dataaudit_kernels import triton_pairs
from dataaudit_kernels.arrays import Advance, Floats, Integers
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import by_label, centre_of, unit_of
from dataaudit_kernels.triton_plan import PARTIAL, Plan, check_precision, constants, padded, plan_for, runs_of
from dataaudit_kernels.triton_rows import Part, Side, side, squares, upload
from dataaudit_kernels.validation import UNDERFLOW, check_bandwidth, check_factors, check_reach, check_sides


def rbf_sums(
    x: ArrayLike,
    labels: ArrayLike,
    bandwidth: float,
    references: ArrayLike | None = None,
    reference_labels: ArrayLike | None = None,
    *,
    precision: str = "tf32x3",
    device: str | torch.device | None = None,
    advance: Advance | None = None,
) -> tuple[Floats, Floats]:
    """`dataaudit_kernels.reference.rbf_sums` on tensor cores.

    Parameters
    ----------
    x, labels, bandwidth, references, reference_labels
        As there; any real numbers in any memory layout, memory-mapped arrays are read in blocks.
    precision
        "tf32x3" (three products of 10-bit parts: nearly float32), "tf32", "bfloat16", "float16" (rows are rounded
        once to it; those so far from the bulk that it moves them by a tenth of a bandwidth are refused), or "float32"
        (no tensor cores).
    device
        A CUDA device; the current one if None.
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
        If shapes do not match, values are not finite, rows are over 1e15 bandwidths apart (beyond the range of
        float16 where that is requested) or moved too far by the precision, the bandwidth is not positive or its square
        out of range, or the precision is unknown.
    RuntimeError
        If there is no CUDA device of compute capability 8.0 or later.
    MemoryError
        If the rows do not fit on the device.
    """
    h = check_bandwidth(bandwidth)
    sides = check_sides(x, labels, references, reference_labels)
    check_precision(precision, False)
    unit, centre, target = unit_of(h), centre_of(sides[-1][0]), find_device(device)
    scale = float(np.log2(math.e) * (unit / h) ** 2)
    plan = plan_for(precision, sides[0][0].shape[1], False, target)
    known = np.unique(np.concatenate([label for _, label in sides]))

    def sorted_side(of: NDArray[Any], label: Integers, name: str) -> Side:
        order = by_label(label).rows
        on_device = upload([Part(of, centre, unit, name)], order, precision, plan.tile.block, plan.tile.step, target)
        return side(on_device, squares(on_device), scale, np.searchsorted(known, label[order]), order)

    pairs = _Pairs(plan, precision, scale, None, advance)
    with _running(target, sum(rows.size for rows, _ in sides)):
        on_both = [sorted_side(*one, name) for one, name in zip(sides, ("x", "references"), strict=False)]
        return pairs.sums(on_both[0], on_both[-1], len(sides) == 1)


def gradient_rbf_sums(
    layers: Sequence[GradientFactors],
    labels: ArrayLike,
    bandwidth: float,
    *,
    precision: str = "tf32x3",
    device: str | torch.device | None = None,
    advance: Advance | None = None,
) -> tuple[Floats, Floats]:
    """`dataaudit_kernels.reference.gradient_rbf_sums` from the factors alone: no gradient is written out.

    The precision is "tf32x3" or "float32"; other arguments, results and errors are those of `rbf_sums`.
    """
    h = check_bandwidth(bandwidth)
    given = check_factors(layers, labels)
    check_precision(precision, True)
    unit, target = unit_of(h), find_device(device)
    scale = float(np.log2(math.e) * (unit / h) ** 2)
    parts: list[Part] = []
    for number, layer in enumerate(layers):
        parts.append(Part(np.asarray(layer.delta), None, unit, f"delta of layer {number}"))
        parts.append(Part(np.asarray(layer.inputs), None, 1.0, f"inputs of layer {number}"))
    plan = plan_for(precision, sum(part.values.shape[1] for part in parts), True, target)
    order = by_label(given).rows
    with _running(target, sum(part.values.size for part in parts)):
        rows = upload(parts, order, precision, plan.tile.block, plan.tile.step, target)
        widths = [padded(part.values.shape[1], plan.tile.step) for part in parts]
        table = [(*widths[2 * k : 2 * k + 2], int(layer.bias)) for k, layer in enumerate(layers)]
        norms, first = torch.zeros(len(rows), dtype=torch.float64, device=target), 0
        for outer, inner, bias in table:
            of_delta, of_inputs = rows[:, first : first + outer], rows[:, first + outer : first + outer + inner]
            norms += squares(of_delta) * (squares(of_inputs) + bias)
            first += outer + inner
        check_reach(norms[: len(order)].cpu().numpy(), order)
        mine = side(rows, norms, scale, np.searchsorted(np.unique(given), given[order]), order)
        wide = torch.tensor(table, dtype=torch.int32, device=target)
        return _Pairs(plan, precision, scale, wide, advance).sums(mine, mine, True)


@dataclass(frozen=True)
class _Pairs:
    """Sums over all pairs of two sides."""

    plan: Plan
    precision: str
    scale: float
    layers: Tensor | None
    advance: Advance | None

    def sums(self, rows: Side, columns: Side, symmetric: bool) -> tuple[Floats, Floats]:
        """(all, same) of rows in the given order."""
        if rows.n == 0 or columns.n == 0:
            return np.zeros(rows.n), np.zeros(rows.n)
        sums = self._by_slab(rows, columns, symmetric)
        self._look_again(sums, rows, columns, symmetric)
        both = sums[:, : rows.n].cpu().numpy()
        total, same = np.empty(rows.n), np.empty(rows.n)
        total[rows.order], same[rows.order] = both.sum(0), both[1]
        return total, same

    def _by_slab(self, rows: Side, columns: Side, symmetric: bool) -> Tensor:
        plan, device = self.plan, rows.rows.device
        strips, tiles = len(rows.rows) // plan.tile.block, len(columns.rows) // plan.tile.block
        sums = torch.zeros((2, len(rows.rows)), dtype=torch.float64, device=device)
        for begin in range(0, tiles, plan.slab):
            end = min(begin + plan.slab, tiles)
            runs, shares = runs_of(strips, begin, end, plan.programs, symmetric)
            programs = len(runs)
            # Torn up to be sure that no number is read before it is written.
            by_row = torch.full((programs + strips, 2, plan.tile.block), torch.nan, dtype=torch.float64, device=device)
            width = (end - begin) * plan.tile.block if symmetric else 0
            by_column = torch.zeros((programs, 2, width), dtype=torch.float64, device=device)
            triton_pairs.sum_pairs[(programs,)](
                *(rows.rows, columns.rows, rows.norms, columns.norms, rows.labels, columns.labels),
                *(torch.from_numpy(runs).to(device), by_row, by_column),
                *(rows.rows.shape[1], *self._layers(rows), self.scale, begin, end),
                **constants(plan.tile, self.precision, self.layers is not None),
                SYMMETRIC=symmetric,
            )
            # Strips below the slab have no pair in it.
            reached = min(strips, end) if symmetric else strips
            triton_pairs.add_runs[(reached,)](
                by_row, torch.from_numpy(shares).to(device), sums, sums.shape[1], BLOCK=plan.tile.block
            )
            if symmetric:
                sums[:, begin * plan.tile.block : end * plan.tile.block] += by_column.sum(0)
            if self.advance is not None:
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                done = (lambda edge: edge * (edge + 1)) if symmetric else (lambda edge: edge)
                self.advance((done(end) - done(begin)) / done(tiles))
        return sums

    def _look_again(self, sums: Tensor, rows: Side, columns: Side, symmetric: bool) -> None:
        """Put shifted sums in place of those that float32 may have lost; see `rbf_cpu.Pairs.look_again`."""
        known, mine, held = columns.labels[: columns.n], rows.labels[: rows.n], sums[:, : rows.n]
        first, end = torch.searchsorted(known, mine), torch.searchsorted(known, mine, right=True)
        lost = held.sum(0) < UNDERFLOW
        alone = ~lost & (held[1] < UNDERFLOW) & (end - first > int(symmetric))
        everything = torch.zeros_like(first), torch.full_like(end, columns.n)
        for which, spans, kind in ((lost, everything, 0), (alone, (first, end), 1)):
            low = torch.nonzero(which).flatten()
            if len(low):
                held[kind:, low] = self._again(rows, columns, low, spans, symmetric)[kind:]

    def _again(self, rows: Side, columns: Side, low: Tensor, spans: tuple[Tensor, Tensor], symmetric: bool) -> Tensor:
        """Sums, float64 [2, rows], of rows whose every kernel value may underflow float32.

        `spans` are the first and the end of the columns that each row is summed over at least; both rise.
        """
        block, device = self.plan.tile.block, low.device
        n = padded(len(low), block)
        chosen = torch.full((n,), int(low[-1]), device=device)
        chosen[: len(low)] = low
        own = chosen.int() if symmetric else torch.full_like(chosen, -1, dtype=torch.int32)
        begin, end = spans[0][chosen][::block] // block, -(-spans[1][chosen][block - 1 :: block] // block)
        tiles = torch.stack([begin, end], 1).int()
        parts = []
        # A slab of rows at a time: they are copied.
        step = self.plan.slab * block
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            few = rows.rows[chosen[part]]
            sums = torch.full((2, len(few)), torch.nan, dtype=torch.float64, device=device)
            shifts = torch.full((2, len(few)), torch.nan, dtype=torch.float32, device=device)
            triton_pairs.sum_shifted[(len(few) // block,)](
                *(few, columns.rows, rows.norms[chosen[part]], columns.norms),
                *(rows.labels[chosen[part]], columns.labels, own[part], tiles[start // block :], sums, shifts),
                *(len(few), few.shape[1], *self._layers(rows), self.scale),
                **constants(self.plan.tile, self.precision, self.layers is not None),
            )
            parts.append(sums * torch.exp2(-shifts.double()))
        return torch.cat(parts, 1)[:, : len(low)]

    def _layers(self, rows: Side) -> tuple[Tensor, int]:
        """Widths of the factors and number of layers; without layers any tensor, which is not read."""
        return (rows.labels, 0) if self.layers is None else (self.layers, len(self.layers))


@contextmanager
def _running(device: torch.device, values: int) -> Iterator[None]:
    """On `device`, with words for what does not fit on it."""
    try:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(
            f"found no memory on {device} for {values} values; expected about {(4 * values + PARTIAL) / 2**30:.1f} GiB "
            "free; free some, pass fewer rows, or use dataaudit_kernels.rbf_cpu"
        ) from error


def device_name(device: str | torch.device | None = None) -> str:
    """Name of the device that sums run on; as requested where there is none."""
    if _interpreted():
        return "Triton's interpreter"
    target = torch.device("cuda" if device is None else device)
    return torch.cuda.get_device_name(target) if target.type == "cuda" and torch.cuda.is_available() else str(target)


def _interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


def find_device(device: str | torch.device | None = None) -> torch.device:
    """Device that sums run on; a `RuntimeError` unless it is a CUDA device of compute capability 8.0 or later."""
    if _interpreted():
        return torch.device("cpu")
    target = torch.device("cuda" if device is None else device)
    if target.type != "cuda" or (target.index or 0) >= torch.cuda.device_count():
        raise RuntimeError(
            f"found device {str(target)!r} and {torch.cuda.device_count()} CUDA devices; expected a CUDA device; "
            "use dataaudit_kernels.rbf_cpu"
        )
    major, minor = torch.cuda.get_device_capability(target)
    if major < 8:
        raise RuntimeError(
            f"found {torch.cuda.get_device_name(target)} of compute capability {major}.{minor}; expected 8.0 or later; "
            "use dataaudit_kernels.rbf_cpu"
        )
    return target
