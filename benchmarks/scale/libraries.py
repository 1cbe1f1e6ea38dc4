"""Neighbour graphs by IVF, pynndescent and FAISS's HNSW, side by side: time, memory and recall.

    python -m benchmarks.scale.libraries FOLDER [--cases fashion far-100000-64] [--engines ivf 'package 20 0.01']

Each case and engine runs in a process of its own, and a line is appended to results/libraries.csv as soon as it is
done, under a number for all that one command measured, or that was measured on the same machine right after it (--run):
compare lines of one number. Every engine finds 66 candidates of each row, the row itself among them (50 neighbours and
the slack that a graph of ours has). Data, float32:

fashion       60000 x 784 pixels of Fashion-MNIST (--images)
clustered     as in benchmarks.scale.neighbours
isotropic     as there: no cell or graph can leave much out
far           clustered, a hundredth of the rows multiplied by 30 to 1000

ivf, pynndescent      the library's, IVF with links from 200000 rows on; their time holds distances in float64 and a
                      check of recall
hnsw                  FAISS's, built on all threads, effort raised until .96 of the neighbours of 256 rows are found
hnsw on one thread    an index that the library had up to 31d72e9, built so that it is the same every time; time as
                      that of "ivf"
package C D           `NNDescent(n_neighbors=66, max_candidates=C, delta=D).neighbor_graph` of pynndescent, whose own
                      choices are 60 and 0.001
package, queries      `NNDescent(n_neighbors=30)`, prepared, and 66 neighbours of each row asked of it, with epsilon
                      raised as the effort of "hnsw"; at 751b165 on one thread, with epsilon .1

Recall is the share, of 1000 rows, of the 10 and of the 50 nearest others that were found, by distances in float64; MiB
is the most anonymous memory beyond what the process had before, rows that an engine needs in memory included. Seconds
of the processor stand beside those of the clock. Imports, compilation and a first run, on 6000 rows, come before, and
stand apart (first_core_seconds).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from benchmarks.scale.neighbours import BLOCK, MIB, anonymous, make
from dataaudit.neighbours.search import NeighbourSearch, PyNNDescent, resolve

RESULTS = Path(__file__).parent / "results/libraries.csv"
DEPTH, WIDE = 50, 66
CHECKED, DEPTHS = 1000, (10, 50)
WANTED, TRIED = 0.96, 256
CASES = ["fashion", "clustered-100000-64", "isotropic-100000-64", "far-100000-64", "clustered-200000-384"]
CASES += ["clustered-1000000-64"]
ENGINES = ["ivf", "pynndescent", "hnsw"]
PACKAGE, QUERIES = "package ", "package, queries"


def rows_of(folder: Path, case: str, images: str) -> Path:
    """File of the rows of a case."""
    if case == "fashion":
        path = folder / "fashion.npy"
        if not path.exists():
            np.save(path, common.fashion(images, 60000)[0].reshape(60000, -1).astype(np.float32))
        return path
    data, n, d = case.split("-")
    if data != "far":
        return make(folder, data, int(n), int(d))
    path = folder / f"{case}.npy"
    if not path.exists():
        rows = np.array(np.load(make(folder, "clustered", int(n), int(d)), mmap_mode="r"))
        rng = np.random.default_rng(2)
        far = rng.choice(len(rows), len(rows) // 100, replace=False)
        rows[far] *= np.exp(rng.uniform(np.log(30), np.log(1000), (len(far), 1))).astype(np.float32)
        np.save(path, rows)
    return path


def ours(search: str | NeighbourSearch, mapped: Any) -> tuple[Any, dict[str, Any]]:
    from dataaudit.neighbours.compute import neighbour_graph
    from dataaudit.neighbours.graph import NeighbourNeed
    from dataaudit.representations.spaces import Space

    graph = neighbour_graph(NeighbourNeed(Space("input"), depth=DEPTH), mapped, {}, resolve(search), 0, False)
    told = graph.settings
    known = ("cells", "probes", "links", "n_neighbors", "max_candidates", "delta", "compared_with_all")
    return graph.indices, {name: told[name] for name in known if name in told}


def hnsw(mapped: Any) -> tuple[Any, dict[str, Any]]:
    import faiss

    rows = np.array(mapped)
    index = faiss.IndexHNSWFlat(rows.shape[1], 32)
    index.add(rows)
    tried, edges = trials(rows)
    effort, reached = WIDE, 0.0
    while reached < WANTED:
        index.hnsw.efSearch = effort
        reached = float((index.search(tried, WIDE)[0] <= edges).mean())
        effort = round(effort * 2**0.5)
    return index.search(rows, WIDE)[1], {"links": 32, "effort": index.hnsw.efSearch}


def trials(rows: Any) -> tuple[Any, Any]:
    """Some rows, and how far squared the true neighbours of each lie, as far as float32 tells."""
    import faiss

    tried = rows[np.sort(np.random.default_rng(1).choice(len(rows), min(len(rows), TRIED), replace=False))]
    return tried, faiss.knn(tried, rows, WIDE)[0][:, -1:] * (1 + 1e-5)


def package(candidates: int, delta: float, mapped: Any) -> tuple[Any, dict[str, Any]]:
    from pynndescent import NNDescent

    rows, options = np.array(mapped), {"max_candidates": candidates, "delta": delta}
    return NNDescent(rows, n_neighbors=WIDE, random_state=0, **options).neighbor_graph[0], {"n_neighbors": WIDE}


def queries_of_package(mapped: Any) -> tuple[Any, dict[str, Any]]:
    from pynndescent import NNDescent

    rows = np.array(mapped)
    index = NNDescent(rows, random_state=0, parallel_batch_queries=True)
    index.prepare()
    tried, edges = trials(rows)
    epsilon = 0.1
    while float((index.query(tried, k=WIDE, epsilon=epsilon)[1] ** 2 <= edges).mean()) < WANTED:
        epsilon += 0.05
    return index.query(rows, k=WIDE, epsilon=epsilon)[0], {"n_neighbors": 30, "epsilon": round(epsilon, 2)}


def run_of(engine: str) -> Callable[[Any], tuple[Any, dict[str, Any]]]:
    """What finds the graph of rows [n, d]: candidates [n, 66] or neighbours [n, 50], and what was chosen."""
    if engine == QUERIES:
        return queries_of_package
    if engine.startswith(PACKAGE):
        candidates, delta = engine.removeprefix(PACKAGE).split()
        return partial(package, int(candidates), float(delta))
    return hnsw if engine == "hnsw" else partial(ours, resolve(engine))


def recalls(mapped: Any, found: Any) -> dict[str, float]:
    """Shares of the nearest others of some rows that are as near as the true ones, by depth."""
    n = len(mapped)
    chosen = np.sort(np.random.default_rng(5).choice(n, min(n, CHECKED), replace=False))
    queries = np.asarray(mapped[chosen], np.float64)
    most = max(DEPTHS)
    edges = np.full((len(chosen), 0), np.inf)
    for first in range(0, n, BLOCK):
        block = np.asarray(mapped[first : first + BLOCK], np.float64)
        squares = (queries**2).sum(1)[:, None] + (block**2).sum(1) - 2 * queries @ block.T
        inside = np.flatnonzero((chosen >= first) & (chosen < first + len(block)))
        squares[inside, chosen[inside] - first] = np.inf
        edges = np.partition(np.concatenate([edges, squares], 1), most - 1, axis=1)[:, :most]
    edges.sort(1)
    shares: dict[str, list[float]] = {f"recall_{depth}": [] for depth in DEPTHS}
    for query, row, edge, near in zip(queries, chosen, edges, np.asarray(found)[chosen], strict=True):
        others = near[(near >= 0) & (near != row)]
        apart = np.sort(((np.asarray(mapped[np.sort(others)], np.float64) - query) ** 2).sum(1))
        # Expanded squares are off by their rounding.
        room = 1e-9 * ((query**2).sum() + edge)
        for depth in DEPTHS:
            shares[f"recall_{depth}"].append((apart[:depth] <= (edge + room)[depth - 1]).sum() / depth)
    return {name: float(np.mean(values)) for name, values in shares.items()}


def compile_all(engine: str, rows: Any) -> None:
    """Run the engine on some rows, so that nothing is compiled later."""
    run_of(engine)(rows[:6000])
    if engine == "pynndescent":
        # Few neighbours of rows without structure are found at first, and the search goes on.
        ours(PyNNDescent(recall=1.0), np.random.default_rng(0).normal(size=(6000, rows.shape[1])).astype(np.float32))


def child(path: Path, engine: str) -> None:
    """Build the graph of the file at `path`, and print what it took, as JSON."""
    rows = np.load(path, mmap_mode="r")
    compile_all(engine, rows)
    first = time.process_time()
    before, peak, done = anonymous(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    core, clock = time.process_time(), time.perf_counter()
    found, options = run_of(engine)(rows)
    core, clock = time.process_time() - core, time.perf_counter() - clock
    done.set()
    watcher.join()
    told = {"core": core, "clock": clock, "first": first, "mib": (peak - before) / MIB, "options": options}
    print(json.dumps({**told, **recalls(rows, found)}))


def main() -> None:
    """Run every case by every engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--images", default=common.FASHION)
    parser.add_argument("--run", type=int, help="number to go on with, on the same machine")
    parser.add_argument("--limit", type=float, default=1500.0, help="most seconds of a process")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.folder, arguments.child)
        return
    for engine in arguments.engines:
        run_of(engine)
    number = arguments.run or 1 + max((int(line["run"]) for line in common.kept(RESULTS)), default=0)
    for case in arguments.cases:
        path = rows_of(arguments.folder, case, arguments.images)
        for engine in arguments.engines:
            command = [sys.executable, "-m", "benchmarks.scale.libraries", str(path), "--child", engine]
            row: dict[str, Any] = {"run": number, "data": case, "engine": engine}
            try:
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=arguments.limit)
            except subprocess.TimeoutExpired:
                row |= {"seconds": f">{arguments.limit:.0f}"}
            else:
                told = json.loads(done.stdout.splitlines()[-1])
                row |= {"seconds": f"{told['clock']:.1f}", "core_seconds": f"{told['core']:.1f}"}
                row["first_core_seconds"] = f"{told['first']:.1f}"
                row |= {f"recall_{depth}": f"{told[f'recall_{depth}']:.4f}" for depth in DEPTHS}
                row |= {"mib": f"{told['mib']:.0f}"}
                row["options"] = " ".join(f"{name}={value}" for name, value in told["options"].items())
            print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
            fields = ["run", "data", "engine", "seconds", "core_seconds", "first_core_seconds"]
            fields += ["recall_10", "recall_50", "mib", "options"]
            here = common.machine()
            common.append(RESULTS, [*fields, *here], [{**row, **here}])


if __name__ == "__main__":
    main()
