"""Processes and threads that write one folder at once.

Afterwards the folder is that of one of them, and who did not come through was told so by an error of the library.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.faults.base import Case, Outcome, judged, renewed, there
from benchmarks.faults.crew import LEAD, Call, Crew
from benchmarks.faults.material import MATERIALS, Material, right


def _write(material: Material, folder: Path, seed: int) -> str | None:
    """Replace a folder, or begin one, or go on with it, and say what the call gave."""
    if not material.replaces:
        return material.read(folder, seed)
    material.write(folder, seed)
    return None


def in_threads(calls: list[Call], delays: list[float], *expected: str) -> list[Outcome]:
    """Outcomes of calls that begin at one moment, or `delays` seconds later, in threads of this process."""
    found: dict[int, Outcome] = {}
    at = time.monotonic() + LEAD

    def run(number: int) -> None:
        while time.monotonic() < at + delays[number]:
            pass
        found[number] = judged(calls[number], *expected)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(calls))]


def trials(
    material: Material, processes: bool, rng: np.random.Generator, count: int, folder: Path
) -> Iterator[Outcome]:
    """Let 2 to 4 writers loose on a folder: half the time one that another seed was written to before."""
    before, place = folder / "before", folder / "place"
    seeds = [1, 2, 3, 4] if material.replaces else [0, 0, 0, 0]
    for seed in {0, *seeds}:
        right(material, seed)
    material.write(before, 0)
    start = time.perf_counter()
    material.write(folder / "timed", 0)
    span = time.perf_counter() - start
    with Crew(4 if processes else 0) as crew:
        for trial in range(count):
            writers = 2 + trial % 3
            over = material.replaces and trial % 2 == 0
            renewed(before, place) if over else shutil.rmtree(place, ignore_errors=True)
            calls: list[Call] = [partial(_write, material, place, seed) for seed in seeds[:writers]]
            delays = (rng.random(writers) * span * (trial % 4 > 0)).tolist()
            wanted = [] if material.replaces else [right(material, 0)]
            told = (crew.together if processes else in_threads)(calls, delays, *wanted)
            wrong = next((one for one in told if one.verdict in ("bare", "silent")), None)
            yield wrong or _found(material, place, seeds[:writers], told, over)


def _found(material: Material, place: Path, seeds: list[int], told: list[Outcome], over: bool) -> Outcome:
    """Outcome of the folder that some writers left; the one from before counts only if all were refused."""
    came = [seed for seed, one in zip(seeds, told, strict=True) if one.verdict == "fine"]
    if not came and not over:
        return Outcome("lost", f"all were refused: {told[0].detail}")
    found = there(material, place, *(came or [0]))
    return found if found.verdict != "fine" or len(came) == len(seeds) else Outcome("refused", "some writers")


def cases() -> list[Case]:
    """Cases of every material, in processes and in threads."""
    return [
        Case("saves", f"{where}, {one.name}", 60 if one.replaces else 40, 3, partial(trials, one, processes))
        for where, processes in (("processes", True), ("threads", False))
        for one in MATERIALS
        if one.name != "recorder's state"
    ]
