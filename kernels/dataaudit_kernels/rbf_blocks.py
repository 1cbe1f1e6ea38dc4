"""Kernel sums of one block of pairs: of rows a over rows b and of rows b over rows a, from one product.

All pairs of many rows are sums over blocks: of every range of rows with itself, `rbf_cpu.rbf_sums`, and of every two
ranges, here. Blocks may be computed anywhere and in any order; rows that are far from all of a block are looked at
again within it, so that sums of blocks that are nearly 0 are as good as any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import Floats, Integers, Order, by_label, centre_of, unit_of
from dataaudit_kernels.rbf_cpu import Pairs, Side, gradient_side, kind_of, row_side, scale_of, workers
from dataaudit_kernels.validation import UNDERFLOW, check_bandwidth, check_labels, check_layers, check_rows

Make = Callable[[Integers], Side]


def block_sums(
    x_a: ArrayLike,
    labels_a: ArrayLike,
    x_b: ArrayLike,
    labels_b: ArrayLike,
    bandwidth: float,
    *,
    centre: Floats | None = None,
    precision: str = "auto",
    threads: int | None = None,
) -> tuple[Floats, Floats]:
    """Sums over all pairs of a row of a and a row of b, each pair computed once.

    Parameters
    ----------
    x_a, labels_a, x_b, labels_b
        Rows [n, d] and [m, d] and whole numbers [n] and [m]; any real numbers in any memory layout.
    bandwidth
        h > 0, in the unit of the rows.
    centre
        What is subtracted from all rows, float64 [d], for the sake of rounding; the middle of the bulk of b if None.
        Blocks of the same rows should have the same one. Pixels are not centred.
    precision, threads
        As in `dataaudit_kernels.rbf_cpu.rbf_sums`.

    Returns
    -------
    of_a, of_b
        Sums over all rows of the other side, and over those of the same label, float64 [2, n] and [2, m]. Relative
        error at most 2e-6 (1 + R^2 / h^2) on the rounded rows, R their largest norm from the centre.

    Raises
    ------
    ValueError, MemoryError
        As in `dataaudit_kernels.rbf_cpu.rbf_sums`, and where the centre has another length than rows.

    Examples
    --------
    >>> of_a, of_b = block_sums([[0.0]], [0], [[1.0], [1.0]], [0, 1], 1.0)
    >>> of_a.round(4).tolist(), of_b.round(4).tolist()
    ([[0.7358], [0.3679]], [[0.3679, 0.3679], [0.3679, 0.0]])
    """
    h = check_bandwidth(bandwidth)
    a, b = check_rows(x_a, "x_a"), check_rows(x_b, "x_b")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"found rows of {a.shape[1]} and of {b.shape[1]} features; expected one width; reshape them")
    order_a = by_label(check_labels(labels_a, len(a), "labels_a"))
    order_b = by_label(check_labels(labels_b, len(b), "labels_b"))
    kind = kind_of(precision, [a, b])
    middle = None
    if kind != "uint8":
        middle = centre_of(b) if centre is None else np.asarray(centre, np.float64)
        if middle.shape != (a.shape[1],):
            raise ValueError(
                f"found a centre of shape {middle.shape}; expected [{a.shape[1]}]; pass one value a column"
            )
    unit, count = 1.0 if kind == "uint8" else unit_of(h), workers(threads)
    return _between(
        Pairs(scale_of(h, unit), threads, None),
        lambda chosen: row_side(chosen, a, kind, middle, unit, "x_a", count),
        order_a,
        lambda chosen: row_side(chosen, b, kind, middle, unit, "x_b", count),
        order_b,
    )


def gradient_block_sums(
    layers_a: Sequence[GradientFactors],
    labels_a: ArrayLike,
    layers_b: Sequence[GradientFactors],
    labels_b: ArrayLike,
    bandwidth: float,
    *,
    threads: int | None = None,
) -> tuple[Floats, Floats]:
    """`block_sums` of gradients of n and of m examples, from their factors alone; the same layers."""
    h = check_bandwidth(bandwidth)
    order_a = by_label(check_labels(labels_a, check_layers(layers_a), "labels_a"))
    order_b = by_label(check_labels(labels_b, check_layers(layers_b), "labels_b"))
    forms = [[(part.delta.shape[1], part.inputs.shape[1], part.bias) for part in side] for side in (layers_a, layers_b)]
    if forms[0] != forms[1]:
        raise ValueError(
            f"found layers of {forms[0]} and of {forms[1]}; expected the same; pass the same layers to both"
        )
    unit, count = unit_of(h), workers(threads)
    return _between(
        Pairs(scale_of(h, unit), threads, None),
        lambda chosen: gradient_side(chosen, layers_a, unit, count),
        order_a,
        lambda chosen: gradient_side(chosen, layers_b, unit, count),
        order_b,
    )


def _between(pairs: Pairs, make_a: Make, order_a: Order, make_b: Make, order_b: Order) -> tuple[Floats, Floats]:
    """Sums [2, n] over the sorted rows of both sides, in the order that they were given in."""
    of_a, of_b = np.zeros((2, len(order_a.rows))), np.zeros((2, len(order_b.rows)))
    if of_a.size and of_b.size:
        a, b = make_a(order_a.rows), make_b(order_b.rows)
        first, end = order_b.ranges(order_a.labels)
        nobody = np.full(len(order_a.rows), -1, np.int64)
        for start, begin, down, across in pairs.tasks(a, b, first, end, nobody, symmetric=False):
            of_a[:, start : start + down.shape[1]] += down
            of_b[:, begin : begin + across.shape[1]] += across
        _look_again(pairs, of_a, make_a, order_a, b, order_b)
        _look_again(pairs, of_b, make_b, order_b, a, order_a)
    return _unsorted(of_a, order_a), _unsorted(of_b, order_b)


def _look_again(pairs: Pairs, sums: Floats, make: Make, order: Order, columns: Side, others: Order) -> None:
    """Shifted sums in place of those that float32 may have lost."""
    low = np.flatnonzero(sums.sum(0) < UNDERFLOW)
    if len(low):
        first, end = others.ranges(order.labels[low])
        nobody = np.full(len(low), -1, np.int64)
        sums[:, low] = pairs.again(make(order.rows[low]), columns, first, end, nobody)


def _unsorted(sums: Floats, order: Order) -> Floats:
    """(other, same) of sorted rows as (all, same) in the given order."""
    found = np.empty_like(sums)
    found[0, order.rows], found[1, order.rows] = sums.sum(0), sums[1]
    return found
