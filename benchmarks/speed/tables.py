"""Seconds and peak memory of what an audit of a million rows is asked.

    python -m benchmarks.speed.tables [--rows 1000000 10000000]

The audit is of made-up predictions of ten classes, 5 % of whose labels are wrong, beside inputs of one number a row.
The peak is that of resident memory above what there was before the call, beside the size of the arrays that the audit
holds for each row. Every call is made on a small audit first: what it imports does not grow with the rows. Memory that
earlier calls freed is handed back before each, on Linux.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import Array, append, machine, table

RESULTS = Path(__file__).parent / "results" / "tables.csv"
CLASSES = 10


def made_up(n: int) -> tuple[Array, Array, Array]:
    """Inputs float32 [n, 1], labels int64 [n] and predictions float32 [n, C]."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, n)
    labels = np.where(rng.random(n) < 0.05, rng.integers(0, CLASSES, n), truth)
    predictions = rng.random((n, CLASSES), np.float32)
    predictions[np.arange(n), truth] += 4 * rng.random(n, np.float32) + 1
    predictions /= predictions.sum(1, keepdims=True)
    return truth[:, None].astype(np.float32) + rng.random((n, 1), np.float32), labels, predictions


def resident(which: str) -> float:
    """Resident memory in MiB: "VmRSS" now, "VmHWM" at most since the peak was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))


def taken(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds and peak of memory in MiB above what there was, and the result."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before, start = resident("VmRSS"), time.perf_counter()
    found = work()
    return time.perf_counter() - start, resident("VmHWM") - before, found


def held(audit: dataaudit.Audit) -> float:
    """MiB of the arrays that an audit holds for each row: scores, labels, suggestions, probabilities of an error."""
    errors = audit.label_errors
    arrays = [*audit.columns.values(), audit.labels, audit.suggested, audit.margin]
    if errors is not None:
        arrays += [errors.probability, errors.rival]
    arrays += [*audit.ties.values(), *(one.stderr for one in audit.uncertainties.values())]
    return sum(array.nbytes for array in arrays if array is not None) / 2**20


def measure(n: int) -> tuple[list[dict[str, Any]], float]:
    """Rows of results, and the MiB of the arrays that the audit holds."""
    inputs, labels, predictions = made_up(n)
    rows: list[dict[str, Any]] = []

    def record(what: str, work: Callable[[], Any]) -> Any:
        seconds, peak, found = taken(work)
        rows.append({"rows": n, "call": what, "seconds": round(seconds, 2), "peak_mib": round(peak)})
        print(rows[-1], flush=True)
        return found

    def score() -> dataaudit.Audit:
        return dataaudit.score(None, (inputs, labels), predictions=predictions, progress=False)

    audit: dataaudit.Audit = record("score", score)
    record("noise_rate", audit.noise_rate)
    record("mislabeled", audit.mislabeled)
    record("suspects", lambda: audit.suspects(1000))
    record("repr", lambda: repr(audit))
    record("scores", lambda: audit.scores)
    record("to_frame", audit.to_frame)
    record("to_dataset", audit.to_dataset)
    record("clean", audit.clean)
    with tempfile.TemporaryDirectory() as folder:
        record("save", lambda: audit.save(Path(folder) / "audit"))
        record("load", lambda: dataaudit.Audit.load(Path(folder) / "audit"))
    return rows, held(audit)


def main() -> None:
    """Print and write a row for each call."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**6])
    fields = ["rows", "call", "seconds", "peak_mib", "held_mib", *machine()]
    options = parser.parse_args()
    measure(1000)
    for n in options.rows:
        rows, size = measure(n)
        RESULTS.parent.mkdir(exist_ok=True)
        append(RESULTS, fields, [{**row, "held_mib": round(size), **machine()} for row in rows])
        print(f"\narrays of the audit: {size:.0f} MiB")
        table(("call", "seconds", "peak MiB"), [(row["call"], row["seconds"], row["peak_mib"]) for row in rows])


if __name__ == "__main__":
    main()
