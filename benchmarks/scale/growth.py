"""Time and memory of all four densities of rows on disk, by a sample, as their number grows.

    python -m benchmarks.scale.growth FOLDER [--sizes 100000 1000000] [--exact 100000] [--engines sampled cpu]

Rows float32 [n, 256] of 100 classes, with a decaying spectrum and far rows, are written to FOLDER as .npy, scored
memory-mapped through `dataaudit.score` in a process of its own, and deleted. Memory is the largest anonymous resident
memory of that process, asked for ten times a second: mapped pages are the system's to take back. The last columns are
the time that a plain matrix product of as many pairs would take at the speed measured in the same process, and how
1000 rows compare with their exact sums. Time is also given as seconds of all cores together, which other work on the
machine hardly changes. `--exact` sums all pairs of data sets up to that size as well, by the engines that are named
beside "sampled": "cpu", "cpu bfloat16", or "triton" and "triton bfloat16" on a CUDA device.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Array, table, write
from dataaudit_kernels.agreement import SCORES, spearman

SIZES = (100_000, 300_000, 1_000_000, 2_000_000, 4_000_000)
FEATURES, CLASSES = 256, 100
CHECKED = 1000
"""Rows whose exact sums are taken."""

BLOCK = 50_000


def make(path: Path, n: int) -> Array:
    """Write n rows; give their labels."""
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, FEATURES + 1) ** -0.4
    centres = rng.normal(size=(CLASSES, FEATURES)) * spectrum * 0.7
    labels = rng.integers(CLASSES, size=n)
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n, FEATURES))
    for start in range(0, n, BLOCK):
        part = labels[start : start + BLOCK]
        spread = np.exp(0.3 * rng.normal(size=(len(part), 1)))
        noise = rng.standard_normal((len(part), FEATURES), np.float32)
        rows[start : start + len(part)] = centres[part] + spread * spectrum * noise
    rows.flush()
    return labels


def anonymous() -> float:
    """Anonymous resident memory, GiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 2**20
    raise SystemExit("found no RssAnon in /proc/self/status; expected Linux; run it there")


@contextmanager
def watched() -> Iterator[list[float]]:
    """Largest anonymous memory while the block runs."""
    largest, over = [anonymous()], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            largest[0] = max(largest[0], anonymous())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield largest
    finally:
        over.set()
        thread.join()


def speed(engine: str) -> float:
    """GFLOP/s of a plain float32 matrix product: on the device, or on all cores, a product of its own on each."""
    from concurrent.futures import ThreadPoolExecutor

    if engine.startswith("triton"):
        return device_speed()

    cores = len(os.sched_getaffinity(0))
    x = np.random.default_rng(0).normal(size=(4096, FEATURES)).astype(np.float32)
    outs = [np.empty((4096, 4096), np.float32) for _ in range(cores)]
    with ThreadPoolExecutor(cores) as pool:
        best = 0.0
        for _ in range(4):
            start = time.perf_counter()
            list(pool.map(lambda out: np.matmul(x, x.T, out=out), outs))
            best = max(best, cores * 2 * 4096 * 4096 * FEATURES / (time.perf_counter() - start) / 1e9)
    return best


def device_speed() -> float:
    """The same of a CUDA device."""
    import torch

    x = torch.randn((16384, FEATURES), device="cuda")
    out = torch.empty((16384, 16384), device="cuda")
    best = 0.0
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        torch.matmul(x, x.T, out=out)
        torch.cuda.synchronize()
        best = max(best, 2 * 16384 * 16384 * FEATURES / (time.perf_counter() - start) / 1e9)
    return best


def engine_of(name: str, tolerance: float) -> Any:
    """Engine by the name of its row."""
    from dataaudit.density.exact import CpuEngine, TritonEngine
    from dataaudit.density.sampled import SampledEngine

    kind, _, precision = name.partition(" ")
    if kind == "sampled":
        return SampledEngine(tolerance)
    made = {"cpu": CpuEngine, "triton": TritonEngine}[kind]
    return made(precision=precision) if precision else made()


def truth(rows: Array, labels: Array, chosen: Array, h: float) -> tuple[Array, Array]:
    """Exact sums (other, same) of the chosen rows, block by block in float64."""
    centre = np.asarray(rows[:BLOCK], np.float64).mean(0)
    mine = rows[chosen].astype(np.float64) - centre
    squares = (mine**2).sum(1)
    other, same = np.zeros(len(chosen)), np.zeros(len(chosen))
    for start in range(0, len(rows), 4000):
        theirs = rows[start : start + 4000].astype(np.float64) - centre
        kernel = np.exp(-np.maximum(squares[:, None] + (theirs**2).sum(1) - 2 * mine @ theirs.T, 0.0) / h**2)
        inside = np.flatnonzero((chosen >= start) & (chosen < start + len(theirs)))
        kernel[inside, chosen[inside] - start] = 0.0
        alike = labels[chosen][:, None] == labels[start : start + len(theirs)]
        own = (kernel * alike).sum(1)
        same += own
        other += kernel.sum(1) - own
    return other, same


