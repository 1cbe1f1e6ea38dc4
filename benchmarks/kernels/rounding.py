"""What would keep the ranks of rows far from each other in bfloat16, and what it costs in matrix products.

    python -m benchmarks.kernels.rounding

Float64 sums over rows rounded in several ways, against those over the rows as they were: 1 - Spearman on the rows of
`correct` (n = 5000) that bfloat16 ranks worst. No kernel runs here: this is the error of the rounding alone.

    once        rounded after centring on the middle of the bulk, as the kernels do
    at mean     rounded after centring on the mean
    carried     each value takes on what rounding left of the value before it, so that errors of a row cancel
    two parts   rows as a sum of two bfloat16 numbers: three products, which float32 beats (it costs two)

A second table has the bound beyond which rows are refused, `validation.ROUNDED`: rows of one cluster, a thirtieth and a
third of n = 1200, many bandwidths from the others, how far rounding moves them, and ranks of all and of the cluster.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.common import Array, table, write
from benchmarks.kernels.correct import by_products, made
from dataaudit_kernels.packing import centre_of, rounded, unit_of


def bfloat16(rows: Array) -> Array:
    return rounded(rows, "bfloat16").astype(np.float64)


def carried(rows: Array) -> Array:
    kept, left = np.empty_like(rows), np.zeros(len(rows))
    for feature in range(rows.shape[1]):
        wanted = rows[:, feature] + left
        kept[:, feature] = bfloat16(wanted[:, None])[:, 0]
        left = wanted - kept[:, feature]
    return kept


def two_parts(rows: Array) -> Array:
    high = bfloat16(rows)
    return high + bfloat16(rows - high)


WAYS: dict[str, tuple[int, Callable[[Array], Array]]] = {
    "once": (1, lambda x: bfloat16(x - centre_of(x))),
    "at mean": (1, lambda x: bfloat16(x - x.mean(0))),
    "carried": (1, lambda x: carried(x - centre_of(x))),
    "two parts": (3, lambda x: two_parts(x - centre_of(x))),
}


def by_distance(d: int, apart: float, share: int, n: int = 1200) -> dict[str, Any]:
    rng = np.random.default_rng(d)
    x, labels, h, far = rng.normal(size=(n, d)), rng.integers(5, size=n), np.sqrt(2 * d) / 2, n // share
    x[:far] += apart * h / np.sqrt(d)
    x -= centre_of(x)
    unit = unit_of(h)
    kept = bfloat16(x / unit) * unit
    pairs = list(zip(by_products(kept, labels, h), by_products(x, labels, h), strict=True))
    return {
        "d": d,
        "bandwidths_away": apart,
        "far_rows": far,
        "moved": float(np.linalg.norm(kept - x, axis=1).max() / unit),
        "one_minus_rho": max(1 - float(spearmanr(ours, theirs).statistic) for ours, theirs in pairs),
        "among_far_rows": max(1 - float(spearmanr(ours[:far], theirs[:far]).statistic) for ours, theirs in pairs),
        "largest_relative_error": max(float(np.abs(ours / theirs - 1).max()) for ours, theirs in pairs),
    }


def main() -> int:
    found: list[dict[str, Any]] = []
    for d in (1, 20, 64, 784, 3072):
        x, labels, h = made("far clusters", 5000, d)
        truth = by_products(x, labels, h)
        for way, (products, round_) in WAYS.items():
            pairs = zip(by_products(round_(x), labels, h), truth, strict=True)
            worst = max(1 - float(spearmanr(ours, theirs).statistic) for ours, theirs in pairs)
            found.append({"d": d, "rounding": way, "bfloat16_products": products, "one_minus_rho": worst})
    table(tuple(found[0]), [tuple(row.values()) for row in found])
    write(Path(__file__).parent / "results/rounding.csv", found)
    moved = [by_distance(d, apart, share) for d in (1, 20, 784) for apart in (5, 10, 20, 40, 80) for share in (3, 30)]
    table(tuple(moved[0]), [tuple(row.values()) for row in moved])
    write(Path(__file__).parent / "results/rounding_far.csv", moved)
    return 0


if __name__ == "__main__":
    sys.exit(main())
