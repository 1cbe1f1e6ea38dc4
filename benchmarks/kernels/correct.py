"""Kernel sums of the CPU engine against float64, on easy and on awkward rows.

    python -m benchmarks.kernels.correct

Against the oracle on the same rounded rows: the largest error as a share of what is allowed,
2e-6 (1 + R^2 / h^2) S + 1e-30 n. At n = 5000 also 1 - Spearman against the oracle on the rows as they were, between
rows that differ.
A rank correlation further from 1 than 1e-6 (3e-5 in bfloat16) is marked SHORT. Exits with 1 where a share is
above 1, or where float32 or 8-bit pixels fall short.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.common import Array, write
from dataaudit_kernels import rbf_cpu, reference
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import centre_of, rounded, unit_of
from dataaudit_kernels.products import Kind, supported

SIZES = (1, 2, 63, 257, 5000)
FEATURES = (1, 20, 64, 784, 3072)
KINDS = ("normal", "duplicates", "far clusters", "one class", "class of one", "shifted mean", "pixels")
RANKS = {"float32": 1e-6, "bfloat16": 3e-5, "uint8": 1e-6}


def made(kind: str, n: int, d: int) -> tuple[Array, Array, float]:
    """Rows, labels and half the mean distance of rows without the awkwardness."""
    rng = np.random.default_rng(n * 10000 + d)
    x: Array = rng.normal(size=(n, d))
    labels, h = rng.integers(10, size=n), float(np.sqrt(2 * d) / 2)
    if kind == "duplicates":
        x[n // 2 :] = x[: n - n // 2]
    elif kind == "far clusters":
        x[: n // 3] += 20.0
        x[n // 3 : n // 2] -= 20.0
    elif kind == "one class":
        labels[:] = 0
    elif kind == "class of one":
        labels[:] = 0
        labels[n // 2] = 1
    elif kind == "shifted mean":
        x += 5.0
    elif kind == "pixels":
        x, h = rng.integers(0, 256, size=(n, d)).astype(np.uint8), 73.9 * h
    return x, labels, h


def oracle(x: Array, labels: Array, h: float) -> tuple[Array, Array]:
    """`reference.rbf_sums`; for many rows by centred float64 products, which agree with it (see `main`)."""
    if len(x) <= 257:
        return reference.rbf_sums(x, labels, h)
    return by_products(x, labels, h)


def by_products(x: Array, labels: Array, h: float, chosen: Array | None = None) -> tuple[Array, Array]:
    """Sums of the rows `chosen` [m], of all of them if None, with all others."""
    rows = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    squares = (rows**2).sum(1)
    chosen = np.arange(len(x)) if chosen is None else chosen
    total, same = np.zeros(len(chosen)), np.zeros(len(chosen))
    for start in range(0, len(chosen), 1000):
        part = chosen[start : start + 1000]
        kernel = np.exp(-np.maximum(squares[part, None] + squares - 2 * rows[part] @ rows.T, 0.0) / h**2)
        kernel[np.arange(len(part)), part] = 0.0
        total[start : start + 1000] = kernel.sum(1)
        same[start : start + 1000] = np.where(labels[part, None] == labels, kernel, 0.0).sum(1)
    return total, same


def compare(kind: str, n: int, d: int, precision: Kind) -> dict[str, Any]:
    x, labels, h = made(kind, n, d)
    found = rbf_cpu.rbf_sums(x, labels, h, precision=precision)
    if precision == "uint8":
        rows = x.astype(np.float64)
    else:
        rows = rounded((x - centre_of(x)) / unit_of(h), precision).astype(np.float64) * unit_of(h)
    radius = np.linalg.norm(rows - rows.mean(0), axis=1).max()
    used, ranks = 0.0, 0.0
    for ours, theirs in zip(found, oracle(rows, labels, h), strict=True):
        allowed = 2e-6 * (1 + radius**2 / h**2) * theirs + 1e-30 * n
        used = max(used, float((np.abs(ours - theirs) / allowed).max()))
    if n == max(SIZES):
        # Rows that are equal have equal sums, whose order means nothing: each counts once.
        once = np.unique(np.column_stack([x, labels]), axis=0, return_index=True)[1]
        for ours, theirs in zip(found, oracle(x, labels, h), strict=True):
            if np.ptp(theirs) > 0:
                ranks = max(ranks, 1 - float(spearmanr(ours[once], theirs[once]).statistic))
    return {"kind": kind, "n": n, "d": d, "precision": precision, "error_over_allowed": used, "one_minus_rho": ranks}


def gradients(n: int, bias: bool, layers: int, spread: float) -> dict[str, Any]:
    """Factorised gradients against those written out; `spread` makes norms heavy-tailed, and most K nearly 1."""
    rng = np.random.default_rng(n)
    sizes = [(10, 64), (64, 33), (20, 5)][:layers]
    made = [
        GradientFactors(
            (rng.normal(size=(n, p)) * np.exp(spread * rng.normal(size=(n, 1)))).astype(np.float32),
            rng.normal(size=(n, q)).astype(np.float32),
            bias,
        )
        for p, q in sizes
    ]
    labels, written = rng.integers(10, size=n), reference.written_out(made)
    h = float(np.linalg.norm(written[:100, None] - written[None, :100], axis=2).mean() / 2) if n > 1 else 1.0
    radius, used = np.linalg.norm(written, axis=1).max(), 0.0
    for ours, theirs in zip(
        rbf_cpu.gradient_rbf_sums(made, labels, h), reference.rbf_sums(written, labels, h), strict=True
    ):
        allowed = 2e-6 * (1 + radius**2 / h**2) * theirs + 1e-30 * n
        used = max(used, float((np.abs(ours - theirs) / allowed).max()))
    kind = f"gradients, {layers} layers, {'bias' if bias else 'no bias'}, spread {spread:g}"
    return {
        "kind": kind,
        "n": n,
        "d": written.shape[1],
        "precision": "float32",
        "error_over_allowed": used,
        "one_minus_rho": 0.0,
    }


def main() -> int:
    x, labels, h = made("shifted mean", 257, 784)
    difference = np.abs(np.divide(by_products(x, labels, h), reference.rbf_sums(x, labels, h)) - 1).max()
    print(f"float64 products against differences: {difference:.1e} relative")
    rows = []
    for precision in supported():
        for kind in KINDS if precision != "uint8" else ("pixels",):
            for n in SIZES:
                for d in FEATURES[1:] if kind == "pixels" else FEATURES:
                    rows.append(compare(kind, n, d, precision))
    for n in (1, 2, 63, 257, 1000):
        for bias in (True, False):
            for layers in (1, 3):
                for spread in (0.0, 2.0):
                    rows.append(gradients(n, bias, layers, spread))
    print(f"{'precision':10} {'kind':46} {'error / allowed':>16} {'1 - rho':>10}")
    failed = difference > 1e-9
    for precision in dict.fromkeys(row["precision"] for row in rows):
        for kind in dict.fromkeys(row["kind"] for row in rows if row["precision"] == precision):
            mine = [row for row in rows if row["kind"] == kind and row["precision"] == precision]
            used = max(row["error_over_allowed"] for row in mine)
            ranks = max(row["one_minus_rho"] for row in mine)
            short = ranks > RANKS[precision]
            failed |= used > 1 or (short and precision != "bfloat16")
            print(f"{precision:10} {kind:46} {used:16.3f} {ranks:10.1e}{'  SHORT' if short else ''}")
    write(Path(__file__).parent / "results/correct.csv", rows)
    print("FAILED" if failed else "all errors within what is allowed")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
