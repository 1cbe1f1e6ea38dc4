"""Cells of k-means: rows sorted by the nearest centre, of which the cells nearest to a query are searched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from dataaudit.neighbours.rows import Rows
from dataaudit.types import AnyArray, IntArray

PER_CELL = 64
"""Rows a cell that k-means is trained on."""

ITERATIONS = 10
"""Of k-means."""


class CellIndex:
    """Rows by cell, searched by `dataaudit_kernels.cells`; FAISS finds the centres, and those near a query.

    Memory: a float32 copy of the rows, and 12 bytes a row.

    Parameters
    ----------
    faiss
        The package.
    rows
        Centred, float32 [n, d].
    cells
        Number of cells, at most n.
    sample
        Rows that k-means is trained on, int64.
    blocks
        Slices of all rows: as many as are read at a time.

    Attributes
    ----------
    nprobe
        How many cells are searched, as FAISS calls it; 1 at first.
    """

    def __init__(self, faiss: Any, rows: Rows, cells: int, sample: IntArray, blocks: Iterable[slice]) -> None:
        from dataaudit_kernels.cells import Cells

        n, d = rows.shape
        self.nprobe = 1
        means = faiss.Kmeans(
            d, cells, niter=ITERATIONS, min_points_per_centroid=1, max_points_per_centroid=PER_CELL, seed=1234
        )
        means.train(np.ascontiguousarray(rows[sample]))
        self._nearest, self._centres = faiss.knn, means.centroids
        blocks, own = list(blocks), np.empty(n, np.int64)
        for block in blocks:
            own[block] = self._nearest(np.ascontiguousarray(rows[block]), self._centres, 1)[1][:, 0]
        order = np.argsort(own, kind="stable")
        place = np.empty(n, np.int64)
        place[order] = np.arange(n)
        sorted_rows = np.empty((n, d), np.float32)
        for block in blocks:
            sorted_rows[place[block]] = rows[block]
        self._cells = Cells(sorted_rows, order, np.concatenate([[0], np.cumsum(np.bincount(own, minlength=cells))]))

    def search(self, queries: AnyArray, depth: int) -> tuple[AnyArray, IntArray]:
        """Squared distances float32 [b, depth], ascending, and rows; infinite and -1 where there are no more."""
        from numba.core import config

        near = self._nearest(queries, self._centres, self.nprobe)[1]
        names, apart = self._cells.search(queries, near, depth, config.NUMBA_NUM_THREADS)
        return apart + np.einsum("ij,ij->i", queries, queries)[:, None], names
