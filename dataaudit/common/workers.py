"""Processes that end with the one that started them, even where that was killed and could not say so.

Those that run code of ours look after themselves; those that run somebody else's have a keeper.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from dataaudit.common import keeper

WATCH = 1.0
"""Seconds between two looks at the driver."""

_watching: set[int] = set()
"""Processes that look after themselves: this one, and those that it was forked from."""


def end_with(driver: int) -> None:
    """End this process soon after `driver`, whose child it is; where it is none, whoever runs it looks after it.

    What it has written whole stays, and what it was at is lost with it: nobody is left to take it.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != driver or os.getpid() in _watching:
        return
    _watching.add(os.getpid())
    threading.Thread(target=_watch, args=(parent,), name="dataaudit-driver", daemon=True).start()


def _watch(parent: Any) -> None:
    # Where there is a sentinel the process above may be a fork server, which ends with the driver.
    above = parent.pid if parent.sentinel is None else os.getppid()
    while os.getppid() == above and (parent.sentinel is None or parent.is_alive()):
        time.sleep(WATCH)
    os._exit(1)


@contextmanager
def kept(name: str) -> Iterator[None]:
    """End what is left of children called `name` that begin within, and of all below them, afterwards or with us.

    psutil must be importable.
    """
    psutil = str(Path(import_module("psutil").__file__ or "").parent.parent)
    command = [sys.executable, "-I", "-S", keeper.__file__, str(os.getpid()), name, psutil]
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    # Ctrl-C and signals to the driver's group are not for it.
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, start_new_session=True)
    try:
        if process.stdout is not None:
            process.stdout.readline()
        yield
    finally:
        process.communicate(b"over")
