"""Kernel sums on a GPU: correctness first, then speed against cuBLAS and KeOps.

    python -m benchmarks.kernels.gpu [--n 65536] [--repeats 5]

Makes its own data. Every precision is held against the float64 oracle on the same rounded rows, as
benchmarks/kernels/correct.py does on the CPU; no time is shown where one is wrong. Then, for d = 64, 512 and 2048: the
time of the sums over that of cuBLAS's plain full product of the same rows in the same precision (blocked, never written
out as a whole), the multiply-adds a second of the pairs that were computed once, as a share of the peak that
cuBLAS reaches on this card, and PyKeOps on a part of the queries, scaled up. Times include the upload of the rows; the
first call, which compiles, is left out. Needs one CUDA device of compute capability 8.0 or later.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import Array, table, write
from benchmarks.kernels.correct import KINDS, RANKS, made, oracle
from dataaudit_kernels import rbf_triton, reference
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import centre_of, unit_of
from dataaudit_kernels.triton_plan import GRADIENT_PRECISIONS, PRECISIONS
from dataaudit_kernels.triton_rows import rounded

FEATURES = (64, 512, 2048)
RANKED = 5000
"""Number of rows at which ranks are compared: with few, ties that rounding breaks weigh too much."""
PEAKS = {
    "H200": {"bfloat16": 989, "float16": 989, "tf32": 495, "tf32x3": 495 / 3, "float32": 67},
    "H100": {"bfloat16": 989, "float16": 989, "tf32": 495, "tf32x3": 495 / 3, "float32": 67},
    "A100": {"bfloat16": 312, "float16": 312, "tf32": 156, "tf32x3": 52, "float32": 19.5},
}
"""Dense TFLOP/s of the data sheets (NVIDIA H200 and H100 SXM, A100); three products for "tf32x3"."""
PRODUCT = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def correct(sizes: tuple[int, ...], features: tuple[int, ...]) -> list[dict[str, Any]]:
    """Largest error as a share of what is allowed, by precision and kind of rows; equal bits twice."""
    rows = []
    for precision in PRECISIONS:
        for kind in KINDS:
            used, ranks, same_bits = 0.0, 0.0, True
            for n in sizes:
                for d in features:
                    x, labels, h = made(kind, n, d)
                    found = rbf_triton.rbf_sums(x, labels, h, precision=precision)
                    same_bits &= np.array_equal(found, rbf_triton.rbf_sums(x, labels, h, precision=precision))
                    used = max(used, share(found, as_rounded(x, h, precision), labels, h))
                    if n == RANKED:
                        ranks = max(ranks, *(distance(*pair) for pair in zip(found, oracle(x, labels, h), strict=True)))
            allowed = RANKS.get(precision, 1e-6 if precision == "tf32x3" else None)
            wrong = used > 1 or not same_bits or (allowed is not None and precision != "bfloat16" and ranks > allowed)
            rows.append(
                {
                    "precision": precision,
                    "kind": kind,
                    "error_over_allowed": used,
                    "one_minus_rho": ranks,
                    "same_bits": same_bits,
                    "wrong": wrong,
                }
            )
    rng = np.random.default_rng(0)
    for precision in GRADIENT_PRECISIONS:
        for sizes_of in ([(10, 64, True)], [(10, 64, False)], [(3, 5, True), (7, 33, False), (1, 1, True)]):
            layers = [
                GradientFactors(rng.normal(size=(500, p)).astype("f"), rng.normal(size=(500, q)).astype("f"), bias)
                for p, q, bias in sizes_of
            ]
            labels, written = rng.integers(4, size=500), reference.written_out(layers)
            found = rbf_triton.gradient_rbf_sums(layers, labels, 15.0, precision=precision)
            again = rbf_triton.gradient_rbf_sums(layers, labels, 15.0, precision=precision)
            used = share(found, written, labels, 15.0)
            rows.append(
                {
                    "precision": precision,
                    "kind": f"gradients {sizes_of}",
                    "error_over_allowed": used,
                    "one_minus_rho": 0.0,
                    "same_bits": np.array_equal(found, again),
                    "wrong": used > 1 or not np.array_equal(found, again),
                }
            )
    return rows + others()


def others() -> list[dict[str, Any]]:
    """Queries against references, and rows whose sums underflow float32: errors over 1e-5 and 1e-3 of all sums."""
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(700, 20)), rng.integers(5, size=700)
    rows = []
    for kind, part, h, allowed in (("references", slice(150), 3.0, 1e-5), ("underflow", slice(None), 0.3, 1e-3)):
        pair = (x, labels) if kind == "references" else (None, None)
        found = rbf_triton.rbf_sums(x[part], labels[part], h, *pair)
        again = rbf_triton.rbf_sums(x[part], labels[part], h, *pair)
        wanted = reference.rbf_sums(x[part], labels[part], h, *pair)
        error = max(
            float((np.abs(ours - theirs) / np.maximum(wanted[0], 1e-300)).max())
            for ours, theirs in zip(found, wanted, strict=True)
        )
        rows.append(
            {
                "precision": "tf32x3",
                "kind": kind,
                "error_over_allowed": error / allowed,
                "one_minus_rho": 0.0,
                "same_bits": np.array_equal(found, again),
                "wrong": error > allowed or not np.array_equal(found, again),
            }
        )
    return rows


def as_rounded(x: Array, h: float, precision: str) -> Array:
    single = torch.from_numpy((x - centre_of(x)) / unit_of(h)).float()
    return np.asarray(rounded(single, precision).double().numpy() * unit_of(h))


def share(found: tuple[Array, Array], rows: Array, labels: Array, h: float) -> float:
    radius = np.linalg.norm(rows - rows.mean(0), axis=1).max()
    used = 0.0
    for ours, theirs in zip(found, oracle(rows, labels, h), strict=True):
        allowed = 2e-6 * (1 + radius**2 / h**2) * theirs + 1e-30 * len(rows)
        used = max(used, float((np.abs(ours - theirs) / allowed).max()))
    return used


def distance(ours: Array, theirs: Array) -> float:
    from scipy.stats import spearmanr

    return 1 - float(spearmanr(ours, theirs).statistic) if np.ptp(theirs) > 0 else 0.0


def seconds(work: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def product(x: Array, precision: str, block: int = 8192) -> Callable[[], None]:
    """CuBLAS's full product of the rows with themselves, a block of rows at a time into one buffer."""
    torch.backends.cuda.matmul.allow_tf32 = precision in ("tf32", "tf32x3")
    rows = torch.from_numpy(x).cuda().to(PRODUCT.get(precision, torch.float32))
    out = torch.empty((block, len(rows)), dtype=rows.dtype, device="cuda")

    def work() -> None:
        for start in range(0, len(rows), block):
            part = rows[start : start + block]
            torch.matmul(part, rows.T, out=out[: len(part)])

    return work


