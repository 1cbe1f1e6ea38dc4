"""Manners in the caller's process: what the library needs is set while it works, and put back as it was.

A thread's own modes (gradients, autocast, default device, NumPy's handling of errors) are set by `settled`, in a
microsecond, which is enough inside somebody's training loop. Whatever computes by itself, such as `dataaudit.score`,
is a `visiting` guest: the settings of the whole process, and the random generators, are put back too, and calls
from several threads wait for one another, for they would share these, and say so after a while. A call from within a
call does not wait; a thread that a call waits for must not make one: both would wait for good.

Thread limits and deterministic algorithms are the caller's choice, and stay.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from dataaudit.common.interrupts import deferred_interrupt, unbroken
from dataaudit.errors import AuditWarning, SettingError

ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""How NumPy handles errors by default."""
PATIENCE = 10.0
"""Seconds after which a call that waits for another says so."""
WAIT = 0.05
"""Seconds between two looks for Ctrl-C, which must not come between taking a lock and noting that it is held."""
AUTOCAST = ("cpu", "cuda", "mps", "xpu")
"""Types of devices."""


class _Visit(threading.local):
    """Visits of a thread: how many are under way, and what the innermost has set aside."""

    depth = 0
    set_aside: tuple[str, ...] = ()
    dtype: Any = None


_visit = _Visit()
_locks: dict[str, threading.Lock] = {}


def _unlock() -> None:
    """Locks that nobody holds: of calls, and of the runs that threads of a backend carry out for one of them."""
    _locks.update(calls=threading.Lock(), runs=threading.Lock())


_unlock()
if hasattr(os, "register_at_fork"):
    # A forked process has a copy of the lock, but not the thread that would release it.
    os.register_at_fork(after_in_child=_unlock)


def set_aside() -> list[str]:
    """Settings of the caller that this thread's visit has replaced for its time."""
    return list(_visit.set_aside)


def callers_dtype() -> Any:
    """Torch's default type as the caller has set it."""
    return sys.modules["torch"].get_default_dtype() if _visit.dtype is None else _visit.dtype


@contextmanager
def default_dtype(dtype: Any) -> Iterator[None]:
    """Torch's default type is `dtype` for a while."""
    torch = sys.modules["torch"]
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def settled() -> Iterator[list[str]]:
    """This thread's modes of NumPy and torch are the usual ones for a while; yields those that were not."""
    replaced: list[str] = []
    with ExitStack() as modes:
        if np.geterr() != ERRORS:
            replaced.append("np.seterr")
            modes.enter_context(np.errstate(**ERRORS))  # type: ignore[arg-type]
        # Torch that is not imported has no modes.
        if (torch := sys.modules.get("torch")) is not None:
            replaced += _settle(torch, modes)
        yield replaced


def _settle(torch: Any, modes: ExitStack) -> Iterator[str]:
    if torch.is_inference_mode_enabled():
        yield "torch.inference_mode"
        modes.enter_context(torch.inference_mode(False))
    elif not torch.is_grad_enabled():
        yield "torch.no_grad"
        modes.enter_context(torch.enable_grad())
    if (device := torch.get_default_device()).type != "cpu":
        yield f"default device {device}"
        modes.enter_context(torch.device("cpu"))
    cast = [device for device in AUTOCAST if torch.amp.is_autocast_available(device)]
    cast = [device for device in cast if torch.is_autocast_enabled(device)]
    if not cast:
        return
    yield from (f"torch.autocast({device!r})" for device in cast)
    for device in cast:
        modes.enter_context(torch.autocast(device, enabled=False))
    # Weights that were cast are kept to the end of the outermost autocast, however they change by training: it is ours.
    while torch.autocast_decrement_nesting() >= 0:
        modes.callback(torch.autocast_increment_nesting)
    torch.autocast_increment_nesting()


