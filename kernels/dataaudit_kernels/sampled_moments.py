"""Sums over a sample that estimates are computed from: kernel values, control variates, and their products.

A block of inner products of rows with members of the sample becomes, in one pass, the sums [rows, groups, SUMS] of
1, k, z1, z2, z3 and of all products of two of k, z1, z2, z3, where for a row i and a member j::

    k  = exp(-|x_i - x_j|^2 / h^2)
    z1 = u_j            z2 = u_j s_ij            z3 = u_j q_ij^2            u_j ~ exp(-|x_j|^2 / h^2)

s and q are inner products of the centred rows, in full and in the directions of the second degree, each over a number
of the row's own, so that they are of order 1: regression is the same for any such number. Kernel values are float32,
and their distance from 1 where they are over 2^-1/2; sums are float64, for a residual is what they differ by.
"""

from __future__ import annotations

import numpy as np

from dataaudit_kernels.compiled import compiled
from dataaudit_kernels.epilogue import FAR, FAST, kernel_value
from dataaudit_kernels.products import PANEL, block_products

SUMS = 15
"""Numbers a row and group: count, sums of k, z1, z2, z3, then products kk, k1, k2, k3, 11, 12, 13, 22, 23, 33."""

ROWS = 2 * PANEL
"""Rows of a block; with the members of a chunk it stays in the second cache."""

CHUNK = 8 * PANEL
"""Most members of a chunk."""

_ZERO = np.float32(0)


@compiled(fastmath=FAST)
def _add(products, low, columns, row_norm, norms, weights, keep, scale, by, low_by, out):
    """Add one row's sums over the members of a chunk to `out`."""
    count = k0 = a0 = b0 = c0 = kk = ka = kb = kc = aa = ab = ac = bb = bc = cc = 0.0
    # Unsigned: a signed index might be negative, and the loop would not be vectorised.
    for j in range(np.uintp(columns)):
        product = products[j]
        t = min(max(scale * (row_norm + norms[j] - product - product), _ZERO), FAR)
        value, one = kernel_value(t)
        kept = keep[j]
        weight = weights[j] * kept
        first = weight * (product * by)
        direction = low[j] * low_by
        k = np.float64(value * kept) + np.float64(one * kept)
        a, b, c = np.float64(weight), np.float64(first), np.float64(weight * direction * direction)
        count += np.float64(kept)
        k0 += k
        a0 += a
        b0 += b
        c0 += c
        kk += k * k
        ka += k * a
        kb += k * b
        kc += k * c
        aa += a * a
        ab += a * b
        ac += a * c
        bb += b * b
        bc += b * c
        cc += c * c
    out[0] += count
    out[1] += k0
    out[2] += a0
    out[3] += b0
    out[4] += c0
    out[5] += kk
    out[6] += ka
    out[7] += kb
    out[8] += kc
    out[9] += aa
    out[10] += ab
    out[11] += ac
    out[12] += bb
    out[13] += bc
    out[14] += cc


@compiled()
def moment_strip(
    ranked, a, b, depth, a_low, b_low, low_depth, row_norms, by, low_by, norms, weights, panels, counts,
    groups, first, end, start, single, scale, sums,
):  # fmt: skip
    """Add the sums of packed rows over all chunks of a sample to `sums`, float64 [rows, groups, SUMS].

    `ranked` says whether the second degree has directions of its own, packed in `a_low` and `b_low`. Of a row, the
    members in slots ``first[row, chunk] .. end[row, chunk]`` and those listed in
    ``single[start[row] .. start[row + 1]]`` are left out.
    """
    rows = len(row_norms)
    scratch = np.empty((ROWS, CHUNK), np.float32)
    low = np.empty((ROWS if ranked else 1, CHUNK), np.float32)
    keep = np.ones(CHUNK, np.float32)
    for top in range(0, rows, ROWS):
        height = min(ROWS, rows - top)
        tall = -(-height // PANEL)
        for chunk in range(len(panels)):
            wide = -(-counts[chunk] // PANEL)
            block_products(a, top // PANEL, tall, b, panels[chunk], wide, depth, scratch)
            if ranked:
                block_products(a_low, top // PANEL, tall, b_low, panels[chunk], wide, low_depth, low)
            begin = panels[chunk] * PANEL
            stop = begin + counts[chunk]
            for row in range(top, top + height):
                keep[: counts[chunk]] = 1
                keep[max(first[row, chunk] - begin, 0) : max(end[row, chunk] - begin, 0)] = 0
                for one in range(start[row], start[row + 1]):
                    if begin <= single[one] < stop:
                        keep[single[one] - begin] = 0
                line = scratch[row - top]
                other = low[row - top] if ranked else line
                _add(
                    line, other, counts[chunk], row_norms[row], norms[begin:], weights[begin:], keep, scale,
                    by[row], low_by[row], sums[row, groups[chunk]],
                )  # fmt: skip
