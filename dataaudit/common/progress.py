"""Progress on standard error, with the time left, that `progress=False` silences: a bar, or lines off a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Advance = Callable[[int], None]

FIRST, EVERY = 10.0, 30.0
"""Seconds before the first line, and between lines: what is quick stays silent."""


class PlainProgress:
    """Progress of `total` steps as lines of text.

    Parameters
    ----------
    text
        What is going on.
    total
        Number of steps.
    stream
        Where lines are written.
    clock
        Seconds, rising.
    """

    def __init__(self, text: str, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._text, self._total, self._stream, self._clock = text, total, stream, clock
        self._done, self._began = 0, clock()
        self._next = self._began + FIRST

    def advance(self, steps: int) -> None:
        """Count `steps` as done, and write a line if it is time for one."""
        self._done += steps
        now = self._clock()
        if now < self._next or not 0 < self._done < self._total:
            return
        left = (now - self._began) * (self._total - self._done) / self._done
        share = self._done / self._total
        print(f"{self._text}: {share:.0%}, about {duration(left)} left", file=self._stream, flush=True)
        self._next = now + EVERY


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration(40), duration(200), duration(9000)
    ('40 s', '3 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@contextmanager
def working(text: str, show: bool) -> Iterator[None]:
    """Say at once, on a terminal, what is going on while its steps cannot be counted yet; the line goes at the end."""
    if not show or not sys.stderr.isatty():
        yield
        return
    print(text, end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def progress_bar(text: str, total: int, show: bool) -> Iterator[Advance]:
    """Yield ``advance(steps)``; writes nothing at all unless `show`."""
    if not show:
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress(text, total, sys.stderr).advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda steps: bar.update(task, advance=steps)
