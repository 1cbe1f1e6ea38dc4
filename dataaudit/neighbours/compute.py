"""The neighbour graph of one representation: search, exact distances, and a record of how."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.progress import progress_bar
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import SettingError, rows
from dataaudit.neighbours.base import Index, NeighbourSearch, near_rows
from dataaudit.neighbours.candidates import SLACK, Candidates
from dataaudit.neighbours.graph import NeighbourNeed, Neighbours
from dataaudit.neighbours.rows import CentredRows, ConvertedRows
from dataaudit.neighbours.search import Torch
from dataaudit.representations.base import Features, are_rows

RECALL_QUERIES = 1000
"""Most rows for which an approximate search is compared with the exact one."""

BLOCK = 256
"""Rows a task of exact distances."""

QUERIES = 65536
"""Most queries of a search at a time."""

VALUES = 2**23
"""Values of queries or answers that are held at a time."""


def neighbour_graph(
    need: NeighbourNeed,
    features: Features,
    described: Mapping[str, Any],
    search: NeighbourSearch,
    seed: int,
    progress: bool,
    block_values: int = VALUES,
    candidates: Candidates | None = None,
) -> Neighbours:
    """The nearest others of each row.

    Rows [n, d], of which `described` is recorded, are searched in a random order, centred and rounded to float32;
    distances of candidates are computed in float64 from the rows as given. Where the depth cuts a group of equal
    distances, a random part of it is kept. `candidates` that this search found before stand in for it, except for rows
    that have more others at the depth's distance than the slack holds. Memory: 12 bytes a neighbour, what the search
    holds, and some blocks of 32 to 64 MiB; the rows are not copied, and may be memory-mapped or lie in pieces, as those
    of an Arrow file.

    Raises
    ------
    DataError
        If a row holds NaN or infinity, or distances between rows are too large for float32.
    SettingError
        If an approximate search finds too few neighbours.
    """
    start = time.perf_counter()
    assert are_rows(features)
    n = len(features)
    depth = min(need.depth, n - 1)
    wide = min(depth + SLACK, n)
    order = np.random.default_rng(seed).permutation(n)
    centred = CentredRows(features, order, block_values // 2)
    index = search.open(centred, wide)
    known = None
    if candidates is not None and candidates.serve(need.space, described.get("inputs"), search, wide):
        known = candidates.rows[:, :wide] if candidates.settings == index.settings else None
    given, back = _readable(features), np.argsort(order)
    indices = np.empty((n, depth), np.int32 if n < 2**31 else np.int64)
    distances = np.empty((n, depth))
    step = max(BLOCK, min(QUERIES, block_values // max(wide, centred.shape[1])))
    cut, short, tied = 0, list[int](), list[int]()
    with progress_bar(f"neighbours in {need.space.name}", n, progress) as advance:
        for first in range(0, n, step):
            part = slice(first, min(first + step, n))
            near = near_rows(index, centred, back[part], wide) if known is None else back[known[part]]
            found = _measured(given, order, back, near, first, indices[part], distances[part])
            cut, short = cut + found.cut, short + found.short
            if known is not None:
                tied.extend(found.tied)
            advance(len(near))
    if tied:
        # Candidates were searched in the order of the rows, and hold no random part of more ties than they have room.
        _search_again(given, centred, back, order, tied, indices, distances, index)
    again = short if "choice" in index.settings else []
    if again:
        # What "auto" chose is no reason for a refusal: rows far from all others are compared with every row.
        _search_again(given, centred, back, order, again, indices, distances, Torch().open(centred, wide))
    elif short:
        raise SettingError(
            f"fewer than {depth} neighbours of {rows(short)} by search {search.name!r}",
            f"{depth} of each",
            "score with search='auto', which compares such rows with all others",
        )
    settings: dict[str, Any] = {
        "representation": need.space.name,
        **described,
        "epoch": need.space.epoch,
        "search": search.name,
        **index.settings,
        "depth": depth,
        "cut_ties": cut,
        **({"compared_with_all": len(again)} if again else {}),
    }
    graph = Neighbours(indices, distances)
    if not index.exact:
        settings |= _recall(given, centred, back, order, graph, seed)
    settings["seconds"] = time.perf_counter() - start
    return Neighbours(indices, distances, settings)


def _readable(given: Any) -> Any:
    """Rows in a type that distances are compiled for, memory-mapped ones as they lie on disk."""
    if given.dtype in (np.uint8, np.float32, np.float64) and given.dtype.isnative:
        return np.asarray(given) if isinstance(given, np.ndarray) else given
    # Half precision has no compiled arithmetic; longer floats are rounded.
    kinds: dict[str, type] = {"b": np.uint8, "u": np.float64, "i": np.float64}
    kind = kinds.get(given.dtype.kind, np.float32 if given.dtype.itemsize < 4 else np.float64)
    return ConvertedRows(given, kind)


@dataclass(frozen=True)
class _Found:
    """What became of some rows.

    Attributes
    ----------
    cut
        Number of those with ties that the depth cuts.
    short
        Rows with too few neighbours.
    tied
        Rows of which all candidates beyond the depth lie as far as the first of these.
    """

    cut: int
    short: list[int]
    tied: list[int]


def _measured(
    given: Any, order: IntArray, back: IntArray, near: IntArray, begin: int, indices: IntArray, distances: FloatArray
) -> _Found:
    """Fill in the graph of the rows from `begin` on, from candidates `near` of them among the rows in `order`."""
    from numba.core import config

    from dataaudit_kernels.threads import in_order

    depth = indices.shape[1]

    def measure(first: int) -> tuple[int, IntArray, IntArray]:
        part = slice(first, min(first + BLOCK, len(near)))
        candidates = np.where(near[part] >= 0, order[near[part]], -1)
        apart = np.empty(candidates.shape)
        _distances(given, begin + first, candidates, apart, back)
        indices[part], distances[part] = candidates[:, :depth], apart[:, :depth]
        short = np.flatnonzero(~np.isfinite(apart[:, depth - 1])) + begin + first
        # The row itself lies at infinity, and so does a next neighbour that the search lacks.
        edge = apart[:, depth - 1 : depth + 1]
        # The last is the row itself, at infinity.
        tied = np.flatnonzero(edge[:, -1] >= apart[:, max(0, near.shape[1] - 2)]) + begin + first
        return int(np.count_nonzero(edge[:, :1] == edge[:, 1:])), short, tied

    cut, short, tied = 0, list[int](), list[int]()
    for ties, missing, filled in in_order(measure, range(0, len(near), BLOCK), config.NUMBA_NUM_THREADS):
        cut += ties
        short.extend(missing.tolist())
        tied.extend(filled.tolist())
    return _Found(cut, short, tied)


def _search_again(
    given: Any,
    centred: CentredRows,
    back: IntArray,
    order: IntArray,
    chosen: list[int],
    indices: IntArray,
    distances: FloatArray,
    index: Index,
) -> None:
    """Fill in the graph of the rows `chosen` by an index that misses none."""
    depth = indices.shape[1]
    wide = min(depth + SLACK, len(order))
    near = order[index(centred[back[chosen]], wide)]
    apart = np.empty(near.shape)
    for query, row in enumerate(chosen):
        _distances(given, row, near[query : query + 1], apart[query : query + 1], back)
    indices[chosen], distances[chosen] = near[:, :depth], apart[:, :depth]


def _distances(given: Any, first: int, candidates: IntArray, apart: FloatArray, ranks: IntArray) -> None:
    """Sort as `sorted_distances`, rows in several pieces too: those that a block needs are put together."""
    from dataaudit.neighbours.distances import sorted_distances

    if isinstance(given, np.ndarray):
        sorted_distances(given, first, candidates, apart, ranks)
        return
    own = np.arange(first, first + len(candidates))
    others = np.setdiff1d(candidates[candidates >= 0], own)
    needed = np.concatenate([own, others])
    beyond = len(own) + np.searchsorted(others, candidates)
    inside = (candidates >= first) & (candidates <= own[-1])
    local = np.where(candidates < 0, -1, np.where(inside, candidates - first, beyond))
    sorted_distances(given[needed], 0, local, apart, ranks[needed])
    candidates[:] = np.where(local < 0, -1, needed[local])


def _recall(
    given: Any, centred: CentredRows, back: IntArray, order: IntArray, graph: Neighbours, seed: int
) -> dict[str, Any]:
    """Mean share of the neighbours of some rows that lie no further than the true one at the depth, for the record."""
    n, depth = len(order), graph.depth
    chosen = np.sort(np.random.default_rng(seed).choice(n, min(n, RECALL_QUERIES), replace=False))
    wide = min(depth + SLACK, n)
    near = order[Torch().open(centred, wide)(centred[back[chosen]], wide)]
    edge = np.empty(near.shape)
    for query, row in enumerate(chosen):
        _distances(given, int(row), near[query : query + 1], edge[query : query + 1], back)
    shares = (graph.distances[chosen] <= edge[:, depth - 1, None]).mean(1)
    return {
        "recall": float(shares.mean()),
        "recall_queries": len(chosen),
        "recall_depth": depth,
        "recall_stderr": float(shares.std() / len(chosen) ** 0.5),
    }
