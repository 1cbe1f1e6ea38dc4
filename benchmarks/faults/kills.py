"""Drivers of holdout runs that are ended, their workers and their Ray nodes, on every backend.

Ten seconds later no process of theirs is left, every record that was in the store is there still, and the call that
goes on from it gives the scores of an undisturbed one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import dataaudit
from benchmarks.faults.base import Case, Outcome, judged
from benchmarks.faults.crew import Crew
from benchmarks.faults.material import data, fingerprint, score
from benchmarks.faults.slow import DELAY, SlowBayes

RUNS = 24
GRACE = 10.0
"""Seconds in which processes have to end."""
PATIENCE = 180.0
TOKEN = "FAULTS_DRIVER"


def scores(store: Path | None, backend: str = "serial", jobs: int = 2) -> str:
    """Digest of the scores of a call on a store."""
    carrier: Any = backend
    if backend == "joblib":
        carrier = dataaudit.backends.Joblib(n_jobs=jobs)
    elif backend == "ray":
        carrier = dataaudit.backends.Ray(num_cpus=os.cpu_count() or 1, address="local")
    holdout = dataaudit.Holdout(ratio=0.7, runs=RUNS, store=store, backend=carrier)
    return fingerprint(score(SlowBayes(), data(0), "c_score", holdout=holdout).columns)


def driver(store: Path, backend: str, token: str) -> None:
    """What a user would run, in a session of its own."""
    os.setsid()
    os.environ |= {DELAY: "0.03", TOKEN: token}
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    (store.parent / f"{store.name}.digest").write_text(scores(store, backend))


def records(store: Path) -> dict[str, bytes]:
    """Records of a store, by name."""
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*.npz")}


@dataclass
class Trial:
    """A driver that is to be hit when there are `moment` records: by a signal, or a process below it."""

    store: Path
    backend: str
    hit: str
    moment: int
    process: BaseProcess
    token: str
    before: dict[str, bytes] = field(default_factory=dict)
    below: list[psutil.Process] = field(default_factory=list)
    due: float = np.inf
    begun: float = field(default_factory=time.monotonic)

    def look(self) -> None:
        """Hit the driver if its moment has come."""
        if self.due < np.inf:
            return
        waited = time.monotonic() - self.begun > PATIENCE
        if len(list(self.store.rglob("*.npz"))) < self.moment and self.process.is_alive() and not waited:
            return
        with suppress(psutil.Error):
            self.below = psutil.Process(self.process.pid).children(recursive=True)
        self.before = records(self.store)
        wanted = {"worker": "popen_loky", "node": "raylet/raylet"}.get(self.hit)
        if wanted is None:
            self._end(getattr(signal, self.hit))
        else:
            workers = [process for process in self.below if wanted in _line(process)]
            for process in workers[:1]:
                process.kill()
            if self.hit == "node":
                self.process.join(5)
                self._end(signal.SIGTERM)
        self.due = time.monotonic() + GRACE

    def _end(self, number: int) -> None:
        with suppress(ProcessLookupError):
            assert self.process.pid is not None
            os.kill(self.process.pid, number)

    def finished(self) -> bool:
        """Tell whether it may be judged: `GRACE` after the hit, or when a driver that goes on has ended."""
        if self.hit == "worker" and self.process.is_alive() and time.monotonic() < self.begun + PATIENCE:
            return False
        return time.monotonic() >= self.due

    def judge(self, expected: str) -> Outcome:
        """Count processes, go on from the store, and compare."""
        left = [process for process in {*self.below, *_with(self.token)} if _runs(process) and _line(process)]
        names = sorted(map(_described, left))
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        self._end(signal.SIGKILL)
        self.process.join()
        if left:
            return Outcome("lost", f"{len(left)} stay: {'; '.join(names)}")
        said = self.store.parent / f"{self.store.name}.digest"
        if self.hit == "worker" and (not said.exists() or said.read_text() != expected):
            return Outcome("silent" if said.exists() else "lost", "the driver did not get over a killed worker")
        outcome = judged(lambda: scores(self.store), expected)
        after = records(self.store)
        if outcome.verdict == "refused":
            return Outcome("lost", outcome.detail)
        gone = [name for name, content in self.before.items() if after.get(name) != content]
        return Outcome("lost", f"{len(gone)} records") if gone else outcome


def _line(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _described(process: psutil.Process) -> str:
    """What a process is called, how long it has been there, and whose child it is."""
    # Those that name themselves fill up the line that they were started by.
    name, age = _line(process).strip()[-70:], time.time() - process.create_time()
    above = "nobody's child"
    with suppress(psutil.Error):
        parent = process.parent()
        above = f"child of {parent.name()}" if parent and parent.pid > 1 else above
    return f"{name}, {age:.0f} s old, {above}"


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _with(token: str) -> list[psutil.Process]:
    """Processes that were started by a driver, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(TOKEN) == token:
                found.append(process)
    return found


def trials(
    backend: str, hits: tuple[str, ...], at_a_time: int, rng: np.random.Generator, count: int, folder: Path
) -> Iterator[Outcome]:
    """Some drivers at a time, each hit at a moment of its own."""
    expected = scores(None)
    active: list[Trial] = []
    begun = 0
    while active or begun < count:
        while begun < count and sum(trial.due == np.inf for trial in active) < at_a_time:
            store, token = folder / f"runs-{begun}", f"{folder.name}-{begun}"
            process = Crew.detach(partial(driver, store, backend, token))
            moment = int(rng.integers(0, RUNS - 4))
            active.append(Trial(store, backend, hits[begun % len(hits)], moment, process, token))
            begun += 1
        for trial in active:
            trial.look()
        for trial in [trial for trial in active if trial.finished()]:
            active.remove(trial)
            outcome = trial.judge(expected)
            yield Outcome(outcome.verdict, f"{trial.hit} at {len(trial.before)} records: {outcome.detail}")
        time.sleep(0.02)


def cases() -> list[Case]:
    """Cases of every backend."""
    signals = ("SIGTERM", "SIGKILL")
    made = [
        Case("kills", "serial", 60, 4, partial(trials, "serial", signals, 4)),
        Case("kills", "joblib", 60, 2, partial(trials, "joblib", (*signals, *signals, "worker"), 3)),
    ]
    if find_spec("ray") is not None:
        made.append(Case("kills", "ray", 60, 0, partial(trials, "ray", (*signals, *signals, *signals, "node"), 2)))
    return made