@contextmanager
def visiting(*, worker: bool = False, patience: float = PATIENCE) -> Iterator[None]:
    """The process is as the library needs it for a while, then as it was, also when an error or Ctrl-C passes.

    `worker` is for one of the runs that a backend carries out for a call, perhaps in a thread of its own. Who waits for
    another thread's call for longer than `patience` seconds is told so.

    Raises
    ------
    SettingError
        If the caller wants deterministic algorithms alone, and torch has none for an operation.
    """
    put_back = ExitStack()
    put_back.callback(_handle, _handlers())
    try:
        with deferred_interrupt() as check:
            _take_turn("runs" if worker else "calls", patience, put_back, check)
            _prepare(put_back)
        check()
        yield
    except RuntimeError as error:
        if "torch.use_deterministic_algorithms" not in str(error):
            raise
        raise SettingError(
            f"torch.use_deterministic_algorithms(True), and {str(error).split('. ')[0]}",
            "operations that have a deterministic version",
            "set torch.use_deterministic_algorithms(True, warn_only=True) around this call",
        ) from error
    finally:
        try:
            with unbroken():
                put_back.close()
        finally:
            # Ctrl-C may have come just before it was held back.
            put_back.close()


def _take_turn(lock: str, patience: float, put_back: ExitStack, check: Callable[[], None]) -> None:
    """Wait until no other thread computes, unless this one computes already; say so where it takes long."""
    began, told = time.monotonic(), lock == "runs"
    while not (_visit.depth or _locks[lock].acquire(timeout=WAIT)):
        check()
        if not told and time.monotonic() - began >= patience:
            told = True
            warnings.warn(
                f"a call has waited {patience:g} seconds for one in another thread, and waits on: they come one after "
                "another, and if that thread waits for this one, neither ends",
                AuditWarning,
                stacklevel=4,
            )
    if not _visit.depth:
        put_back.callback(_locks[lock].release)
    put_back.callback(setattr, _visit, "depth", _visit.depth)
    _visit.depth += 1


def _handlers() -> dict[int, Any]:
    """Handlers of the signals that end a process; only the main thread has any."""
    here = threading.current_thread() is threading.main_thread()
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM) if here}


def _handle(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _prepare(put_back: ExitStack) -> None:
    """Set what is needed, with `put_back` to undo it, and note what was replaced."""
    put_back.callback(vars(_visit).update, set_aside=_visit.set_aside, dtype=_visit.dtype)
    replaced = _forgiving(put_back)
    method = multiprocessing.get_start_method(allow_none=True)
    put_back.callback(_start, method)
    put_back.callback(random.setstate, random.getstate())
    put_back.callback(np.random.set_state, np.random.get_state(legacy=False))  # noqa: NPY002
    if (torch := sys.modules.get("torch")) is not None:
        _keep_torch(torch, put_back)
        if _visit.dtype is None:
            _visit.dtype = torch.get_default_dtype()
        if (dtype := torch.get_default_dtype()) != torch.float32:
            replaced.append(f"default dtype {dtype}")
            put_back.enter_context(default_dtype(torch.float32))
    _visit.set_aside = (*replaced, *put_back.enter_context(settled()))


def _forgiving(put_back: ExitStack) -> list[str]:
    """Let warnings of other packages be warnings where all are to be errors; our own stay what the caller made them."""
    if not any(action == "error" and category.__module__ == "builtins" for action, _, category, *_ in warnings.filters):
        return []
    put_back.enter_context(warnings.catch_warnings())
    filters: list[Any] = []
    for action, message, category, module, line in warnings.filters:
        strict = action == "error" and category.__module__ == "builtins"
        if strict and issubclass(AuditWarning, category):
            filters.append((action, message, AuditWarning, module, line))
        filters.append(("default" if strict else action, message, category, module, line))
    warnings.filters = filters
    return ["warnings as errors"]


def _start(method: str | None) -> None:
    if multiprocessing.get_start_method(allow_none=True) != method:
        # Nothing, where the caller had not chosen yet.
        multiprocessing.set_start_method(method, force=True)


def _keep_torch(torch: Any, put_back: ExitStack) -> None:
    put_back.callback(_limit, torch, torch.get_num_threads())
    if torch.cuda.is_initialized():
        put_back.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    elif torch.cuda.is_available():
        # Generators of cards that are not in use yet are those of a seed.
        put_back.callback(lambda: torch.cuda.manual_seed_all(torch.initial_seed()))
    put_back.callback(torch.set_rng_state, torch.get_rng_state())


def _limit(torch: Any, threads: int) -> None:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
