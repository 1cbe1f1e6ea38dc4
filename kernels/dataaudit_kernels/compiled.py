"""Functions compiled by Numba and kept beside their source, so that one process compiles for all that follow.

Numba keeps machine code in the ``__pycache__`` of a source file, named by processor and argument types, and makes it
anew when that file changes. It does not look at the files of the functions that were compiled into it; here code is
kept with a digest of all sources of its folder and of this one, and is compiled anew when any of them changes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numba
from filelock import FileLock
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile

LOCATORS = ("UserProvidedCacheLocator", "InTreeCacheLocator")
"""Places of Numba where code is kept: NUMBA_CACHE_DIR, and beside the source."""

PATIENCE = 60
"""Seconds that a process waits for another to write."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` without the interpreter's lock, its code kept where that may be written.

    `options` are Numba's. Code is kept in `NUMBA_CACHE_DIR` where that is set, else beside the source; it is not where
    Python would not keep its own byte code either (a folder that cannot be written, PYTHONDONTWRITEBYTECODE,
    PYTHONPYCACHEPREFIX): nothing is written to a home folder.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(nogil=True, **options)(function)
        if config.CACHE_DIR or not (sys.dont_write_bytecode or sys.pycache_prefix is not None):
            # What `cache=True` does, but for the lock, the stamp and the places; an error where none can be written.
            with suppress(RuntimeError):
                dispatcher._cache = OneWriter(function)
        return dispatcher

    return decorate


class Places(CompileResultCacheImpl):  # type: ignore[misc]
    """Numba's choice of a place, the home folder left out."""

    _locator_classes: ClassVar = [
        one for one in CompileResultCacheImpl._locator_classes if one.__name__.strip("_") in LOCATORS
    ]


class OneWriter(FunctionCache):  # type: ignore[misc]
    """Numba's cache, written by one process at a time, for sources that are what they were.

    It numbers the files of a function's signatures by reading an index and writing it again: two processes that do so
    at once give one number to code for different types, and a third would run the wrong one.

    What cannot be read or written, such as another user's, is compiled as if it were not there.
    """

    _impl_class = Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = sources(Path(function.__code__.co_filename).parent)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Code of a signature; None where there is none.

        Kept code has its own copies of the functions that it calls, which LLVM may have optimised to other roundings.
        Where these functions are there already, they are called instead, as when all was compiled: so they come first,
        and whoever finds code gets the scores, bit for bit, of whoever compiled it.
        """
        try:
            machine = target_context.codegen()
            if self._cache_file.load(self._index_key(sig, machine)) is not None:
                for callee in self._callees():
                    for known in callee._cache.signatures(machine):
                        callee.compile(known)
            return super().load_overload(sig, target_context)
        except OSError:
            return None

    def signatures(self, machine: Any) -> list[Any]:
        """Signatures whose code is kept for a processor, Numba's `codegen`: another may lack instructions for them."""
        return [sig for sig, *rest in self._cache_file._load_index() if (sig, *rest) == self._index_key(sig, machine)]

    def _callees(self) -> list[Any]:
        """Functions kept in this way that the function calls by name."""
        found = (self._py_func.__globals__.get(name) for name in self._py_func.__code__.co_names)
        return [one for one in found if isinstance(getattr(one, "_cache", None), OneWriter)]

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code of a signature."""
        folder = Path(self.cache_path)
        # No room, no right, or a file system without locks.
        with suppress(OSError, NotImplementedError):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "dataaudit-kernels.lock", timeout=PATIENCE):
                super().save_overload(sig, data)


@lru_cache
def sources(folder: Path) -> str:
    """Digest of the sources of a folder, and of this one, when it is first asked about."""
    digest = hashlib.blake2b(digest_size=16)
    for source in sorted({*folder.glob("*.py"), *Path(__file__).parent.glob("*.py")}):
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()
