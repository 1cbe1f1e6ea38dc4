"""Matrix products on one thread each: rows are shared out over threads here, and bits do not depend on how many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import scipy.linalg
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_threads = 1
_limit: Any = None


@cache
def _libraries() -> Any:
    """BLAS libraries of NumPy and SciPy, which are both loaded by now; the search takes milliseconds."""
    assert np.dot is not None
    assert scipy.linalg is not None
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_thread() -> Iterator[int]:
    """Keep BLAS to one thread, and yield how many it had, for the caller's own threads.

    May be entered from several threads and from within itself: the last one to leave restores the number.
    """
    global _users, _threads, _limit
    with _lock:
        if not _users:
            _threads = max((library.num_threads for library in _libraries().lib_controllers), default=1)
            _limit = _libraries().limit(limits=1)
        _users += 1
    try:
        yield _threads
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _limit.restore_original_limits()
