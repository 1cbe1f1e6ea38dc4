"""Compiled sums over strips: one block of rows with a range of columns, block by block.

The kind of products follows from the types of packed words and norms: float32 words, or 4-byte words with float32
norms (bfloat16) or int32 norms (pixels). Gradients come as two packed factors a layer, rows as one.
"""

from __future__ import annotations

import numpy as np

from dataaudit_kernels.compiled import compiled
from dataaudit_kernels.epilogue import add_shifted_sums, add_sums, multiply_factors
from dataaudit_kernels.products import PANEL, block_products

TILE = 8 * PANEL
"""Rows and columns of a block of pairs."""


@compiled()
def _block(a, b, depths, biases, panel, start, columns, row_norms, norms, scale, first, end, skip, sums, extra, at,
           shifts, work):  # fmt: skip
    """Add one block of pairs, of rows from the start of a panel with columns from the start of another, to the sums.

    `extra` gets the sums of columns, from `at` on, where `shifts` is None.
    """
    rows = len(row_norms)
    height, width = -(-rows // PANEL), -(-columns // PANEL)
    scratch, values, near, own, low, high = work
    layers = len(depths) // 2
    if layers == 0:
        block_products(a[0], panel, height, b[0], start // PANEL, width, depths[0], scratch[0])
    for layer in range(layers):
        for side in range(2):
            factor, out = 2 * layer + side, scratch[1 + side]
            block_products(a[factor], panel, height, b[factor], start // PANEL, width, depths[factor], out)
        multiply_factors(scratch[1], scratch[2], rows, columns, np.float32(biases[layer]), layer == 0, scratch[0])
    for row in range(rows):
        low[row] = min(max(first[row] - start, 0), columns)
        high[row] = min(max(end[row] - start, 0), columns)
        own[row] = skip[row] - start
    there = norms[start:]
    if shifts is None:
        across = extra[:, at:]
        add_sums(scratch[0], rows, columns, row_norms, there, scale, low, high, own, sums, across, values, near)
    else:
        add_shifted_sums(scratch[0], rows, columns, row_norms, there, scale, low, high, own, sums, shifts)


@compiled()
def strip_sums(a, b, depths, biases, panel, begin, stop, row_norms, norms, scale, first, end, skip, symmetric, sums,
               extra, shifts):  # fmt: skip
    """Add the kernel values of one block of rows with a range of columns to the sums of both.

    `symmetric` is the first row where pairs are counted from both sides and columns left of the diagonal are left
    out, -1 where there is no diagonal. The block on the diagonal is cut into panels: of each, the square on the
    diagonal counts for its rows alone, and what is left of it is not computed. `extra`, float64 [2, stop - begin],
    gets the sums of columns; where `shifts` is not None it holds the largest exponents, and rows alone are summed.
    """
    rows = len(row_norms)
    scratch = np.empty((3 if len(depths) > 1 else 1, TILE, TILE), norms.dtype)
    values, near = np.empty((2, TILE), np.float32), np.empty((2, TILE), np.float32)
    own, low, high = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)
    work = (scratch, values, near, own, low, high)
    unused = np.zeros_like(extra)
    for start in range(begin, stop, TILE):
        columns = min(TILE, stop - start)
        diagonal = start == symmetric
        # One call of `_block`, which is inlined here, for all kinds of parts.
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
                _block(
                    *(a, b, depths, biases, panel + r // PANEL, start + left, right - left, row_norms[r:s]),
                    *(norms, scale, first[r:s], end[r:s], skip[r:s], sums[:, r:s]),
                    *(across, at, shifts, work),
                )
