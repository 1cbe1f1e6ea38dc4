"""Time of the kernel sums on the CPU against one plain full matrix product, and against peers.

    python -m benchmarks.kernels.speed [--n 20000] [--repeats 5] [--guard]

Every ratio is taken within one round: product and sums are timed in turn, all cores, and the median, least and
largest ratio are shown. The product is float32 ``np.matmul`` of the rows with themselves, in blocks of rows, the
fastest of several block sizes. Peers that would take minutes compute the sums of the first `--queries` rows alone,
and their time is scaled up; the table says so.

--guard takes the ratios of float32 to the product alone, at the widths that have a limit, writes nothing, and ends with
code 1 where a median is above the limit of this kind of machine.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_info

from benchmarks.common import Array, write
from dataaudit_kernels import rbf_cpu
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.products import supported

FEATURES = (64, 512, 784, 2048, 3072)
AIMS = {
    ("float32", 64): 0.42,
    ("float32", 512): 0.53,
    ("float32", 2048): 0.53,
    ("bfloat16", 512): 0.33,
    ("bfloat16", 2048): 0.33,
    ("uint8", 784): 0.30,
    ("uint8", 3072): 0.30,
}
"""Ratios that are to be kept, or reached."""

LIMITS = {"AVX512": {64: 0.42, 512: 0.53, 2048: 0.53}, "AVX2": {64: 0.60, 512: 0.61, 2048: 0.63}}
"""Largest medians of float32 by PyTorch's name of the instructions.

