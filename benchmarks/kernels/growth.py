"""Time and memory of all four input densities as the data set grows, through `dataaudit.score`.

    python -m benchmarks.kernels.growth --mnist mnist_cscores.npz

Takes MNIST images and labels from an .npz file (`images` uint8, `labels`), and scores the first 5, 10, 20, 40 and 60
thousand, each in a process of its own, as 8-bit pixels and as float32. Memory is the process's peak beyond that of
one that has the libraries loaded and the data read; both are shown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import write

SIZES = (5000, 10000, 20000, 40000, 60000)
SCORES = ("density/input", "class_density/input", "relative_density/input", "parzen/input")
CHILD = """
import json, resource, sys, time
import numpy as np, torch, dataaudit
path, n, kind, names = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4].split(",")
data = np.load(path)
images, labels = data["images"][:n], data["labels"][:n].astype(np.int64)
if kind == "float32":
    images = images.astype(np.float32) / 255
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
before, start = peak(), time.perf_counter()
audit = dataaudit.score(None, (images, labels), names, progress=False)
taken = time.perf_counter() - start
how = audit.settings["density"][names[0]][0]
print(json.dumps(dict(seconds=taken, pairs=audit.timings["density"], peak_gib=peak(), before_gib=before,
                      engine=how["engine"], bandwidth=how["bandwidth"], stderr=how["bandwidth_stderr"])))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mnist", required=True)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(f"{'inputs':8} {'n':>6} {'seconds':>8} {'per pair':>10} {'peak GiB':>9} {'before':>7}")
    for kind in ("uint8", "float32"):
        for n in SIZES:
            command = [sys.executable, "-c", CHILD, options.mnist, str(n), kind, ",".join(SCORES)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
            rows.append(
                {"inputs": kind, "n": n, "nanoseconds_per_pair": found["seconds"] / (n * (n - 1) / 2) * 1e9} | found
            )
            row = rows[-1]
            print(
                f"{kind:8} {n:6} {row['seconds']:8.2f} {row['nanoseconds_per_pair']:7.2f} ns {row['peak_gib']:9.2f} "
                f"{row['before_gib']:7.2f}",
                flush=True,
            )
    write(Path(__file__).parent / "results/growth.csv", rows)


if __name__ == "__main__":
    main()
