"""Kills and full disks at random moments: a restart gives the scores of an undisturbed run, and loses nothing else.

    python -m benchmarks.holdout.faults [--trials 50] [--seed 0]

Each trial starts a driver in a process of its own on a store, breaks something at a seeded random moment, and calls
once more. Afterwards the scores are compared bit for bit with those of an undisturbed call, and every record that was
in the store at the moment of the fault must still be there, byte for byte, when the second call is over. Kinds:

    worker   kill -9 of a joblib worker; the driver goes on by itself
    driver   kill -9 of the driver (serial, joblib and Ray in turn)
    node     kill -9 of the raylet, the process of the Ray node
    disk     the store lies on a file system without room for all records; more room for the second call

"disk" mounts a tmpfs and needs the right to. Exits with 1 if any trial fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common import Array, table, write

RUNS = 24
SHARES = {"worker": 0.36, "driver": 0.3, "disk": 0.2, "node": 0.14}


def driver(store: str, backend: str, out: str) -> None:
    """What a user would run."""
    from sklearn.datasets import load_digits
    from sklearn.ensemble import ExtraTreesClassifier

    import dataaudit
    from dataaudit.holdout.backends import Joblib

    model = ExtraTreesClassifier(60, n_jobs=1)
    holdout = dataaudit.Holdout(runs=RUNS, store=store, backend=Joblib(n_jobs=2) if backend == "joblib" else backend)
    audit = dataaudit.score(model, load_digits(return_X_y=True), "c_score", holdout=holdout, progress=False)
    np.save(out, audit.columns["c_score"])
    Path(out).with_suffix(".txt").write_text(str(audit.settings["holdout"]["read_from_store"]))


def start(store: Path, backend: str, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.holdout.faults", "--driver", str(store), backend, str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def records(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*.npz")}


def until(store: Path, wanted: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until `wanted` records are there."""
    deadline = time.monotonic() + 120
    while sum(1 for _ in store.rglob("*.npz")) < wanted and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def children(process: subprocess.Popen[bytes], name: str) -> list[psutil.Process]:
    """Descendants whose command line holds `name`."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if name in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a driver with all that it started, and wait."""
    left = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    for one in [*left, process]:
        try:
            one.send_signal(signal.SIGKILL)
        except (psutil.Error, ProcessLookupError):
            continue
    process.wait()


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def trial(
    kind: str, backend: str, rng: np.random.Generator, truth: np.ndarray, size: int, folder: Path
) -> dict[str, Any]:
    out, moment = folder / "scores.npy", int(rng.integers(0, RUNS - 2))
    if kind == "disk":
        with small_disk(folder / "disk", max(64, int(size * rng.uniform(0.2, 0.8)) // 1024)) as disk:
            store = disk / "runs"
            process = start(store, backend, out)
            _, errors = process.communicate()
            said = b"No space left" in errors and b"StorageError" in errors
            before = records(store)
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            return ended(kind, backend, store, before, backend, truth, out, said)
    store = folder / "runs"
    process = start(store, backend, out)
    until(store, moment, process)
    time.sleep(float(rng.uniform(0, 0.3)))
    before, hit = records(store), False
    if kind == "worker":
        workers = children(process, "popen_loky")
        if workers and process.poll() is None:
            workers[int(rng.integers(len(workers)))].kill()
            hit = True
        process.communicate()
        done = process.returncode == 0 and bool((np.load(out) == truth).all())
        row = ended(kind, backend, store, before, backend, truth, out, done)
        return {**row, "hit": hit}
    if kind == "node":
        for child in children(process, "raylet/raylet"):
            child.kill()
            hit = True
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        stop(process)
    else:
        hit = process.poll() is None
        process.kill()  # Its workers live on for a while, and may write beside those of the second call.
        process.wait()
    again = "serial" if kind == "node" else backend
    row = ended(kind, backend, store, before, again, truth, out, True)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return {**row, "hit": hit}


def ended(
    kind: str, backend: str, store: Path, before: dict[str, bytes], again: str, truth: Array, out: Path, said: bool
) -> dict[str, Any]:
    """Call once more and compare."""
    out.unlink(missing_ok=True)
    process = start(store, again, out)
    _, errors = process.communicate()
    if process.returncode:
        print(errors.decode()[-2000:])
    after = records(store)
    kept = all(after.get(name) == content for name, content in before.items())
    return {
        "kind": kind,
        "backend": backend,
        "stored_at_fault": len(before),
        "read_again": int(out.with_suffix(".txt").read_text()) if process.returncode == 0 else -1,
        "identical": process.returncode == 0 and bool((np.load(out) == truth).all()),
        "nothing_lost": kept and len(after) == RUNS,
        "as_expected": said,
        "hit": True,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--driver", nargs=3, metavar=("STORE", "BACKEND", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.driver:
        driver(*chosen.driver)
        return 0
    os.environ["RAY_DEDUP_LOGS"] = "0"
    rng = np.random.default_rng(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        process = start(Path(folder) / "runs", "serial", Path(folder) / "scores.npy")
        assert process.wait() == 0, process.stderr.read() if process.stderr else ""
        truth = np.load(Path(folder) / "scores.npy")
        size = sum(len(content) for content in records(Path(folder) / "runs").values())
    print(f"undisturbed: {RUNS} records, {size} bytes", flush=True)
    kinds = [kind for kind, share in SHARES.items() for _ in range(max(1, round(share * chosen.trials)))]
    rows = []
    for number, kind in enumerate(kinds):
        backend = {"worker": "joblib", "node": "ray", "disk": ("serial", "joblib")[number % 2]}.get(
            kind, ("serial", "joblib", "ray")[number % 3]
        )
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"trial": number, **trial(kind, backend, rng, truth, size, Path(folder))})
        print(rows[-1], flush=True)
    good = [row["identical"] and row["nothing_lost"] and row["as_expected"] for row in rows]
    counted = []
    for kind in SHARES:
        mine = [place for place, row in enumerate(rows) if row["kind"] == kind]
        counted.append([kind, len(mine), sum(rows[place]["hit"] for place in mine), sum(good[place] for place in mine)])
    table(["kind", "trials", "process was alive", "identical, nothing lost"], counted)
    write(Path(__file__).parent / "results/faults.csv", rows)
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
