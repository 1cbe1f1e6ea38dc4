"""Kernel sums on a GPU: correctness first, then speed against cuBLAS and KeOps.

    python -m benchmarks.kernels.gpu [--n 65536] [--repeats 5]

Makes its own data. Every precision is held against the float64 oracle on the same rounded rows, of many rows a sample
of 257, as benchmarks/kernels/correct.py does on the CPU; no time is taken where one is wrong. Then, for d = 64, 512 and
2048: the time of the sums over that of cuBLAS's plain full product of the same rows in the same precision (blocked,
never written out as a whole), the multiply-adds a second of the pairs that were computed once, as a share of the peak
that cuBLAS reaches on this card, and PyKeOps on a part of the queries, scaled up. Times include the upload of the rows;
the first call, which compiles, is left out. Results are appended as they come. Needs one CUDA device of compute
capability 8.0 or later.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product as product_of
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import Array, append, machine
from benchmarks.kernels.correct import KINDS, RANKS, by_products, made, oracle
from dataaudit_kernels import rbf_triton, reference
from dataaudit_kernels.layers import GradientFactors
from dataaudit_kernels.packing import centre_of, unit_of
from dataaudit_kernels.triton_plan import GRADIENT_PRECISIONS, PRECISIONS
from dataaudit_kernels.triton_rows import rounded

FEATURES = (64, 512, 2048)
SAMPLED = 257
"""Rows, of more, that are held against float64."""
RANKED = 5000
"""Number of rows at which ranks are compared: with few, ties that rounding breaks weigh too much."""
PEAKS = {
    "H200": {"bfloat16": 989, "float16": 989, "tf32": 495, "tf32x3": 495 / 3, "float32": 67},
    "H100": {"bfloat16": 989, "float16": 989, "tf32": 495, "tf32x3": 495 / 3, "float32": 67},
    "A100": {"bfloat16": 312, "float16": 312, "tf32": 156, "tf32x3": 52, "float32": 19.5},
}
"""Dense TFLOP/s of the data sheets (NVIDIA H200 and H100 SXM, A100); three products for "tf32x3"."""
PRODUCT = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def correct(
    sizes: tuple[int, ...], features: tuple[int, ...], kinds: Sequence[str] = KINDS
) -> Iterator[list[dict[str, Any]]]:
    """Largest error as a share of what is allowed, by precision and kind of rows; equal bits twice. A kind at a time.

    Of many rows a sample is held against the oracle on the same rounded rows, and the ranks of all of them against
    that on the rows as they are, which all precisions share.
    """
    for kind in kinds:
        worst: dict[str, dict[str, Any]] = {
            precision: {"used": 0.0, "ranks": 0.0, "same_bits": True} for precision in PRECISIONS
        }
        for n, d in product_of(sizes, features):
            x, labels, h = made(kind, n, d)
            exact = oracle(x, labels, h) if n == RANKED else None
            for precision, known in worst.items():
                found = rbf_triton.rbf_sums(x, labels, h, precision=precision)
                again = rbf_triton.rbf_sums(x, labels, h, precision=precision)
                known["same_bits"] &= np.array_equal(found, again)
                known["used"] = max(known["used"], share(found, as_rounded(x, h, precision), labels, h))
                if exact is not None:
                    known["ranks"] = max(known["ranks"], *(distance(*pair) for pair in zip(found, exact, strict=True)))
        yield [of_kind(kind, precision, **known) for precision, known in worst.items()]
    yield gradients()
    yield others()


def of_kind(kind: str, precision: str, used: float, ranks: float, same_bits: bool) -> dict[str, Any]:
    """Line of the results."""
    allowed = RANKS.get(precision, 1e-6 if precision == "tf32x3" else None)
    short = allowed is not None and precision != "bfloat16" and ranks > allowed
    return {
        "precision": precision,
        "kind": kind,
        "error_over_allowed": used,
        "one_minus_rho": ranks,
        "same_bits": same_bits,
        "wrong": used > 1 or not same_bits or short,
    }


def gradients() -> list[dict[str, Any]]:
    """The same of per-example gradients of linear layers."""
    rows = []
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
            rows.append(of_kind(f"gradients {sizes_of}", precision, used, 0.0, np.array_equal(found, again)))
    return rows


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
        rows.append(of_kind(kind, "tf32x3", error / allowed, 0.0, np.array_equal(found, again)))
    return rows


def as_rounded(x: Array, h: float, precision: str) -> Array:
    single = torch.from_numpy((x - centre_of(x)) / unit_of(h)).float()
    return np.asarray(rounded(single, precision).double().numpy() * unit_of(h))


def share(found: tuple[Array, Array], rows: Array, labels: Array, h: float) -> float:
    """Largest error as a share of what is allowed, of a sample where there are many rows."""
    radius = np.linalg.norm(rows - rows.mean(0), axis=1).max()
    if len(rows) <= SAMPLED:
        chosen, wanted = np.arange(len(rows)), oracle(rows, labels, h)
    else:
        chosen = np.random.default_rng(0).choice(len(rows), SAMPLED, replace=False)
        wanted = by_products(rows, labels, h, chosen)
    used = 0.0
    for ours, theirs in zip(found, wanted, strict=True):
        allowed = 2e-6 * (1 + radius**2 / h**2) * theirs + 1e-30 * len(rows)
        used = max(used, float((np.abs(ours[chosen] - theirs) / allowed).max()))
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


def speed(n: int, repeats: int, queries: int, peer: bool) -> Iterator[dict[str, Any]]:
    """Times, precision by precision."""
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
            yield {
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
            torch.cuda.empty_cache()


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
    parser.add_argument("--dry", action="store_true", help="the least that runs through, also in the interpreter")
    options = parser.parse_args()
    print(rbf_triton.device_name(rbf_triton.find_device()), flush=True)
    sizes: tuple[int, ...] = (1, 257, 5000)
    features: tuple[int, ...] = (1, 64, 784, 3072)
    kinds: Sequence[str] = KINDS
    if options.quick:
        sizes, features = (1, 2, 63, 257), (1, 20, 64)
    if options.dry:
        sizes, features, kinds = (63,), (20,), KINDS[:1]
    few = options.quick or options.dry
    wrong = False
    for found in correct(sizes, features, kinds):
        keep("gpu_correct.csv", found, few)
        wrong |= any(row["wrong"] for row in found)
    if wrong:
        print("WRONG: no times are taken")
        return 1
    if not few:
        for row in speed(options.n, options.repeats, options.queries, not options.no_keops):
            keep("gpu_speed.csv", [{"n": options.n, **row}], few)
    return 0


def keep(name: str, rows: list[dict[str, Any]], shown_only: bool) -> None:
    """Print lines, and append them to a file of results unless they are only to be shown."""
    for row in rows:
        print(
            " ".join(
                f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()
            ),
            flush=True,
        )
    if not shown_only:
        lines = [{"device": rbf_triton.device_name(), **row, **machine()} for row in rows]
        append(Path(__file__).parent / "results" / name, list(lines[0]), lines)


if __name__ == "__main__":
    sys.exit(main())
