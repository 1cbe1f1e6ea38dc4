"""Rows in cells, of which the nearest few are searched for each query: a cell at a time, by matrix products.

A scan goes query by query, and reads the rows of a cell once for each. Here the queries that look into a cell are taken
together: their products with its rows are one matrix product, from which each query keeps what is nearer than the k
rows that it has. Answers are those of the scan, to the rounding of float32.

    queries, cells near each           ->  pairs, sorted by cell
    for each cell: products [a, r]     ->  a heap of k for each query
    heaps                              ->  sorted rows

Memory beyond the arguments: 2 bytes a pair of query and cell, 12 bytes an answer, and products of at most 16 MiB, a
thread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from dataaudit_kernels.arrays import Integers, Singles
from dataaudit_kernels.compiled import compiled
from dataaudit_kernels.threads import in_order

QUERIES = 2**14
"""Queries that a thread takes together."""

PRODUCTS = 2**22
"""Values of products that are held at a time."""

FIRST = 4
"""Fewest cells that are looked into first."""

STRIP = 16
"""Products of which the least is looked at first."""


class Cells:
    """Rows sorted by cell, float32 [n, d]; centred, for squared norms lose least to rounding then.

    `names` [n] are what each row is called, and `starts` [c + 1] where the rows of each cell begin, and the last end.

    >>> cells = Cells(np.array([[0], [1], [9]], np.float32), np.array([7, 8, 9]), np.array([0, 2, 3]))
    >>> cells.search(np.array([[2], [7]], np.float32), np.array([[0], [1]]), 2, threads=1)[0].tolist()
    [[8, 7], [9, -1]]
    """

    def __init__(
        self, rows: Singles, names: Integers, starts: Integers, block: int = QUERIES, products: int = PRODUCTS
    ) -> None:
        self.rows, self.names, self.starts = rows, names, starts
        self._block, self._products = block, products
        self._squares = np.einsum("ij,ij->i", rows, rows)

    def search(self, queries: Singles, near: NDArray[np.integer], k: int, threads: int) -> tuple[Integers, Singles]:
        """Names and distances of the rows nearest to queries, float32 [b, d], in the cells `near` each, [b, p].

        Nearest first, of equal distances the first in the order of rows: names int64 [b, k], and squared distances less
        the query's squared norm, float32 [b, k]; -1 and infinite where there are no more. No cell comes twice.
        """
        names, apart = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)

        # What is nearest of all comes first: little of the rest is kept only to be displaced.
        early = min(near.shape[1], max(FIRST, near.shape[1] // 16))

        def work(start: int) -> None:
            part = slice(start, start + self._block)
            heaps, those = apart[part], queries[part]
            indices = np.full((len(those), k), -1, np.int32 if len(self.rows) < 2**31 else np.int64)
            heaps[:] = np.inf
            for columns in (near[part, :early], near[part, early:]):
                self._add(those, columns, heaps, indices)
            sort(heaps, indices)
            names[part] = np.where(indices < 0, -1, self.names[indices])

        with threadpool_limits(1, "blas"):
            for _ in in_order(work, range(0, len(queries), self._block), threads):
                pass
        return names, apart

    def _add(self, queries: Singles, near: NDArray[np.integer], apart: Singles, indices: NDArray[np.integer]) -> None:
        """Look into cells, all queries of one at a time."""
        count = len(self.starts) - 1
        # Sixteen bits are sorted by radix.
        pairs = np.ascontiguousarray(near, np.uint16 if count < 2**16 else np.int64).ravel()
        order = np.argsort(pairs, kind="stable")
        ends = np.cumsum(np.bincount(pairs, minlength=count))
        for cell in np.flatnonzero(np.diff(ends, prepend=0)).tolist():
            which = order[ends[cell - 1] if cell else 0 : ends[cell]] // near.shape[1]
            first, last = int(self.starts[cell]), int(self.starts[cell + 1])
            step = max(1, self._products // len(which))
            theirs = queries[which]
            for start in range(first, last, step):
                end = min(start + step, last)
                products = theirs @ self.rows[start:end].T
                _keep(products, self._squares[start:end], start, which, apart, indices)


@compiled(error_model="numpy")
def _keep(products, squares, first, which, apart, indices):  # type: ignore[no-untyped-def]
    """Keep the rows that are nearer than those that are kept: heaps [b, k] whose first is the furthest."""
    rows = products.shape[1]
    whole = rows - rows % STRIP
    for i in range(len(which)):
        mine, values, kept = products[i], apart[which[i]], indices[which[i]]
        for start in range(0, whole, STRIP):
            least = np.float32(np.inf)
            for j in range(start, start + STRIP):
                least = min(least, squares[j] - np.float32(2.0) * mine[j])
            if least < values[0]:
                for j in range(start, start + STRIP):
                    value = squares[j] - np.float32(2.0) * mine[j]
                    if value < values[0]:
                        push(values, kept, value, first + j)
        for j in range(whole, rows):
            value = squares[j] - np.float32(2.0) * mine[j]
            if value < values[0]:
                push(values, kept, value, first + j)


@compiled(error_model="numpy")
def push(values, kept, value, index):  # type: ignore[no-untyped-def]
    """Replace the largest value of a heap."""
    i, size = 0, len(values)
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[i], kept[i] = values[child], kept[child]
        i = child
    values[i], kept[i] = value, index


@compiled(error_model="numpy")
def sort(apart, indices):  # type: ignore[no-untyped-def]
    """Sort heaps by value, and by index where values are equal."""
    for i in range(len(apart)):
        by_index = np.argsort(indices[i], kind="mergesort")
        order = by_index[np.argsort(apart[i][by_index], kind="mergesort")]
        apart[i], indices[i] = apart[i][order], indices[i][order]
