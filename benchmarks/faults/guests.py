"""Settings of the caller's process: calls give the same within them, and put back what they changed."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import threadpoolctl
import torch

from benchmarks.faults.base import FINE, Case, Outcome, bare
from benchmarks.faults.calls import CALLS, Result, differs
from benchmarks.faults.material import fingerprint
from dataaudit.errors import DataAuditError

ROUNDING = 1e-4
"""Tolerance where threads or arithmetic of another kind were asked for, which sum in another order."""


@contextmanager
def _set(get: Callable[[], Any], put: Callable[[Any], Any], value: Any) -> Iterator[None]:
    before = get()
    put(value)
    try:
        yield
    finally:
        put(before)


@contextmanager
def _handled(number: int, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def _warnings(action: Any) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        yield


@contextmanager
def _random(seed: int) -> Iterator[None]:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    yield


@contextmanager
def _elsewhere() -> Iterator[None]:
    before = os.getcwd()
    os.chdir("/")
    try:
        yield
    finally:
        os.chdir(before)


def _start_method() -> Any:
    return multiprocessing.get_start_method(allow_none=True)


def _method(name: str) -> AbstractContextManager[None]:
    return _set(_start_method, lambda value: multiprocessing.set_start_method(value, force=True), name)


SETTINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default dtype float64": lambda: _set(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "default dtype bfloat16": lambda: _set(torch.get_default_dtype, torch.set_default_dtype, torch.bfloat16),
    "default device meta": lambda: torch.device("meta"),
    "deterministic": lambda: _set(torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "errstate raise": lambda: np.errstate(all="raise"),
    "warnings as errors": lambda: _warnings("error"),
    "warnings ignored": lambda: _warnings("ignore"),
    "start method spawn": lambda: _method("spawn"),
    "start method forkserver": lambda: _method("forkserver"),
    "SIGINT ignored": lambda: _handled(signal.SIGINT, signal.SIG_IGN),
    "own SIGINT": lambda: _handled(signal.SIGINT, lambda number, frame: None),
    "own SIGTERM": lambda: _handled(signal.SIGTERM, lambda number, frame: None),
    "random states": lambda: _random(7),
    "pandas output": lambda: sklearn.config_context(transform_output="pandas"),
    "metadata routing": lambda: sklearn.config_context(enable_metadata_routing=True),
    "pandas strings": lambda: pd.option_context("future.infer_string", True),
    "print options": lambda: np.printoptions(precision=1, threshold=2),
    "no garbage collection": lambda: _set(gc.isenabled, lambda on: gc.enable() if on else gc.disable(), False),
    "another folder": _elsewhere,
    "switch interval": lambda: _set(sys.getswitchinterval, sys.setswitchinterval, 1e-6),
    "threads of torch": lambda: _set(torch.get_num_threads, torch.set_num_threads, 2),
    "thread limits": lambda: threadpoolctl.threadpool_limits(2),
    "matmul precision": lambda: _set(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"),
    "no flush of denormals": lambda: _set(lambda: False, torch.set_flush_denormal, True),
}

ROUNDED = {"threads of torch", "thread limits", "matmul precision", "no flush of denormals"}


def state() -> dict[str, str]:
    """What a call must leave as it was, by name."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM)
    found = {
        "Python's generator": random.getstate(),
        "NumPy's generator": np.random.get_state(),  # noqa: NPY002
        "torch's generator": torch.get_rng_state(),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
        "autocast": (
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.is_autocast_cache_enabled(),
        ),
        "default dtype": torch.get_default_dtype(),
        "default device": str(torch.get_default_device()),
        "determinism": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.benchmark,
        ),
        "threads of torch": torch.get_num_threads(),
        "threads of libraries": sorted(
            (one["filepath"], one["num_threads"]) for one in threadpoolctl.threadpool_info()
        ),
        "errstate": np.geterr(),
        "warnings' filters": [repr(one) for one in warnings.filters],
        "start method": _start_method(),
        "signals": [repr(signal.getsignal(number)) for number in numbers],
        "scikit-learn": sklearn.get_config(),
        "environment": {name: value for name, value in os.environ.items() if not name.startswith("KMP_")},
        "folder": os.getcwd(),
        "garbage collection": gc.isenabled(),
        "matmul precision": torch.get_float32_matmul_precision(),
        "threads": sorted(thread.name for thread in threading.enumerate() if not thread.daemon),
    }
    return {name: fingerprint(value) for name, value in found.items()}


def trial(call: Callable[[int], Result], expected: Result, names: list[str]) -> Outcome:
    """Call within some settings, and compare its result and the process."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(SETTINGS[name]())
        before = state()
        try:
            found: Result | DataAuditError = call(0)
        except DataAuditError as error:
            found = error
        except Exception as error:  # What a campaign looks for.
            return bare(error)
        after = state()
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        return Outcome("lost", f"not put back: {', '.join(changed)}")
    if isinstance(found, DataAuditError):
        return Outcome("refused", str(found))
    other = differs(found, expected, ROUNDING if ROUNDED & {*names} else 0.0)
    return Outcome("silent", f"another {other}") if other else FINE


def trials(name: str, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Each setting by itself, then two and three at once."""
    call = CALLS[name]
    expected = call(0)
    single = [[one] for one in rng.permutation(list(SETTINGS)).tolist()]
    for number in range(count):
        size = 2 + number % 2
        names = single[number] if number < len(single) else rng.choice(list(SETTINGS), size, replace=False).tolist()
        outcome = trial(call, expected, names)
        yield Outcome(outcome.verdict, f"{' and '.join(names)}: {outcome.detail}")


def cases() -> list[Case]:
    """Cases of every call."""
    return [Case("guests", name, len(SETTINGS) + 8, 4, partial(trials, name)) for name in CALLS]
