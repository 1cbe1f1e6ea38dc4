"""Kernel sums of one block of pairs: of rows a over rows b and of rows b over rows a, from one product.

All pairs of many rows are sums over blocks: of every range of rows with itself, `rbf_cpu.rbf_sums`, and of every two
ranges, here. Blocks may be computed anywhere and in any order; rows that are far from all of a block are looked at
again within it, so that sums of blocks that are nearly 0 are as good as any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dataaudit_kernels.arrays import Floats
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import Order, by_label, centre_of, unit_of
from dataaudit_kernels.rbf_cpu import Pack, Pairs, gradient_side, kind_of, row_side, scale_of, unsorted, workers
from dataaudit_kernels.validation import check_bandwidth, check_factors, check_labels, check_rows


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
    """Sums over all pairs of a row of a and a row of b, each pair computed once; [2, n] and [2, m].

    Those over all rows of the other side come first, then those over the same label; arguments, errors and precision
    are those of `dataaudit_kernels.rbf_cpu.rbf_sums`. From all rows but pixels `centre`, float64 [d], is subtracted for
    the sake of rounding, the middle of the bulk of b if None; blocks of the same rows should have the same one.

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
        Pairs(scale_of(h, unit), count, None),
        lambda order: row_side(order, a, kind, middle, unit, "x_a", count),
        order_a,
        lambda order: row_side(order, b, kind, middle, unit, "x_b", count),
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
    order_a = by_label(check_factors(layers_a, labels_a, "labels_a"))
    order_b = by_label(check_factors(layers_b, labels_b, "labels_b"))
    forms = [[(part.delta.shape[1], part.inputs.shape[1], part.bias) for part in side] for side in (layers_a, layers_b)]
    if forms[0] != forms[1]:
        raise ValueError(
            f"found layers of {forms[0]} and of {forms[1]}; expected the same; pass the same layers to both"
        )
    unit, count = unit_of(h), workers(threads)
    return _between(
        Pairs(scale_of(h, unit), count, None),
        lambda order: gradient_side(order, layers_a, unit, count),
        order_a,
        lambda order: gradient_side(order, layers_b, unit, count),
        order_b,
    )


def _between(pairs: Pairs, side_a: Pack, order_a: Order, side_b: Pack, order_b: Order) -> tuple[Floats, Floats]:
    """Sums (all, same) over both sides, [2, n] and [2, m], in the order in which rows were given."""
    of_a, of_b = np.zeros((2, len(order_a.rows))), np.zeros((2, len(order_b.rows)))
    if of_a.size and of_b.size:
        a, b = side_a(order_a), side_b(order_b)
        for start, begin, down, across in pairs.tasks(a, b, symmetric=False):
            of_a[:, start : start + down.shape[1]] += down
            of_b[:, begin : begin + across.shape[1]] += across
        pairs.look_again(of_a, side_a, a, b, symmetric=False)
        pairs.look_again(of_b, side_b, b, a, symmetric=False)
    return np.stack(unsorted(of_a, order_a)), np.stack(unsorted(of_b, order_b))
