"""Layout of pairs over a CUDA device: tiles, programs, slabs of columns, and runs of tiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

PRECISIONS = ("tf32x3", "tf32", "bfloat16", "float16", "float32")
"""Precisions of products; sums are float32 within a tile and float64 beyond."""

GRADIENT_PRECISIONS = ("tf32x3", "float32")
"""The same for gradients, which cannot be centred without being written out."""

PARTIAL = 2**28
"""Most bytes of sums of columns that programs keep apart."""


class Tile(NamedTuple):
    """Block of pairs that a program works on at a time: rows and columns of it, values of a row multiplied at a time.

    `warps` are those of a program, and `stages` the steps that are loaded ahead.
    """

    block: int
    step: int
    warps: int
    stages: int


class Plan(NamedTuple):
    """Layout of pairs over a device: tiles, programs side by side, tiles of columns worked through before the next."""

    tile: Tile
    programs: int
    slab: int


def check_precision(precision: str, gradient: bool) -> None:
    """Raise a `ValueError` unless products of rows, or of gradients, have the precision."""
    known = GRADIENT_PRECISIONS if gradient else PRECISIONS
    if precision not in known:
        raise ValueError(
            f"found precision={precision!r}; expected one of {', '.join(known)}; pass precision={known[0]!r}"
        )


def padded(n: int, step: int) -> int:
    """Smallest multiple of `step` from n on."""
    return -(-n // step) * step


def tile_for(precision: str, gradient: bool, capability: int) -> Tile:
    """Tile for a compute capability (80, 90, ...).

    The largest that spills no register, by benchmarks/kernels/compile.py. Cards of capability 9 and 10 multiply
    from shared memory, the others from registers, where the parts of "tf32x3" leave no room for 128 x 128 sums;
    gradients keep three such blocks.
    """
    if gradient:
        return Tile(64, 16, 8, 3)
    if precision == "float32":
        return Tile(64, 16, 4, 3)
    halves = precision in ("bfloat16", "float16")
    if capability // 10 in (9, 10):
        return Tile(128, 64 if halves else 32, 8, 3)
    if precision == "tf32x3":
        return Tile(64, 32, 4, 3)
    return Tile(128, 32, 8, 4) if halves else Tile(128, 16, 8, 3)


def plan_for(precision: str, width: int, gradient: bool, device: torch.device) -> Plan:
    """Tiles, programs and slabs for rows of `width` values; a slab of columns takes half of the L2 cache."""
    capability, processors, cache = 90, 4, 2**22
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        capability = 10 * properties.major + properties.minor
        processors, cache = properties.multi_processor_count, properties.L2_cache_size
    tile = tile_for(precision, gradient, capability)
    # 8 warps with 255 registers a thread fill a processor, 4 take half.
    programs = processors * 8 // tile.warps
    bytes_each = 2 if precision in ("bfloat16", "float16") else 4
    columns = min(cache // 2 // (padded(width, tile.step) * bytes_each), PARTIAL // (programs * 2 * 8))
    return Plan(tile, programs, max(8, columns // tile.block))


def constants(tile: Tile, precision: str, gradient: bool) -> dict[str, Any]:
    """Constants that kernels are compiled for, beside types."""
    return {
        "BLOCK": tile.block,
        "STEP": tile.step,
        "PRECISION": {"tf32x3": "tf32x3", "float32": "ieee"}.get(precision, "tf32"),
        "GRADIENT": gradient,
        "num_warps": tile.warps,
        "num_stages": tile.stages,
    }


def runs_of(
    strips: int, begin: int, end: int, programs: int, symmetric: bool
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Equal runs of tiles for programs, int32 [programs, 3], and the programs of each strip, int32 [strips, 2].

    Tiles ``begin .. end`` of a strip come in order, strip by strip; left of the diagonal there are none where
    `symmetric`.

    >>> runs, shares = runs_of(3, 0, 3, 2, True)
    >>> runs.tolist(), shares.tolist()
    ([[0, 0, 3], [1, 1, 3]], [[0, 1], [1, 2], [1, 2]])
    """
    number = np.arange(strips)
    first = np.maximum(number, begin) if symmetric else np.full(strips, begin)
    edges = np.concatenate([[0], np.cumsum(np.maximum(end - first, 0))])
    programs = min(programs, int(edges[-1]))
    starts = edges[-1] * np.arange(programs + 1) // programs
    strip = np.searchsorted(edges, starts[:-1], side="right") - 1
    runs = np.column_stack([strip, first[strip] + starts[:-1] - edges[strip], np.diff(starts)])
    shares = np.column_stack(
        [np.searchsorted(starts, edges[:-1], side="right") - 1, np.searchsorted(starts, edges[1:], side="left")]
    )
    return runs.astype(np.int32), shares.astype(np.int32)
