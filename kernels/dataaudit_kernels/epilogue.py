"""From a block of inner products to sums of kernel values, in one pass over the block.

A pair's exponent is t = -(|x|^2 + |y|^2 - 2 x.y) log2(e) / h^2, clamped at 0. Where t <= -1/2 its value 2^t is
summed; nearer pairs are counted, and 2^t - 1 is summed, so that a sum of kernel values that are nearly all 1
keeps the difference. Columns are sorted by label: those of a row's own label are one range, and no label is
looked at inside the loops. Sums are float32 within `ROWS` rows and float64 beyond.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dataaudit_kernels.compiled import compiled

ROWS = 96
"""Rows over which the sums of a column stay in float32."""

FAR = np.float32(127)
"""Largest exponent that counts: from 126.5 on kernel values are 0, for normal numbers of float32 end at 2^-126."""

_ZERO, _ONE = np.float32(0), np.float32(1)
_I32 = ir.IntType(32)
_WHOLE = ir.Constant(ir.FloatType(), 1.5 * 2.0**23 + 127)  # From 2^23 to 2^24, float32 holds whole numbers alone.

# Coefficients of (2^r - 1) / r on [-1/2, 1/2], a Chebyshev fit: relative error of 2^r below 1e-8 before rounding.
_NODES = 0.5 * np.cos(np.pi * (np.arange(2000) + 0.5) / 2000)
_FIT = np.polynomial.Chebyshev.fit(_NODES, np.expm1(_NODES * np.log(2)) / _NODES, 5, domain=[-0.5, 0.5])
_C1, _C2, _C3, _C4, _C5, _C6 = (np.float32(c) for c in _FIT.convert(kind=np.polynomial.Polynomial).coef)

# NaN and infinity never arrive here: rows are finite, and squares of scaled rows are bounded. Functions that
# inline the loops must ask for the same, or the loops are not vectorised.
FAST = {"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}


@intrinsic
def _nearest_power(context, t):
    """Whole number nearest to t and 2 to the power of minus it, for t in 0..127, as float32; 2^-127 is given as 0."""

    def generate(context, builder, signature, arguments):
        # Rounded by the sum, whose low bits are then the exponent of the power. That holds only where terms are not
        # reordered: an instruction with a flag of its own is given no others.
        moved = builder.fsub(_WHOLE, arguments[0], flags=("nnan",))
        whole = builder.fsub(_WHOLE, moved, flags=("nnan",))
        bits = builder.shl(builder.bitcast(moved, _I32), ir.Constant(_I32, 23))
        return context.make_tuple(builder, signature.return_type, (whole, builder.bitcast(bits, ir.FloatType())))

    return types.UniTuple(types.float32, 2)(types.float32), generate


@intrinsic
def _squared_distance(context, row, column, product):
    """row + column - 2 product as float32; exact for int32, which Numba itself would widen to int64."""

    whole = isinstance(product, types.Integer)

    def generate(context, builder, signature, arguments):
        row, column, product = arguments
        if whole:
            twice = builder.shl(product, ir.Constant(_I32, 1))
            return builder.sitofp(builder.sub(builder.add(row, column), twice), ir.FloatType())
        return builder.fsub(builder.fadd(row, column), builder.fadd(product, product))

    return types.float32(product, product, product), generate


@compiled(fastmath=FAST, inline="always")
def kernel_value(t):
    """2^-t, for t in 0..127, as the sum of a float32 and of the 1 that it is compared with where t < 1/2, else 0."""
    whole, power = _nearest_power(t)
    r = whole - t
    p = r * (_C1 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    is_near = whole == _ZERO
    return (_ZERO if is_near else power) + power * p, _ONE if is_near else _ZERO


@compiled(fastmath=FAST, inline="always")
def _segment(products, first, end, row_norm, norms, scale, values, near):
    """Sum and count of one row's columns ``first .. end``; both are also added to the columns' own."""
    total = _ZERO
    count = _ZERO
    # Unsigned: a signed index might be negative, and the loop would not be vectorised.
    for c in range(np.uintp(first), np.uintp(end)):
        t = min(max(scale * _squared_distance(row_norm, norms[c], products[c]), _ZERO), FAR)
        value, one = kernel_value(t)
        total += value
        count += one
        values[c] += value
        near[c] += one
    return total, count


@compiled(fastmath=FAST)
def add_sums(products, rows, columns, row_norms, norms, scale, first, end, skip, row_sums, column_sums, values, near):
    """Add the kernel values of a block to the sums of its rows and of its columns, float64 [2, any]: other, same label.

    Inner products are float32, or int32 with int32 norms. Columns ``first .. end`` carry a row's label, and `skip` is
    the row itself, outside of these for none. `values` and `near` are scratch, float32 [2, columns] each.
    """
    for start in range(0, rows, ROWS):
        values[:, :columns] = 0
        near[:, :columns] = 0
        for row in range(start, min(start + ROWS, rows)):
            line = products[row]
            norm = row_norms[row]
            a, b, self = first[row], end[row], skip[row]
            if self < a or self >= b:
                self = b
            v0, n0 = _segment(line, 0, a, norm, norms, scale, values[0], near[0])
            v1, n1 = _segment(line, a, self, norm, norms, scale, values[1], near[1])
            v2, n2 = _segment(line, self + 1, b, norm, norms, scale, values[1], near[1])
            v3, n3 = _segment(line, b, columns, norm, norms, scale, values[0], near[0])
            row_sums[0, row] += np.float64(v0) + np.float64(v3) + np.float64(n0 + n3)
            row_sums[1, row] += np.float64(v1) + np.float64(v2) + np.float64(n1 + n2)
        for kind in range(2):
            for c in range(columns):
                column_sums[kind, c] += np.float64(values[kind, c]) + np.float64(near[kind, c])


@compiled(fastmath=FAST, inline="always")
def _largest(products, first, end, row_norm, norms, scale, largest):
    for c in range(np.uintp(first), np.uintp(end)):
        largest = max(largest, -max(scale * _squared_distance(row_norm, norms[c], products[c]), _ZERO))
    return largest


@compiled(fastmath=FAST, inline="always")
def _shifted(products, first, end, row_norm, norms, scale, shift):
    total = _ZERO
    for c in range(np.uintp(first), np.uintp(end)):
        t = max(scale * _squared_distance(row_norm, norms[c], products[c]), _ZERO) + shift
        t = min(max(t, _ZERO), FAR)
        value, one = kernel_value(t)
        total += value + one
    return total


@compiled(fastmath=FAST)
def add_shifted_sums(products, rows, columns, row_norms, norms, scale, first, end, skip, row_sums, shifts):
    """`add_sums` for rows whose every kernel value of a kind may underflow: sums of 2^(t - shift), rows only.

    `shifts`, float64 [2, rows], holds the largest exponents so far (-inf at first), of other labels and of the same;
    sums are rescaled when one grows.
    """
    for row in range(rows):
        line = products[row]
        norm = row_norms[row]
        a, b, self = first[row], end[row], skip[row]
        if self < a or self >= b:
            self = b
        for kind in range(2):
            # Two ranges of columns: those around the row's label, or those of it around the row itself.
            p, q, r, s = (0, a, b, columns) if kind == 0 else (a, self, self + 1, b)
            largest = _largest(line, p, q, norm, norms, scale, np.float32(-3e38))
            largest = _largest(line, r, s, norm, norms, scale, largest)
            if largest > shifts[kind, row]:
                row_sums[kind, row] *= 2.0 ** (shifts[kind, row] - np.float64(largest))
                shifts[kind, row] = np.float64(largest)
            shift = np.float32(shifts[kind, row])
            row_sums[kind, row] += np.float64(_shifted(line, p, q, norm, norms, scale, shift))
            row_sums[kind, row] += np.float64(_shifted(line, r, s, norm, norms, scale, shift))


@compiled()
def multiply_factors(deltas, inputs, rows, columns, bias, fresh, out):
    """Products of gradients from those of their factors: ``out (+)= deltas * (inputs + bias)``."""
    for row in range(rows):
        if fresh:
            for c in range(columns):
                out[row, c] = deltas[row, c] * (inputs[row, c] + bias)
        else:
            for c in range(columns):
                out[row, c] += deltas[row, c] * (inputs[row, c] + bias)
