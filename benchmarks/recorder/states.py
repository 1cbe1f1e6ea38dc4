"""Processor time of a recorder's state and of the record beside a checkpoint, beside another checkout's.

    python -m benchmarks.recorder.states --against CHECKOUT [--rows 1000000] [--repeats 15]

A recorder of `rows` examples, 10 classes and 4 epochs gives its state, takes it back, and is written beside a
checkpoint and read from there. A process for each checkout lives throughout; they take turns, and each time is one
process's on one thread. Where other programs take memory as well, the system looks for pages at the cost of whoever
asks: the least time of a call is without that, the median with it. Prints both, their ratios, and the bytes of the
file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

SERVE = "--serve"
CALLS = ("state_dict", "load_state_dict", "save checkpoint", "resume checkpoint")
CLASSES = 10
EPOCHS = 4
BATCH = 50_000


def serve(rows: int) -> None:
    """Answer each line, the name of a call, with its seconds, and the file's bytes, on a line."""
    import torch

    from dataaudit.curriculum.trainers.state import load_record, save_record
    from dataaudit.dynamics.recorder import Recorder

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    made = Recorder(rows, CLASSES)
    for _ in range(EPOCHS):
        for batch in torch.arange(rows).split(BATCH):
            made.update(batch, torch.randn(len(batch), CLASSES, generator=generator), labels[batch])
        made.end_epoch()
    state, fresh = made.state_dict(), Recorder(rows, CLASSES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        calls: dict[str, Callable[[], Any]] = {
            "state_dict": made.state_dict,
            "load_state_dict": lambda: fresh.load_state_dict(state),
            "save checkpoint": lambda: save_record(folder, made, False, 0, 1, None),
            "resume checkpoint": lambda: load_record(folder, fresh, 0, 1, "cpu"),
        }
        for line in sys.stdin:
            call = calls[line.strip()]
            start = time.process_time()
            call()
            seconds = time.process_time() - start
            print(json.dumps([seconds, sum(file.stat().st_size for file in folder.iterdir())]), flush=True)


def server(checkout: Path, rows: int) -> subprocess.Popen[str]:
    """Process that serves with the library of a checkout."""
    paths = os.pathsep.join([str(checkout), str(checkout / "kernels")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, SERVE, "--rows", str(rows)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def answer(process: subprocess.Popen[str], call: str) -> tuple[float, int]:
    """Seconds that a call took, and bytes of the file."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{call}\n")
    process.stdin.flush()
    seconds, size = json.loads(process.stdout.readline())
    return seconds, size


def compare(before: Path, here: Path, rows: int, repeats: int) -> list[dict[str, Any]]:
    """Rows of the table: times of a call with each checkout, in turns, after one that does not count."""
    servers, lines = [server(checkout, rows) for checkout in (before, here)], []
    try:
        for call in CALLS:
            taken = [[answer(process, call) for process in servers] for _ in range(repeats + 1)][1:]
            before_s, now_s = ([pair[which][0] for pair in taken] for which in (0, 1))
            made: dict[str, Any] = {"call": call, "rows": rows}
            measures: dict[str, Callable[[list[float]], float]] = {"least": min, "median": median}
            for name, of in measures.items():
                old, new = of(before_s), of(now_s)
                made |= {f"{name} before, s": round(old, 4), f"{name} now, s": round(new, 4)}
                made[f"ratio of {name}"] = round(new / old, 3)
            sizes = {"bytes before": taken[-1][0][1], "bytes now": taken[-1][1][1]}
            lines.append({**made, **sizes})
    finally:
        for process in servers:
            process.communicate()
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/states.csv")
    parser.add_argument(SERVE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.rows)
        return
    if options.against is None:
        parser.error("pass --against CHECKOUT: a checkout of another commit")

    from benchmarks.common import table, write

    lines = compare(options.against, Path(__file__).parents[2], options.rows, options.repeats)
    table(list(lines[0]), [list(map(str, line.values())) for line in lines])
    write(options.out, lines)


if __name__ == "__main__":
    main()
