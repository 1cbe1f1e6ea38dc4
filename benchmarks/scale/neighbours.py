"""Neighbour graphs of many rows: time, recall and anonymous memory of every index.

    python -m benchmarks.scale.neighbours FOLDER

makes memory-mapped .npy files in FOLDER where they are missing, builds the graph of 50 neighbours of each, in a process
of its own, and writes results/neighbours.csv. Data, float32:

clustered   one of n / 1000 centres, Gaussian with standard deviation 1 in every feature, plus a Gaussian of 12
            dimensions in directions of the centre's own (standard deviation .7 each), plus noise of .05
isotropic   a standard Gaussian: no cell or graph can leave much out, the worst case

Recall is what the library measures and records: of 1000 rows, the share of neighbours that are no further than the true
50th. A cell that is bound to take longer than --limit seconds, judged by the time of the next smaller one (times the
ratio of rows, squared for all pairs), is not run, and the bound is written in its place with ">". Core seconds, of all
cores together, stand beside seconds of the clock: on a machine that does other things, they are what counts. "exact"
(all pairs by FAISS) and "ivf" run on a CUDA device where FAISS has one, as the table says; "torch" compares all pairs
on the CPU. "faiss ivf", named behind "ivf", is FAISS's own
search, on the CPU, of as many cells with as many probes: its rows are in memory, and no distances are computed again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from dataaudit.neighbours.candidates import SLACK
from dataaudit.neighbours.cells import PER_CELL
from dataaudit.representations.spaces import Space

RESULTS = Path(__file__).parent / "results/neighbours.csv"
MIB = 2**20
BLOCK = 50_000
INNER = 12
DEPTH = 50
FAISS_IVF = "faiss ivf"
TORCH = "torch"
RECALL = {"exact": "1", TORCH: "1", FAISS_IVF: "as ivf"}
"""Of indices whose recall is not measured."""


def make(folder: Path, data: str, n: int, d: int) -> Path:
    """File of the rows."""
    path = folder / f"{data}-{n}-{d}.npy"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    made = np.lib.format.open_memmap(partial, "w+", np.float32, (n, d))
    rng = np.random.default_rng(0)
    count = max(1, n // 1000)
    centres = rng.standard_normal((count, d), np.float32)
    directions = rng.standard_normal((count, INNER, d), np.float32) * np.float32(0.7 / d**0.5)
    for first in range(0, n, BLOCK):
        rng = np.random.default_rng([1, first])
        size = min(BLOCK, n - first)
        if data == "isotropic":
            made[first : first + size] = rng.standard_normal((size, d), np.float32)
            continue
        own = rng.integers(count, size=size)
        inner = rng.standard_normal((size, INNER), np.float32) * np.float32(d**0.5)
        block = centres[own] + np.float32(0.05) * rng.standard_normal((size, d), np.float32)
        for k in range(INNER):
            block += inner[:, k, None] * directions[own, k]
        made[first : first + size] = block
    made.flush()
    partial.rename(path)
    return path


def anonymous() -> int:
    """Bytes of this process's anonymous memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell RssAnon in /proc/self/status")


def child(path: Path, index: str) -> None:
    """Build the graph of the file at `path` and print what it took, as JSON."""
    from dataaudit.neighbours.compute import neighbour_graph
    from dataaudit.neighbours.graph import NeighbourNeed
    from dataaudit.neighbours.search import Faiss, Torch

    need, search = NeighbourNeed(Space("input"), depth=DEPTH), Torch() if index == TORCH else Faiss(index)
    rows = np.load(path, mmap_mode="r")
    # Imports and compilation first.
    neighbour_graph(need, rows[:2000], {}, search, 0, False)
    before, peak, done = anonymous(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    core, clock = time.process_time(), time.perf_counter()
    graph = neighbour_graph(need, rows, {}, search, 0, False)
    core, clock = time.process_time() - core, time.perf_counter() - clock
    done.set()
    watcher.join()
    print(json.dumps({**graph.settings, "core": core, "clock": clock, "before": before, "peak": peak}))


def peer(path: Path, probes: int) -> None:
    """The same neighbours by FAISS's own IndexIVFFlat, with as many cells and probes, and print what it took."""
    import faiss

    rows = np.load(path)
    rows -= rows.mean(0)
    before, (n, d) = anonymous(), rows.shape
    core, clock = time.process_time(), time.perf_counter()
    cells = round(4 * n**0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(d), d, cells)
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, PER_CELL
    index.train(rows[np.random.default_rng(0).choice(n, min(n, PER_CELL * cells), replace=False)])
    index.add(rows)
    index.nprobe = probes
    index.search(rows, DEPTH + SLACK)
    core, clock = time.process_time() - core, time.perf_counter() - clock
    told = {"device": "cpu", "cells": cells, "probes": probes, "before": before, "peak": anonymous()}
    print(json.dumps({**told, "core": core, "clock": clock}))


def cell(path: Path, index: str, probes: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale.neighbours", str(path), "--child", index]
    command += ["--probes", str(probes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{path.name} {index}: {told['clock']:.1f} s by the clock, {told['core']:.1f} of all cores", flush=True)
    return told


def main() -> None:
    """Run every cell that fits the limit, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000, 1_000_000])
    parser.add_argument("--features", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--data", nargs="+", default=["clustered", "isotropic"])
    parser.add_argument("--indices", nargs="+", default=["exact", TORCH, "ivf", FAISS_IVF])
    parser.add_argument("--limit", type=float, default=600.0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--probes", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child == FAISS_IVF:
        peer(arguments.folder, arguments.probes)
        return
    if arguments.child:
        child(arguments.folder, arguments.child)
        return
    found: list[dict[str, Any]] = []
    probes: dict[Any, int] = {}
    for data in arguments.data:
        for d in arguments.features:
            for index in arguments.indices:
                before = 0
                seconds = 0.0
                for n in sorted(arguments.rows):
                    seconds *= (n / before) ** (2 if index in ("exact", TORCH) else 1) if before else 0.0
                    before = n
                    row = {"data": data, "n": n, "d": d, "index": index}
                    if seconds > arguments.limit:
                        empty = dict.fromkeys(("core_seconds", "recall", "mib", "device", "options"), "")
                        found.append({**row, "seconds": f">{seconds:.0f}", **empty})
                        continue
                    told = cell(make(arguments.folder, data, n, d), index, probes.get((data, n, d), 0))
                    if index == "ivf":
                        probes[data, n, d] = told["probes"]
                    seconds = told["clock"]
                    known = ("cells", "trained_on", "probes", "links")
                    options = " ".join(f"{name}={told[name]}" for name in known if name in told)
                    found.append(
                        {
                            **row,
                            "seconds": f"{seconds:.1f}",
                            "core_seconds": f"{told['core']:.1f}",
                            "recall": RECALL[index] if index in RECALL else f"{told['recall']:.4f}",
                            "mib": f"{(told['peak'] - told['before']) / MIB:.0f}",
                            "device": told["device"],
                            "options": options,
                        }
                    )
    common.table(list(found[0]), [list(row.values()) for row in found])
    common.write(arguments.results, found)


if __name__ == "__main__":
    main()
