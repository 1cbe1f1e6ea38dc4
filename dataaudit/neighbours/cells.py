"""Cells of k-means: rows sorted by the nearest centre, of which the cells nearest to a query are searched.

Those lead to others in further cells, by links between near rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.neighbours.rows import Rows

PER_CELL = 64
"""Rows a cell that k-means is trained on."""

ITERATIONS = 10
"""Of k-means."""

LINKS = 24
"""Links of a row."""

LINK_PROBES = 16
"""Cells in which they are looked for."""


class CellIndex:
    """Rows by cell, searched by `dataaudit_kernels.cells`; FAISS finds the centres, and those near a query.

    K-means is trained on the rows `sample`; all rows are read in `blocks`; where `linked`, near rows lead to others.
    `nprobe` is the number of cells that are searched, as FAISS calls it. Memory: a float32 copy of the rows, and 12
    bytes a row; with links 200 more, and as many while they are built.
    """

    def __init__(
        self, faiss: Any, rows: Rows, cells: int, sample: IntArray, blocks: Iterable[slice], linked: bool
    ) -> None:
        from numba.core import config

        from dataaudit_kernels import cell_links
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
        position = np.empty(n, np.int64)
        position[order] = np.arange(n)
        sorted_rows = np.empty((n, d), np.float32)
        for block in blocks:
            sorted_rows[position[block]] = rows[block]
        starts = np.concatenate([[0], np.cumsum(np.bincount(own, minlength=cells))])
        self._rows, self._cells = order, Cells(sorted_rows, np.arange(n), starts)
        self._threads = config.NUMBA_NUM_THREADS
        self._links = None
        if linked:
            few = min(cells, LINK_PROBES)
            self._links = cell_links.linked(self._cells, lambda queries: self._near(queries, few), LINKS, self._threads)

    def _near(self, queries: AnyArray, count: int) -> IntArray:
        """Cells nearest to each, [b, count]."""
        return np.asarray(self._nearest(queries, self._centres, count)[1])

    def search(self, queries: AnyArray, depth: int) -> tuple[AnyArray, IntArray]:
        """Squared distances float32 [b, depth], ascending, and rows; infinite and -1 where there are no more."""
        near = self._near(queries, self.nprobe)
        positions, squares = self._cells.search(queries, near, depth, self._threads)
        if self._links is not None:
            positions, squares = self._links.expand(queries, positions, squares, self._threads)
        rows = np.where(positions < 0, -1, self._rows[positions])
        return squares + np.einsum("ij,ij->i", queries, queries)[:, None], rows
