"""Processes that do something at the same moment: forked from one that has imported everything, and used again."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Self

from benchmarks.faults.base import Outcome, judged

LEAD = 0.004
"""Seconds between the order and the moment at which all begin."""

Call = Callable[[], str | None]


def context() -> Any:
    """Start method of all processes of the campaign."""
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(["benchmarks.faults.preload"])
    return chosen


class Crew:
    """Some processes that wait for calls."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> Self:
        self._members = [self._member() for _ in range(self.size)]
        return self

    def __exit__(self, *error: object) -> None:
        for process, line in self._members:
            with suppress(BrokenPipeError):
                line.send(None)
            process.join(10)
            if process.is_alive():
                process.kill()

    @staticmethod
    def _member() -> tuple[BaseProcess, Connection]:
        here, other = multiprocessing.Pipe()
        process = context().Process(target=_serve, args=(other,), daemon=True)
        process.start()
        other.close()
        return process, here

    def together(self, calls: Sequence[Call], delays: Sequence[float], *expected: str) -> list[Outcome]:
        """Outcomes, as by `judged`, of calls that begin at one moment, or `delays` seconds later, in a process each."""
        at = time.monotonic() + LEAD
        members = self._members[: len(calls)]
        for (_, line), call, delay in zip(members, calls, delays, strict=True):
            line.send((call, at + delay, expected))
        return [_received(line) for _, line in members]

    @staticmethod
    def detach(call: Callable[[], None]) -> BaseProcess:
        """Start a process that does nothing but this, for someone to end."""
        process: BaseProcess = context().Process(target=call)
        process.start()
        return process


def _received(line: Connection) -> Outcome:
    try:
        found: Outcome = line.recv()
    except EOFError:
        return Outcome("bare", "EOFError: its process died")
    return found


def _serve(line: Connection) -> None:
    while (order := line.recv()) is not None:
        call, at, expected = order
        while time.monotonic() < at:
            pass
        line.send(judged(call, *expected))
