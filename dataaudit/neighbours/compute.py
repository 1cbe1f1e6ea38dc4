"""The neighbour graph of one representation: search, exact distances, and a record of how."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from dataaudit.errors import DataError, ModelError, SettingError, rows
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.neighbours.search import NeighbourSearch, Torch
from dataaudit.progress import progress_bar
from dataaudit.representations.base import Represented
from dataaudit.types import AnyArray, FloatArray, IntArray

SLACK = 16
"""Neighbours searched beyond the depth: room for itself, for float32 rounding, and to see ties that the depth cuts."""

RECALL_QUERIES = 1000
"""Most rows for which an approximate search is compared with the exact one."""

BLOCK = 256
"""Rows a task of exact distances."""

VALUES = 2**22
"""Values of the given rows that are held in float64 at a time."""


def neighbour_graph(
    need: NeighbourNeed,
    represented: Represented,
    described: Mapping[str, Any],
    search: NeighbourSearch,
    seed: int,
    progress: bool,
) -> Neighbours:
    """The nearest others of each row.

    Rows are searched in a random order, centred and rounded to float32; distances of what is found are computed in
    float64 from the rows as given. Where the depth cuts a group of equal distances, a random part of it is kept.
    Memory: a float32 copy of the rows (which may lie in pieces, as those of an Arrow file), 20 bytes a neighbour while
    searching and 12 after.

    Parameters
    ----------
    need
        Names, and the depth.
    represented, described
        Rows [n, d], and what to record of them.
    search, seed, progress
        As in `dataaudit.score`.

    Raises
    ------
    DataError
        If there is only one row, or distances between rows are too large for float32.
    SettingError
        If an approximate search finds too few neighbours.
    """
    if not hasattr(represented, "shape"):
        raise ModelError(f"factors of {need.space!r}", "rows, for neighbours", "ask for 'knn_c_score/hidden'")
    rows_given = cast("AnyArray", represented)
    start = time.perf_counter()
    n = len(rows_given)
    if n < 2:
        raise DataError(f"{n} example", "at least 2, for neighbours", "ask for scores of the model")
    depth = min(need.depth, n - 1)
    wide = min(depth + SLACK, n)
    order = np.random.default_rng(seed).permutation(n)
    centred = _centred(rows_given, order)
    with progress_bar(f"neighbours in {need.space}", n, progress) as advance:
        near = search.find(centred, wide, advance)
    settings: dict[str, Any] = {
        "representation": need.space,
        **described,
        "epoch": need.epoch,
        "search": search.name,
        **search.describe(centred),
        "depth": depth,
    }
    given = _readable(rows_given)
    graph, cut = _measured(given, order, near, depth, search)
    settings["cut_ties"] = cut
    if not search.exact:
        chosen = np.sort(np.random.default_rng(seed).choice(n, min(n, RECALL_QUERIES), replace=False))
        settings["recall"], settings["recall_queries"] = _recall(given, centred, order, graph, chosen), len(chosen)
    settings["seconds"] = time.perf_counter() - start
    return Neighbours(graph.indices, graph.distances, settings)


def _centred(given: AnyArray, order: IntArray) -> AnyArray:
    """Rows in `order` minus their mean, float32 [n, d]: squared norms then lose least to rounding."""
    n, d = given.shape
    step = max(1, VALUES // max(1, d))
    total = np.zeros(d)
    for first in range(0, n, step):
        total += given[first : first + step].sum(0, dtype=np.float64)
    mean = total / n
    made = np.empty((n, d), np.float32)
    largest = 0.0
    for first in range(0, n, step):
        block = given[order[first : first + step]] - mean
        largest = max(largest, float(np.abs(block).max(initial=0.0)))
        made[first : first + step] = block
    if largest > 1e17 / max(d, 1) ** 0.5:
        raise DataError(
            f"values {largest:.1e} from their mean",
            "squared distances that float32 can hold",
            "divide the inputs by a constant",
        )
    return made


def _readable(given: AnyArray) -> AnyArray:
    """Rows in a type that distances are compiled for, memory-mapped ones as they lie on disk."""
    kinds: dict[str, type] = {"b": np.uint8, "u": np.float64, "i": np.float64}
    if given.dtype in (np.uint8, np.float32, np.float64) and given.dtype.isnative:
        return np.asarray(given) if isinstance(given, np.ndarray) else given
    # Half precision has no compiled arithmetic; longer floats are rounded.
    return np.asarray(given).astype(kinds.get(given.dtype.kind, np.float32 if given.dtype.itemsize < 4 else np.float64))


def _measured(
    given: AnyArray, order: IntArray, near: IntArray, depth: int, search: NeighbourSearch
) -> tuple[Neighbours, int]:
    """Graph of the rows as given from candidates of the rows in `order`, and how many rows have ties that it cuts."""
    from numba.core import config

    from dataaudit_kernels.threads import in_order

    n = len(given)
    back = np.argsort(order)
    indices = np.empty((n, depth), np.int32 if n < 2**31 else np.int64)
    distances = np.empty((n, depth))

    def measure(first: int) -> tuple[int, IntArray]:
        part = slice(first, min(first + BLOCK, n))
        found = near[back[part]]
        found = np.where(found >= 0, order[found], -1)
        apart = np.empty(found.shape)
        _distances(given, first, found, apart, back)
        indices[part], distances[part] = found[:, :depth], apart[:, :depth]
        short = np.flatnonzero(~np.isfinite(apart[:, depth - 1])) + first
        # The row itself lies at infinity: a next neighbour is there only where one was found.
        edge = apart[:, depth - 1 : depth + 1]
        return int(np.count_nonzero(edge[:, :1] == edge[:, 1:])), short

    cut, short = 0, []
    for ties, missing in in_order(measure, range(0, n, BLOCK), config.NUMBA_NUM_THREADS):
        cut += ties
        short.extend(missing.tolist())
    if short:
        raise SettingError(
            f"fewer than {depth} neighbours of {rows(short)} by search {search.name!r}",
            f"{depth} of each",
            "search more with Faiss(effort=...) or Faiss(probes=...), or pass a smaller depth=",
        )
    return Neighbours(indices, distances), cut


def _distances(given: AnyArray, first: int, found: IntArray, apart: FloatArray, ranks: IntArray) -> None:
    """`sorted_distances`, of rows in several pieces too: those that a block needs are put together."""
    from dataaudit.neighbours.distances import sorted_distances

    if isinstance(given, np.ndarray):
        sorted_distances(given, first, found, apart, ranks)
        return
    own = np.arange(first, first + len(found))
    others = np.setdiff1d(found[found >= 0], own)
    needed = np.concatenate([own, others])
    beyond = len(own) + np.searchsorted(others, found)
    local = np.where(found < 0, -1, np.where((found >= first) & (found <= own[-1]), found - first, beyond))
    sorted_distances(given[needed], 0, local, apart, ranks[needed])
    found[:] = np.where(local < 0, -1, needed[local])


def _recall(given: AnyArray, centred: AnyArray, order: IntArray, graph: Neighbours, chosen: IntArray) -> float:
    """Share of the neighbours of rows `chosen` that lie no further than the true one at the graph's depth."""
    import torch

    depth = graph.depth
    back = np.argsort(order)
    data = torch.from_numpy(centred)
    squares = (data * data).sum(1)
    step = max(1, Torch().block // len(given))
    found = 0
    for first in range(0, len(chosen), step):
        block = chosen[first : first + step]
        apart = torch.addmm(squares, data[torch.from_numpy(back[block])], data.T, alpha=-2.0)
        near = order[apart.topk(min(depth + SLACK, len(given)), dim=1, largest=False).indices.numpy()]
        edge = np.empty(near.shape)
        for place, row in enumerate(block):
            _distances(given, int(row), near[place : place + 1], edge[place : place + 1], back)
        found += int(np.count_nonzero(graph.distances[block] <= edge[:, depth - 1, None]))
    return found / (len(chosen) * depth)
