"""Memory that scoring a memory-mapped data set of embeddings takes beyond the file.

    python -m benchmarks.peers.memory FOLDER --rows 200000 --scorers knn_c_score/input

makes the Arrow file in FOLDER if it is not there, scores it in a process of its own, and prints the peak of that
process's anonymous memory (which no file lies behind) before and while it scores, against the size of the embeddings.
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

RESULTS = Path(__file__).parent / "results/memory.csv"
MIB = 2**20
BLOCK = 50_000
CLASSES = 20


def make(folder: Path, rows: int, features: int) -> Path:
    """Folder with the data set: classes are Gaussian clusters, 5 % of the labels are wrong."""
    import datasets

    path = folder / f"embeddings-{rows}-{features}"
    if path.exists():
        return path
    centres = np.random.default_rng(0).normal(size=(CLASSES, features)).astype(np.float32)

    def blocks() -> Any:
        for start in range(0, rows, BLOCK):
            rng = np.random.default_rng([1, start])
            labels = rng.integers(0, CLASSES, min(BLOCK, rows - start))
            made = centres[labels] + rng.normal(size=(len(labels), features)).astype(np.float32)
            labels = common.symmetric(labels, CLASSES, 0.05, start)
            for vector, label in zip(made, labels.tolist(), strict=True):
                yield {"embedding": vector, "label": label}

    columns = datasets.Features(
        embedding=datasets.List(datasets.Value("float32"), length=features),
        label=datasets.ClassLabel(num_classes=CLASSES),
    )
    made = datasets.Dataset.from_generator(blocks, features=columns, cache_dir=str(folder / "cache"))
    made.save_to_disk(path)
    return path


def anonymous() -> int:
    """Bytes of this process's anonymous memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell RssAnon in /proc/self/status")


def child(path: str, scorers: list[str]) -> None:
    """Score the data set at `path` and print what it took, as JSON."""
    import datasets

    import dataaudit

    dataset = datasets.load_from_disk(path)
    chosen: Any = "auto" if scorers == ["auto"] else scorers
    # Imports and compilation first: their memory is no data's.
    dataaudit.score(None, dataset.select(range(2000)), chosen, inputs="embedding", progress=False)
    before, peak, done = anonymous(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    audit = dataaudit.score(None, dataset, chosen, inputs="embedding", progress=False)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    print(json.dumps({"scores": " ".join(audit.columns), "before": before, "peak": peak, "seconds": seconds}))


def main() -> None:
    """Make the data set, score it, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000])
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--scorers", nargs="+", default=["auto"])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(str(arguments.folder), arguments.scorers)
        return
    found = []
    for rows in arguments.rows:
        path = make(arguments.folder, rows, arguments.features)
        command = [sys.executable, "-m", "benchmarks.peers.memory", str(path), "--child", "--scorers"]
        done = subprocess.run([*command, *arguments.scorers], stdout=subprocess.PIPE, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        size = rows * arguments.features * 4
        found.append(
            {
                "rows": rows,
                "features": arguments.features,
                "scores": told["scores"],
                "embeddings_mib": f"{size / MIB:.0f}",
                "before_mib": f"{told['before'] / MIB:.0f}",
                "peak_mib": f"{told['peak'] / MIB:.0f}",
                "added_share_of_embeddings": f"{(told['peak'] - told['before']) / size:.2f}",
                "seconds": f"{told['seconds']:.0f}",
            }
        )
    common.table(list(found[0]), [list(row.values()) for row in found])
    common.write(RESULTS, found)


if __name__ == "__main__":
    main()
