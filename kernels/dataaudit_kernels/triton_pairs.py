"""Triton kernels: kernel values of tiles of pairs, and their sums.

Rows come sorted by label and padded: to whole tiles with rows of infinite norm, whose kernel values are 0, and to
whole steps with zeros. A pair's exponent is t = (|x|^2 + |y|^2 - 2 x.y) log2(e) / h^2, clamped at 0; norms arrive
multiplied by log2(e) / h^2. Sums are float32 within a tile and float64 beyond.

No program waits for another, and no two write one number, so that results have the same bits every time.
"""

from __future__ import annotations

import triton
import triton.language as tl

NEAR = tl.constexpr(0.5)
"""Exponent below which 2^-t - 1 is summed, and the pair counted: sums of values near 1 keep the difference."""

# Coefficients of (2^r - 1) / r on [-1/2, 0], a Chebyshev fit; benchmarks and tests compare with float64.
_C1 = tl.constexpr(0.6931471805599453)
_C2 = tl.constexpr(0.2402265069591007)
_C3 = tl.constexpr(0.05550410866482158)
_C4 = tl.constexpr(0.009618129107628477)
_C5 = tl.constexpr(0.0013333558146428443)
_C6 = tl.constexpr(0.0001540353039338161)


@triton.jit
def _start(rows, row, stride, BLOCK: tl.constexpr, STEP: tl.constexpr):
    """Pointers to the first step of a block of rows, [BLOCK, STEP]."""
    inside = tl.arange(0, BLOCK)[:, None] * stride + tl.arange(0, STEP)[None, :]
    return rows + row.to(tl.int64) * stride + inside


@triton.jit
def _product(x, y, row, column, stride, first, depth, BLOCK: tl.constexpr, STEP: tl.constexpr, PRECISION: tl.constexpr):
    """Inner products of a block of rows of x with one of y, over ``depth`` values from ``first`` on."""
    a = _start(x, row, stride, BLOCK, STEP) + first
    b = _start(y, column, stride, BLOCK, STEP) + first
    product = tl.zeros((BLOCK, BLOCK), tl.float32)
    for _ in range(0, depth, STEP):
        product = tl.dot(tl.load(a), tl.trans(tl.load(b)), product, input_precision=PRECISION)
        a += STEP
        b += STEP
    return product


@triton.jit
def _products_of_layers(
    x, y, row, column, stride, layers, count, BLOCK: tl.constexpr, STEP: tl.constexpr, PRECISION: tl.constexpr
):
    """Inner products of gradients: (delta . delta) (inputs . inputs + bias), added over layers.

    ``layers`` is int32 [count, 3]: padded widths of delta and inputs, bias; factors lie side by side in a row.
    """
    total = tl.zeros((BLOCK, BLOCK), tl.float32)
    first = 0
    for layer in range(count):
        outer = tl.load(layers + 3 * layer)
        inner = tl.load(layers + 3 * layer + 1)
        bias = tl.load(layers + 3 * layer + 2).to(tl.float32)
        deltas = _product(x, y, row, column, stride, first, outer, BLOCK, STEP, PRECISION)
        inputs = _product(x, y, row, column, stride, first + outer, inner, BLOCK, STEP, PRECISION)
        total += deltas * (inputs + bias)
        first += outer + inner
    return total


@triton.jit
def _tile(
    x,
    y,
    x_norms,
    y_norms,
    row,
    column,
    stride,
    layers,
    count,
    scale,
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    PRECISION: tl.constexpr,
    GRADIENT: tl.constexpr,
):
    """t of every pair of a tile."""
    if GRADIENT:
        product = _products_of_layers(x, y, row, column, stride, layers, count, BLOCK, STEP, PRECISION)
    else:
        product = _product(x, y, row, column, stride, 0, stride, BLOCK, STEP, PRECISION)
    inside = tl.arange(0, BLOCK)
    norms = tl.load(x_norms + row + inside)[:, None] + tl.load(y_norms + column + inside)[None, :]
    return tl.maximum(norms - 2 * scale * product, 0.0)