def keops(x: Array, labels: Array, h: float, queries: int) -> Callable[[], Any]:
    from pykeops.torch import LazyTensor

    rows, given = torch.from_numpy(x).cuda(), torch.from_numpy(labels).float().cuda()[:, None]
    kernel = (-((LazyTensor(rows[:queries, None]) - LazyTensor(rows[None])) ** 2).sum(-1) / h**2).exp()
    same = 0.5 - (LazyTensor(given[:queries, None]) - LazyTensor(given[None])).abs()
    return lambda: (kernel.sum(1), (kernel * same.step()).sum(1))


def speed(n: int, repeats: int, queries: int, peer: bool) -> list[dict[str, Any]]:
    rows = []
    for d in FEATURES:
        rng = np.random.default_rng(d)
        x, labels, h = rng.normal(size=(n, d)).astype(np.float32), rng.integers(10, size=n), float(np.sqrt(2 * d) / 2)
        of_peer = float("nan")
        if peer:
            theirs_of = keops(x, labels, h, queries)
            theirs_of()
            of_peer = min(seconds(theirs_of) for _ in range(repeats)) * n / queries
        for precision in PRECISIONS:
            plain = product(x, precision)
            plain()
            sums = partial(rbf_triton.rbf_sums, x, labels, h, precision=precision)
            sums()
            ours, theirs = [], []
            for _ in range(repeats):
                theirs.append(seconds(plain))
                ours.append(seconds(sums))
            ratios = np.divide(ours, theirs)
            once = n * (n + 1) / 2 * d
            rows.append(
                {
                    "d": d,
                    "precision": precision,
                    "seconds": float(np.median(ours)),
                    "over_product": float(np.median(ratios)),
                    "least": float(ratios.min()),
                    "largest": float(ratios.max()),
                    "tera_multiply_adds": once / float(np.median(ours)) / 1e12,
                    "share_of_cublas_rate": once / float(np.median(ours)) / (n * n * d / min(theirs)),
                    "share_of_peak": 2 * once / float(np.median(ours)) / 1e12 / peak(precision),
                    "keops_over_ours": of_peer / float(np.median(ours)),
                }
            )
            torch.cuda.empty_cache()
    return rows


def peak(precision: str) -> float:
    """TFLOP/s of this card's data sheet; NaN for one that is not in `PEAKS`."""
    known = [peaks for name, peaks in PEAKS.items() if name in rbf_triton.device_name()]
    return known[0][precision] if known else float("nan")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=65536)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--queries", type=int, default=2048, help="rows that PyKeOps sums for, scaled up")
    parser.add_argument("--no-keops", action="store_true", help="where PyKeOps cannot compile")
    parser.add_argument("--quick", action="store_true", help="correctness on few rows alone, also in the interpreter")
    options = parser.parse_args()
    print(rbf_triton.device_name(rbf_triton.find_device()))
    found = correct((1, 2, 63, 257), (1, 20, 64)) if options.quick else correct((1, 257, 5000), (1, 64, 784, 3072))
    head = ["precision", "kind", "error_over_allowed", "one_minus_rho", "same_bits"]
    table(head, [[row["precision"], row["kind"], *(f"{row[key]:.3g}" for key in head[2:])] for row in found])
    if any(row["wrong"] for row in found):
        print("WRONG: no times are taken")
        return 1
    if options.quick:
        return 0
    results = Path(__file__).parent / "results"
    write(results / "gpu_correct.csv", found)
    rows = [{"device": rbf_triton.device_name(), "n": options.n, **row} for row in speed(**vars_of(options))]
    head = list(rows[0])[2:]
    table(head, [[row["d"], row["precision"], *(f"{row[key]:.3g}" for key in head[2:])] for row in rows])
    write(results / "gpu_speed.csv", rows)
    return 0


def vars_of(options: argparse.Namespace) -> dict[str, Any]:
    return {"n": options.n, "repeats": options.repeats, "queries": options.queries, "peer": not options.no_keops}


if __name__ == "__main__":
    sys.exit(main())
