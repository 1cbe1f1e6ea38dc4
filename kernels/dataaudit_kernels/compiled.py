"""Functions compiled by Numba and kept beside their source, so that one process compiles for all that follow.

Numba keeps machine code in the ``__pycache__`` of a source file, named by processor and argument types, and makes it
anew when that file changes. It does not look at the files of the functions that were compiled into it, so code that is
older than any source file of its folder, or of this one, is removed when the folder is first asked about.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from filelock import FileLock
from numba.core import config
from numba.core.caching import FunctionCache


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` without the interpreter's lock, its code kept where that may be written.

    `options` are Numba's. Code is kept in `NUMBA_CACHE_DIR` where that is set, else beside the source; it is not where
    Python would not keep its own byte code either (a folder that cannot be written, PYTHONDONTWRITEBYTECODE,
    PYTHONPYCACHEPREFIX): nothing is written to a home folder.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        folder = Path(function.__code__.co_filename).parent
        kept = bool(config.CACHE_DIR) or keeps(folder)
        dispatcher = numba.njit(nogil=True, **options)(function)
        if kept:
            # What `cache=True` does, but for the lock.
            dispatcher._cache = OneWriter(function)
        return dispatcher

    return decorate


class OneWriter(FunctionCache):  # type: ignore[misc]
    """Numba's cache, written by one process at a time.

    It numbers the files of a function's signatures by reading an index and writing it again: two processes that do so
    at once give one number to code for different types, and a third would run the wrong one.
    """

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code of a signature."""
        folder = Path(self.cache_path)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "dataaudit-kernels.lock"):
            super().save_overload(sig, data)


@lru_cache
def keeps(folder: Path) -> bool:
    """Whether code may be kept in the byte code folder of a folder of sources; code older than a source is removed."""
    if sys.dont_write_bytecode or sys.pycache_prefix is not None:
        return False
    kept = folder / "__pycache__"
    try:
        kept.mkdir(exist_ok=True)
    except OSError:
        return False
    if not os.access(kept, os.W_OK | os.X_OK):
        return False
    sources = {*folder.glob("*.py"), *Path(__file__).parent.glob("*.py")}
    newest = max((source.stat().st_mtime_ns for source in sources), default=0)
    for pattern in ("*.nbi", "*.nbc"):
        for code in kept.glob(pattern):
            try:
                if code.stat().st_mtime_ns < newest:
                    code.unlink()
            except FileNotFoundError:
                pass  # Another process was first.
    return True
