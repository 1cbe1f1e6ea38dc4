"""Ctrl-C, SIGTERM and SIGKILL at seeded moments of saves, stores, streams and recorders.

What was being replaced is the old or the new; what is resumed gives the result of an undisturbed call, and a recorder
that forgets its open epoch is what it was at the end of the last.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import dataaudit
from benchmarks.faults.base import FINE, Case, Outcome, bare, judged, renewed, there
from benchmarks.faults.crew import Crew
from benchmarks.faults.material import CLASSES, MATERIALS, ROWS, Material, fingerprint, record, right
from dataaudit.errors import DataAuditError

EPOCHS = 3
# Where a line may be interrupted: in the library, and in what writes and reads tensors natively for it.
INTERRUPTED = (str(Path(dataaudit.__file__).parent), torch.serialization.__file__)

Fault = Callable[[], None]


def _raised() -> None:
    raise KeyboardInterrupt


def _pressed() -> None:
    signal.raise_signal(signal.SIGINT)


@contextmanager
def at_time(fault: Fault, seconds: float) -> Iterator[None]:
    """Let a fault happen after some seconds, wherever that is."""
    before = signal.signal(signal.SIGALRM, lambda number, frame: fault())
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def at_line(fault: Fault, wanted: int) -> Iterator[list[tuple[str, int]]]:
    """Let a fault happen before a numbered line of the library or of torch's serialization; gives lines that ran."""
    ran: list[tuple[str, int]] = []

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            ran.append((frame.f_code.co_filename, frame.f_lineno))
            if len(ran) == wanted:
                fault()
        return local

    sys.settrace(lambda frame, event, argument: local if frame.f_code.co_filename.startswith(INTERRUPTED) else None)
    try:
        yield ran
    finally:
        sys.settrace(None)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt, as in a program that was started at a terminal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted(call: Callable[[], object], within: AbstractContextManager[Any]) -> Outcome | None:
    """Call with a fault on its way: None if that came through, else how the call ended."""
    try:
        with within:
            call()
    except (KeyboardInterrupt, dataaudit.Interrupted):
        return None
    except DataAuditError as error:
        return Outcome("refused", str(error))
    except Exception as error:  # What a campaign looks for.
        return None if isinstance(error.__context__, KeyboardInterrupt) else bare(error)
    return FINE


def moments(
    call: Callable[[], object], begin: Callable[[], object], fault: Fault, rng: np.random.Generator, count: int
) -> Iterator[Outcome | None]:
    """Begin, and call with a fault at a seeded line, at a seeded time now and then; yields as `interrupted`."""
    begin()
    with at_line(lambda: None, 0) as ran:
        call()
    # Each line of the source as often, however often it is run.
    numbers: dict[tuple[str, int], list[int]] = {}
    for number, line in enumerate(ran):
        numbers.setdefault(line, []).append(number + 1)
    lines = list(numbers.values())
    begin()
    start = time.perf_counter()
    call()
    span = time.perf_counter() - start
    for trial in range(count):
        begin()
        if trial % 4 == 3:
            within: AbstractContextManager[Any] = at_time(fault, float(rng.uniform(1e-5, 1.1 * span)))
        else:
            within = at_line(fault, int(rng.choice(lines[int(rng.integers(len(lines)))])))
        yield interrupted(call, within)


def writes(material: Material, fault: Fault, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Interrupt what writes a folder: over an older one where the kind replaces, anew otherwise."""
    old, place, seed = folder / "old", folder / "place", int(material.replaces)
    right(material, 0), right(material, 1)
    if material.replaces:
        material.write(old, 0)

    def begin() -> None:
        if material.replaces:
            renewed(old, place)
        else:
            shutil.rmtree(place, ignore_errors=True)

    with interruptible():
        for ended in moments(lambda: material.write(place, seed), begin, fault, rng, count):
            if ended is not None and ended.verdict == "bare":
                yield ended
            elif material.replaces:
                yield there(material, place, *((seed,) if ended is FINE else (0, 1)))
            else:
                yield there(material, place, 0)


def recordings(rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Interrupt a training loop, forget its open epoch, and go on from the last complete one."""
    made = dataaudit.Recorder(ROWS, CLASSES)

    def begin() -> None:
        nonlocal made
        made = dataaudit.Recorder(ROWS, CLASSES)

    def train() -> None:
        for epoch in range(made.epochs, EPOCHS):
            record(made, 0, epoch)
            made.end_epoch()

    def resumed() -> str:
        if made.epochs < EPOCHS:
            made.discard_epoch()
            train()
        return fingerprint(made.dynamics())

    begin()
    expected = resumed()
    with interruptible():
        for ended in moments(train, begin, _pressed, rng, count):
            yield ended if ended is not None and ended.verdict == "bare" else judged(resumed, expected)


def _saving(material: Material, folder: Path) -> None:
    """Save over and over, until something ends it."""
    right(material, 0)
    for turn in range(10**6):
        if material.replaces:
            material.write(folder, turn % 2)
        else:
            material.write(folder / f"{turn:06d}", 0)


def endings(material: Material, number: int, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """End processes that write a folder, by a signal that leaves them no word."""
    place = folder / "place"
    with Crew(1) as crew:
        for _ in range(count):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            if material.replaces:
                material.write(place, 0)
            process = crew.detach(partial(_saving, material, place))
            time.sleep(float(rng.uniform(0.02, 0.2)))
            assert process.pid is not None
            os.kill(process.pid, number)
            process.join()
            begun = sorted(place.iterdir()) if not material.replaces else []
            yield there(material, begun[-1] if begun else place, *((0, 1) if material.replaces else (0,)))


def cases() -> list[Case]:
    """Cases of every material, of recorders, and of real signals to processes of their own."""
    made = [
        Case("interrupts", f"{how}, {one.name}", number, 3 if one.name == "stream" else 8, partial(writes, one, fault))
        for how, fault in (("raised anywhere", _raised), ("Ctrl-C", _pressed))
        for one in MATERIALS
        if one.name != "recorder's state"
        for number in (200 if one.replaces else 60,)
    ]
    made.append(Case("interrupts", "Ctrl-C, recorder", 200, 20, recordings))
    return made + [
        Case("interrupts", f"{signal.Signals(number).name}, {one.name}", 20, 1, partial(endings, one, number))
        for number in (signal.SIGTERM, signal.SIGKILL)
        for one in MATERIALS
        if one.name != "recorder's state"
    ]