@triton.jit
def _sums(t, target, write, COLUMNS: tl.constexpr):
    """Kernel values added along rows, float64 [BLOCK]; those along columns are added to what is at ``target``.

    Sums of columns leave at once: kept as float64, they would fill the registers of every thread.
    """
    if tl.min(t) < NEAR:
        near = t < NEAR
        one = near.to(tl.float32)
        of_rows = tl.sum(one, 1).to(tl.float64)
        if COLUMNS:
            # One program, one thread a number: additions happen in one order.
            tl.atomic_add(target, tl.sum(one, 0).to(tl.float64), mask=write, sem="relaxed")
        r = tl.maximum(-t, -NEAR)
        missing = r * (_C1 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
        value = tl.where(near, missing, tl.exp2(-t))
        of_rows += tl.sum(value, 1).to(tl.float64)
    else:
        value = tl.exp2(-t)
        of_rows = tl.sum(value, 1).to(tl.float64)
    if COLUMNS:
        tl.atomic_add(target, tl.sum(value, 0).to(tl.float64), mask=write, sem="relaxed")
    return of_rows


@triton.jit
def _kind_of(x_labels, y_labels, row, column, BLOCK: tl.constexpr):
    """Pairs of a tile: 0 of other labels, 1 of one label, 2 of both kinds. Labels rise."""
    first, last = tl.load(x_labels + row), tl.load(x_labels + row + BLOCK - 1)
    begin, end = tl.load(y_labels + column), tl.load(y_labels + column + BLOCK - 1)
    common = (first <= end) & (begin <= last)
    single = (first == last) & (begin == end)
    return tl.where(common, tl.where(single, 1, 2), 0)


@triton.jit(do_not_specialize=["count", "begin", "end"])
def sum_pairs(
    x,
    y,
    x_norms,
    y_norms,
    x_labels,
    y_labels,
    runs,
    by_row,
    by_column,
    stride,
    layers,
    count,
    scale,
    begin,
    end,
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    PRECISION: tl.constexpr,
    GRADIENT: tl.constexpr,
    SYMMETRIC: tl.constexpr,
):
    """Sums over a run of tiles a program, along strips of rows through the columns ``begin .. end`` (in tiles).

    `runs` are int32 [programs, 3]: first strip, its first tile, number of tiles. Sums over other labels, then over the
    same, go to `by_row`, float64 [programs + strips, 2, BLOCK], at strip + program, and those of columns are added to
    `by_column`, float64 [programs, 2, (end - begin) BLOCK]. `layers` are the widths of factors of `count` layers for
    GRADIENT, and `scale` is log2(e) / h^2. SYMMETRIC: y is x. A tile then stands for both of its halves; tiles left of
    the diagonal and self pairs are left out.
    """
    program = tl.program_id(0)
    strip = tl.load(runs + 3 * program)
    tile = tl.load(runs + 3 * program + 1)
    left = tl.load(runs + 3 * program + 2)
    inside = tl.arange(0, BLOCK)
    width = (end - begin) * BLOCK
    by_column += program.to(tl.int64) * 2 * width
    while left > 0:
        stop = tl.minimum(end, tile + left)
        left -= stop - tile
        other, same = tl.zeros((BLOCK,), tl.float64), tl.zeros((BLOCK,), tl.float64)
        row = strip * BLOCK
        # A tile of both kinds of pairs comes twice. There are few, and one kind of sum at a time saves registers.
        again = 0
        while tile < stop:
            column = tile * BLOCK
            t = _tile(
                *(x, y, x_norms, y_norms, row, column, stride, layers, count, scale),
                *(BLOCK, STEP, PRECISION, GRADIENT),
            )
            if SYMMETRIC:
                if tile == strip:
                    t = tl.where(inside[:, None] == inside[None, :], float("inf"), t)
            kind = _kind_of(x_labels, y_labels, row, column, BLOCK)
            if kind == 2:
                equal = tl.load(x_labels + row + inside)[:, None] == tl.load(y_labels + column + inside)[None, :]
                t = tl.where(equal == (again == 1), t, float("inf"))
            alike = (kind == 1) | (again == 1)
            target = by_column + tl.where(alike, width, 0) + column - begin * BLOCK + inside
            # A tile on the diagonal holds both halves of its pairs.
            of_rows = _sums(t, target, inside < tl.where(tile != strip, BLOCK, 0), SYMMETRIC)
            if alike:
                same += of_rows
            else:
                other += of_rows
            again = tl.where((kind == 2) & (again == 0), 1, 0)
            tile += 1 - again
        target = by_row + (strip + program).to(tl.int64) * 2 * BLOCK + inside
        tl.store(target, other)
        tl.store(target + BLOCK, same)
        strip += 1
        tile = tl.maximum(begin, strip) if SYMMETRIC else begin


@triton.jit(do_not_specialize=["n"])
def add_runs(by_row, programs, sums, n, BLOCK: tl.constexpr):
    """Add the sums of programs for a strip, `by_row` of `sum_pairs`, to those of its rows, float64 [2, n].

    `programs` is int32 [strips, 2]: first program of a strip and the one after the last.
    """
    strip = tl.program_id(0)
    first, end = tl.load(programs + 2 * strip), tl.load(programs + 2 * strip + 1)
    inside = tl.arange(0, BLOCK)
    target = sums + strip.to(tl.int64) * BLOCK + inside
    other, same = tl.load(target), tl.load(target + n)
    for program in range(first, end):
        partial = by_row + (strip + program).to(tl.int64) * 2 * BLOCK + inside
        other += tl.load(partial)
        same += tl.load(partial + BLOCK)
    tl.store(target, other)
    tl.store(target + n, same)


@triton.jit
def _add_shifted(t, least, total):
    """Least exponents of rows so far and sums of 2^(least - t), float64, with those of a tile; infinite t count 0."""
    lower = tl.minimum(least, tl.min(t, 1))
    shift = tl.where(lower < float("inf"), lower, 0.0)
    shrink = tl.exp2(shift - least).to(tl.float64)
    return lower, total * shrink + tl.sum(tl.exp2(shift[:, None] - t), 1).to(tl.float64)


@triton.jit(do_not_specialize=["count", "n"])
def sum_shifted(
    x,
    y,
    x_norms,
    y_norms,
    x_labels,
    y_labels,
    own,
    tiles,
    sums,
    shifts,
    n,
    stride,
    layers,
    count,
    scale,
    BLOCK: tl.constexpr,
    STEP: tl.constexpr,
    PRECISION: tl.constexpr,
    GRADIENT: tl.constexpr,
):
    """Sums for rows whose every kernel value may underflow: of 2^(shift - t), a strip of rows a program.

    `own` is the column that is the row itself, int32 [n], -1 for none; `tiles` are the first tile of columns of each
    program and the one after the last, int32 [programs, 2]. Sums over other labels and over the same go to `sums`,
    float64 [2, n], and the least exponents of a row to `shifts`, float32 [2, n]; infinite: no pair at all.
    """
    row = tl.program_id(0) * BLOCK
    inside = tl.arange(0, BLOCK)
    self = tl.load(own + row + inside)
    labels = tl.load(x_labels + row + inside)
    least_other = tl.full((BLOCK,), float("inf"), tl.float32)
    least_same = tl.full((BLOCK,), float("inf"), tl.float32)
    other, same = tl.zeros((BLOCK,), tl.float64), tl.zeros((BLOCK,), tl.float64)
    first, end = tl.load(tiles + 2 * tl.program_id(0)), tl.load(tiles + 2 * tl.program_id(0) + 1)
    for number in range(first, end):
        column = number * BLOCK
        t = _tile(
            *(x, y, x_norms, y_norms, row, column, stride, layers, count, scale),
            *(BLOCK, STEP, PRECISION, GRADIENT),
        )
        t = tl.where(self[:, None] == (column + inside)[None, :], float("inf"), t)
        equal = labels[:, None] == tl.load(y_labels + column + inside)[None, :]
        least_other, other = _add_shifted(tl.where(equal, float("inf"), t), least_other, other)
        least_same, same = _add_shifted(tl.where(equal, t, float("inf")), least_same, same)
    tl.store(sums + row + inside, other)
    tl.store(sums + n + row + inside, same)
    tl.store(shifts + row + inside, least_other)
    tl.store(shifts + n + row + inside, least_same)
