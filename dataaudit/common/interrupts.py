"""Ctrl-C that stops between two batches, never inside a bookkeeping step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def released_interrupt() -> Iterator[None]:
    """Let Ctrl-C through at once, within `deferred_interrupt`, where a long computation has nothing to put in order."""
    in_main = threading.current_thread() is threading.main_thread()
    held = signal.getsignal(signal.SIGINT) if in_main else None
    if not in_main or not getattr(held, "holds_back", False):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, held)


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until ``check()`` is called, which then raises `KeyboardInterrupt`.

    A second Ctrl-C raises at once. Outside the main thread, where Python delivers no signals, nothing is held.
    """
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    note.holds_back = True  # type: ignore[attr-defined]

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield check
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def unbroken() -> Iterator[None]:
    """Hold Ctrl-C back until what must not be left half done is over."""
    with deferred_interrupt() as check:
        yield
    check()
