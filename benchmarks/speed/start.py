"""How long a user waits: for the first line of `dataaudit score`, and for kernels that are compiled.

    python -m benchmarks.speed.start [--repeats 5]

The command runs on a terminal of its own over scikit-learn's digits in a CSV file. Kernels are those of a density and
of a list of duplicates, in a process that compiles them (a fresh folder for what is compiled) and in one that finds
them. Processor time is given, for it is the same on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.common import table, write

RESULTS = Path(__file__).parent / "results" / "start.csv"

KERNELS = """
import time
from sklearn.datasets import load_digits
import dataaudit
data = load_digits(return_X_y=True)
dataaudit.score(None, data, progress=False)
start = time.process_time()
dataaudit.score(None, data, ["class_density/input"], progress=False).duplicates()
print(time.process_time() - start)
"""


def first_line(folder: Path) -> float:
    """Seconds until `dataaudit score` first writes something."""
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "dataaudit", "score", "digits.csv", "--label", "label", "--out", "out"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=end, stderr=end, cwd=folder) as running:
        os.close(end)
        os.read(terminal, 1)
        seconds = time.perf_counter() - start
        running.kill()
    os.close(terminal)
    return seconds


def kernels(folder: Path) -> float:
    """Processor seconds of a density and of duplicates, with what is compiled in `folder`."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", KERNELS], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print and write medians."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    found: dict[str, list[float]] = {"first line": [], "kernels compiled": [], "kernels found": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        features, labels = load_digits(return_X_y=True)
        head = ",".join([*(f"p{column}" for column in range(features.shape[1])), "label"])
        np.savetxt(folder / "digits.csv", np.c_[features, labels], "%d", ",", header=head, comments="")
        for repeat in range(repeats):
            found["first line"].append(first_line(folder))
            found["kernels compiled"].append(kernels(folder / str(repeat)))
            found["kernels found"].append(kernels(folder / str(repeat)))
    rows: list[dict[str, Any]] = [
        {"what": what, "seconds": round(median(values), 3), "repeats": repeats} for what, values in found.items()
    ]
    table(("what", "seconds"), [(row["what"], row["seconds"]) for row in rows])
    write(RESULTS, rows)


if __name__ == "__main__":
    main()