def child(path: str, engine: str, tolerance: float) -> None:
    import dataaudit
    from dataaudit.density.sampled import SampledEngine

    rows = np.load(path, mmap_mode="r")
    labels = np.load(path.replace(".npy", ".labels.npy"))
    names = [f"{name}/input" for name in SCORES]
    gflops, all_pairs = speed(engine), engine != "sampled"
    chosen_engine = engine_of(engine, tolerance)
    # Compilation first.
    small, warm = rows[:3000], chosen_engine if all_pairs else SampledEngine(None, 512)
    dataaudit.score(None, (small, labels[:3000]), names, engine=warm, progress=False)
    before = anonymous()
    with watched() as largest:
        start, busy = time.perf_counter(), time.process_time()
        audit = dataaudit.score(None, (rows, labels), names, engine=chosen_engine, progress=False)
        taken, busy = time.perf_counter() - start, time.process_time() - busy
    how = audit.settings["density"][names[0]][0]
    n = len(rows)
    counts = np.bincount(labels)
    within = float((counts.astype(np.float64) ** 2).sum()) / 2
    if all_pairs:
        sample, pairs = n, n * n / 2
    else:
        sample = how["sample"]
        sampled = counts > how["exact_class"]
        within = float((counts[~sampled].astype(np.float64) ** 2).sum()) / 2 + float(counts[sampled].sum()) * sample
        pairs = n * sample + within
    row: dict[str, Any] = {
        "n": n,
        "engine": engine,
        "device": how.get("device", "cpu"),
        "sample": sample,
        "exact_class": how.get("exact_class", n),
        "directions": how.get("directions", 0),
        "seconds": round(taken, 1),
        "core_seconds": round(busy, 1),
        "sums_seconds": round(audit.timings["density"], 1),
        "product_seconds": round(pairs * 2 * FEATURES / gflops / 1e9, 1),
        "gflops": round(gflops, 1),
        "anonymous_gib": round(largest[0], 2),
        "before_gib": round(before, 2),
        "load": round(os.getloadavg()[0], 1),
    }
    chosen = np.sort(np.random.default_rng(9).choice(n, CHECKED, replace=False))
    other, same = truth(rows, labels, chosen, how["bandwidth"])
    scale = {"density": n, "class_density": n, "relative_density": n, "parzen": 1}
    for name, score in SCORES.items():
        exact = score(other, same) / scale[name]
        found = np.asarray(audit.scores[f"{name}/input"])[chosen]
        row[f"apart {name}"] = 1 - spearman(found, exact)
        if not all_pairs:
            row[f"estimated {name}"] = 1 - how["spearman"][name]
            known = audit.uncertainty(f"{name}/input").iloc[chosen]
            if (known["stderr"] > 0).any():
                row[f"covered {name}"] = float(((known.lower <= exact) & (exact <= known.upper)).mean())
    print(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--exact", type=int, default=0, help="most rows of which all pairs are summed")
    parser.add_argument("--engines", nargs="+", default=["sampled", "cpu"])
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--results", default="growth.csv")
    parser.add_argument("--child", default="")
    options = parser.parse_args()
    if options.child:
        child(options.folder, options.child, options.tolerance)
        return
    rows: list[dict[str, Any]] = []
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    for n in options.sizes:
        path = Path(options.folder) / f"rows{n}.npy"
        try:
            np.save(str(path).replace(".npy", ".labels.npy"), make(path, n))
            for engine in options.engines:
                if engine != "sampled" and n > options.exact:
                    continue
                command = [sys.executable, "-m", "benchmarks.scale.growth", str(path), "--child", engine]
                command += ["--tolerance", str(options.tolerance)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                rows.append(json.loads(done.stdout.splitlines()[-1]))
                print(json.dumps(rows[-1]), flush=True)
        finally:
            path.unlink(missing_ok=True)
            Path(str(path).replace(".npy", ".labels.npy")).unlink(missing_ok=True)
    head = list(dict.fromkeys(key for row in rows for key in row))
    shown = [key for key in head if key[:3] not in ("est", "cov")]
    table(shown, [[f"{row[k]:.2g}" if k[:5] == "apart" else row.get(k, "") for k in shown] for row in rows])
    rows = [{key: row.get(key, "") for key in head} for row in rows]
    write(Path(__file__).parent / "results" / options.results, rows)


if __name__ == "__main__":
    main()
