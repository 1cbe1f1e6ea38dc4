"""Compiled sums over strips: one block of rows with a range of columns, block by block."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np

from dataaudit_kernels.epilogue import add_shifted_sums, add_sums, multiply_factors
from dataaudit_kernels.products import PANEL, Kind, block_products

TILE = 8 * PANEL
"""Rows and columns of a block of pairs."""


@lru_cache
def _block(kind: Kind, layers: int, shifted: bool) -> Any:
    """Compiled sums of one block of pairs: of rows from the start of a panel with columns from the start of another.

    `extra` gets the sums of columns, from `at` on, or holds the largest exponents where `shifted`.
    """
    products = block_products(kind)

    @numba.njit(nogil=True)
    def block(
        a, b, depths, biases, panel, start, columns, row_norms, norms, scale, first, end, skip, sums, extra, at, work
    ):
        rows = len(row_norms)
        height, width = -(-rows // PANEL), -(-columns // PANEL)
        scratch, values, near, own, low, high = work
        if layers == 0:
            products(a[0], panel, height, b[0], start // PANEL, width, depths[0], scratch[0])
        for layer in range(layers):
            for side in range(2):
                factor, out = 2 * layer + side, scratch[1 + side]
                products(a[factor], panel, height, b[factor], start // PANEL, width, depths[factor], out)
            bias = np.float32(biases[layer])
            multiply_factors(scratch[1], scratch[2], rows, columns, bias, layer == 0, scratch[0])
        for row in range(rows):
            low[row] = min(max(first[row] - start, 0), columns)
            high[row] = min(max(end[row] - start, 0), columns)
            own[row] = skip[row] - start
        there = norms[start:]
        if shifted:
            add_shifted_sums(scratch[0], rows, columns, row_norms, there, scale, low, high, own, sums, extra)
        else:
            across = extra[:, at:]
            add_sums(scratch[0], rows, columns, row_norms, there, scale, low, high, own, sums, across, values, near)

    return block


@lru_cache
def strip_sums(kind: Kind, layers: int, shifted: bool) -> Any:
    """Compiled sums of one block of rows with a range of columns.

    `symmetric` is the first row where pairs are counted from both sides and columns left of the diagonal are left
    out, -1 where there is no diagonal. The block on the diagonal is cut into panels: of each, the square on the
    diagonal counts for its rows alone, and what is left of it is not computed.
    """
    block = _block(kind, layers, shifted)
    value = np.int32 if kind == "uint8" else np.float32
    scratches = 3 if layers else 1

    @numba.njit(nogil=True)
    def strip(
        a, b, depths, biases, panel, begin, stop, row_norms, norms, scale, first, end, skip, symmetric, sums, extra
    ):
        rows = len(row_norms)
        scratch = np.empty((scratches, TILE, TILE), value)
        values, near = np.empty((2, TILE), np.float32), np.empty((2, TILE), np.float32)
        own, low, high = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)
        work = (scratch, values, near, own, low, high)
        unused = np.zeros_like(extra)
        for start in range(begin, stop, TILE):
            columns = min(TILE, stop - start)
            diagonal = start == symmetric
            # One call of `block`, which is inlined here, for all kinds of parts.
            for part in range(2 * -(-rows // PANEL) if diagonal else 1):
                r, s, left, right = 0, rows, 0, columns
                alone = diagonal and part % 2 == 0
                if diagonal:
                    r = part // 2 * PANEL
                    s = min(rows, r + PANEL)
                    left, right = (r, s) if alone else (s, columns)
                across = unused if alone else extra
                at = 0 if alone else start - begin + left
                if left < right:
                    block(
                        *(a, b, depths, biases, panel + r // PANEL, start + left, right - left, row_norms[r:s]),
                        *(norms, scale, first[r:s], end[r:s], skip[r:s], sums[:, r:s]),
                        *(across, at, work),
                    )

    return strip