Those of AVX512 are the aims. With AVX2 these are missed: its limits are a tenth above the medians of
`results/speed.csv`, and tell a loss of speed.
"""


def seconds(work: Callable[[], Any]) -> float:
    """Time of `work` from a quiet start: threads of a matrix product spin for a while after it."""
    time.sleep(0.2)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def product(x: Array, block: int) -> Callable[[], None]:
    out = np.empty((block, len(x)), np.float32)

    def work() -> None:
        for start in range(0, len(x), block):
            part = x[start : start + block]
            np.matmul(part, x.T, out=out[: len(part)])

    return work


def spread(values: list[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "least": min(values), "largest": max(values)}


def against_product(n: int, repeats: int, widths: Sequence[int], kinds: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for d in widths:
        rng = np.random.default_rng(d)
        x, labels, h = rng.normal(size=(n, d)).astype(np.float32), rng.integers(10, size=n), np.sqrt(2 * d) / 2
        pixels = rng.integers(0, 256, size=(n, d)).astype(np.uint8)
        block = min((1000, 2000, 4000), key=lambda size: min(seconds(product(x, size)) for _ in range(2)))
        plain = product(x, block)
        ways: dict[str, Callable[[], Any]] = {}
        for kind in kinds:
            given, width = (pixels, 74 * h) if kind == "uint8" else (x, h)
            ways[kind] = partial(rbf_cpu.rbf_sums, given, labels, width, precision=kind)
        ratios: dict[str, list[float]] = {name: [] for name in ways}
        base = []
        for work in ways.values():
            work()
        # Narrow rows take a fraction of a second, and more rounds: whatever else runs weighs more there.
        for _ in range(repeats * max(1, 256 // d)):
            for name, work in ways.items():
                base.append(seconds(plain))
                ratios[name].append(seconds(work) / base[-1])
        for name, found in ratios.items():
            rows.append(
                {"what": f"sums, {name}", "d": d, "unit": "plain product", **spread(found), "aim": AIMS.get((name, d))}
            )
            show(rows[-1])
        gflops = 2 * n * n * d / np.median(base) / 1e9
        rows.append({"what": f"plain product, blocks of {block}", "d": d, "unit": "GFLOP/s", "median": gflops})
        show(rows[-1])
    return rows


def gradients(n: int, repeats: int, d: int = 512, classes: int = 10) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    hidden, labels = rng.normal(size=(n, d)).astype(np.float32), rng.integers(classes, size=n)
    logits = rng.normal(size=(n, classes))
    delta = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    delta[np.arange(n), labels] -= 1
    layers = [GradientFactors(delta, hidden)]
    ways: dict[str, Callable[[], Any]] = {
        "hidden": lambda: rbf_cpu.rbf_sums(hidden, labels, 16.0),
        "gradient": lambda: rbf_cpu.gradient_rbf_sums(layers, labels, 16.0),
    }
    for work in ways.values():
        work()
    ratios = []
    for _ in range(repeats):
        taken = {name: seconds(work) for name, work in ways.items()}
        ratios.append(taken["gradient"] / taken["hidden"])
    row = {"what": "last-layer gradient, 10 classes", "d": d, "unit": "hidden density", **spread(ratios), "aim": 1.5}
    show(row)
    return [row]


def peers(n: int, queries: int, d: int = 512) -> list[dict[str, Any]]:
    rng = np.random.default_rng(2)
    x, labels, h = rng.normal(size=(n, d)).astype(np.float32), rng.integers(10, size=n), float(np.sqrt(2 * d) / 2)
    scale = n / queries

    def blocked_numpy() -> Array:
        squares, total, same = (x**2).sum(1), np.zeros(n), np.zeros(n)
        for start in range(0, n, 1000):
            part = slice(start, start + 1000)
            kernel = np.exp(-np.maximum(squares[part, None] + squares - 2 * x[part] @ x.T, 0.0) / h**2)
            total[part] = kernel.sum(1) - 1
            same[part] = (kernel * (labels[part, None] == labels)).sum(1) - 1
        return total

    def torch_cdist() -> Array:
        rows, total, same = torch.tensor(x), np.zeros(n), np.zeros(n)
        given = torch.tensor(labels)
        for start in range(0, n, 1000):
            part = slice(start, start + 1000)
            kernel = torch.exp(-(torch.cdist(rows[part], rows) ** 2) / h**2)
            total[part] = kernel.sum(1).numpy() - 1
            same[part] = (kernel * (given[part, None] == given)).sum(1).numpy() - 1
        return total

    def scipy_cdist() -> Array:
        kernel = np.exp(-cdist(x[:queries], x, "sqeuclidean") / h**2)
        (kernel * (labels[:queries, None] == labels)).sum(1)
        return np.asarray(kernel.sum(1) - 1)

    def scikit_learn() -> Array:
        from sklearn.neighbors import KernelDensity

        found = [
            np.exp(KernelDensity(bandwidth=h / np.sqrt(2)).fit(rows).score_samples(x[:queries])) * len(rows)
            for rows in (x.astype(np.float64), x[labels == 0].astype(np.float64))
        ]
        return np.asarray(found[0])

    def pykeops() -> Array:
        from pykeops.torch import LazyTensor

        rows, given = torch.tensor(x), torch.tensor(labels).float()[:, None]
        left, right = LazyTensor(rows[:queries, None]), LazyTensor(rows[None])
        kernel = (-((left - right) ** 2).sum(-1) / h**2).exp()
        same = 0.5 - (LazyTensor(given[:queries, None]) - LazyTensor(given[None])).abs()
        (kernel * same.step()).sum(1)
        return np.asarray(kernel.sum(1).numpy()[:, 0] - 1)

    ours = rbf_cpu.rbf_sums(x, labels, h)[0]
    own = min(seconds(lambda: rbf_cpu.rbf_sums(x, labels, h)) for _ in range(3))
    rows = []
    works: list[tuple[str, Callable[[], Array], float]] = [
        ("blocked NumPy", blocked_numpy, 1.0),
        ("torch.cdist", torch_cdist, 1.0),
        ("scipy cdist", scipy_cdist, scale),
        ("scikit-learn KernelDensity", scikit_learn, scale),
        ("PyKeOps", pykeops, scale),
    ]
    for name, work, factor in works:
        found = work()
        if name != "scikit-learn KernelDensity":
            # KernelDensity is normalised, and allows itself a tolerance.
            np.testing.assert_allclose(found, ours[: len(found)], rtol=1e-3)
        taken = [seconds(work) * factor / own for _ in range(2 if factor == 1.0 else 1)]
        what = name if factor == 1.0 else f"{name}, {queries} queries scaled up"
        rows.append({"what": what, "d": d, "unit": "our time", **spread(taken)})
        if name == "PyKeOps":
            rows[-1]["aim"] = 50
        show(rows[-1])
    return rows


def show(row: dict[str, Any]) -> None:
    sizes = f"{row['median']:9.3f}"
    if "least" in row:
        sizes += f"  ({row['least']:.3f} .. {row['largest']:.3f})"
    aim = f"   aim {row['aim']}" if row.get("aim") else ""
    print(f"{row['what']:52} d {row['d']:5}  {sizes} x {row['unit']}{aim}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=20000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--guard", action="store_true", help="ratios to the product alone; 1 where one is too large")
    options = parser.parse_args()
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        if os.environ.pop(name, None) is not None:
            raise SystemExit(f"found {name} set; expected it unset, for it slows the product; unset it")
    blas = [f"{info.get('internal_api')} {info.get('architecture', '')}".strip() for info in threadpool_info()]
    print(f"n {options.n}, {os.cpu_count()} cores, {', '.join(blas)}; products: {', '.join(supported())}")
    limits = LIMITS.get(torch.backends.cpu.get_cpu_capability(), {})
    if options.guard and not limits:
        known = ", ".join(LIMITS)
        raise SystemExit(f"found a processor with neither of {known}; expected one of them; run without --guard")
    widths, kinds = (tuple(limits), ("float32",)) if options.guard else (FEATURES, supported())
    rows = against_product(options.n, options.repeats, widths, kinds)
    if options.guard:
        slow = [row for row in rows if row["what"] == "sums, float32" and row["median"] > limits[row["d"]]]
        if slow:
            found = ", ".join(f"{row['median']:.3f} at d = {row['d']} (limit {limits[row['d']]})" for row in slow)
            raise SystemExit(f"float32 sums take more of a plain product than they may: {found}")
        return
    rows += gradients(options.n, options.repeats) + peers(options.n, options.queries)
    keys = ("what", "d", "unit", "median", "least", "largest", "aim")
    write(
        Path(__file__).parent / "results" / "speed.csv",
        [{"n": options.n, **{key: row.get(key) for key in keys}} for row in rows],
    )


if __name__ == "__main__":
    main()
