"""Links between near rows, by which a search of few cells finds what lies in others.

    nearest of each row in few cells             ->  links                     cells
    links, and links that lead here              ->  better links, once        NN-descent (Dong, Moses, Li 2011)
    rows near a query, and rows they link        ->  nearer rows

Where rows lie on surfaces that wind through many cells, a search needs many cells to find the last of the nearest; the
rows near a query in a few know them.

Memory: 8 bytes a link of a row; while links are made, 8 more; 4 bytes a row and block of queries that is answered.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.arrays import Integers, Singles
from dataaudit_kernels.cells import Cells, push, sort
from dataaudit_kernels.compiled import compiled
from dataaudit_kernels.threads import in_order

Indices = NDArray[np.int32]

QUERIES = 2**14
"""Queries that a thread takes together."""


class Links:
    """Links of rows, float32 [n, d], forward and back.

    `links` are those that each is linked to, int32 [n, m], -1 for none; of those that link to it the first m are kept.
    """

    def __init__(self, rows: Singles, links: Indices, block: int = QUERIES) -> None:
        self._block = block
        self._rows, self._squares = rows, np.einsum("ij,ij->i", rows, rows)
        self.both = np.concatenate([links, reverse(links)], axis=1)

    def expand(self, queries: Singles, indices: Integers, apart: Singles, threads: int) -> tuple[Integers, Singles]:
        """Nearest of the rows that `dataaudit_kernels.cells.Cells.search` gave, and of their links."""
        nearest, values = indices.astype(np.int32), apart.copy()

        def work(start: int) -> None:
            part = slice(start, start + self._block)
            seen = np.zeros(len(self._rows), np.int32)
            _expand(self._rows, self._squares, queries[part], self.both, values[part], nearest[part], seen)

        for _ in in_order(work, range(0, len(queries), self._block), threads):
            pass
        return nearest.astype(np.int64), values


def linked(
    cells: Cells, near: Callable[[Singles], NDArray[np.integer]], count: int, threads: int, block: int = QUERIES
) -> Links:
    """Links of each row with its `count` nearest, as far as few cells and one round of NN-descent find them.

    Rows are named by their positions; `near` gives the cells to look into for rows float32 [b, d].
    """
    n = len(cells.rows)
    indices, apart = np.empty((n, count + 1), np.int32), np.empty((n, count + 1), np.float32)
    step = block * max(1, threads)
    parts = [slice(start, start + step) for start in range(0, n, step)]
    for part in parts:
        indices[part], apart[part] = cells.search(cells.rows[part], near(cells.rows[part]), count + 1, threads)
    first = Links(cells.rows, indices, block)
    for part in parts:
        indices[part] = first.expand(cells.rows[part], indices[part].astype(np.int64), apart[part], threads)[0]
    # The first is the row itself, or an equal one.
    return Links(cells.rows, indices[:, 1:], block)


@compiled()
def reverse(links):  # type: ignore[no-untyped-def]
    """Rows that link to each, int32 as `links`, those to which it is nearest first; -1 where there are no more."""
    n, m = links.shape
    sources, filled = np.full((n, m), -1, np.int32), np.zeros(n, np.int64)
    for j in range(m):
        for i in range(n):
            to = links[i, j]
            if to >= 0 and to != i and filled[to] < m:
                sources[to, filled[to]] = i
                filled[to] += 1
    return sources


@compiled(error_model="numpy", fastmath={"reassoc", "contract"})
def _expand(rows, squares, queries, links, apart, indices, seen):  # type: ignore[no-untyped-def]
    """Keep the nearest of the sorted `indices` and of what they link; `seen` is 0 [n]."""
    k, features = indices.shape[1], rows.shape[1]
    others = np.empty(k * links.shape[1], np.int32)
    for q in range(len(queries)):
        count = 0
        for i in range(k):
            if indices[q, i] >= 0:
                seen[indices[q, i]] = q + 1
        for i in range(k):
            if indices[q, i] < 0:
                break
            for j in range(links.shape[1]):
                other = links[indices[q, i], j]
                if other >= 0 and seen[other] != q + 1:
                    seen[other] = q + 1
                    others[count] = other
                    count += 1
        # In reverse order they are a heap whose first is the furthest.
        for i in range(k // 2):
            apart[q, i], apart[q, k - 1 - i] = apart[q, k - 1 - i], apart[q, i]
            indices[q, i], indices[q, k - 1 - i] = indices[q, k - 1 - i], indices[q, i]
        for i in range(count):
            product = np.float32(0.0)
            for f in range(features):
                product += queries[q, f] * rows[others[i], f]
            value = squares[others[i]] - np.float32(2.0) * product
            if value < apart[q, 0]:
                push(apart[q], indices[q], value, others[i])
    sort(apart, indices)
