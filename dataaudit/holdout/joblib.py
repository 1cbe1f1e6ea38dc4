"""Runs in worker processes on this machine, or wherever joblib's own context sends them (Dask, Ray, ...)."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

from dataaudit.common import checks
from dataaudit.common.guest import visiting
from dataaudit.common.workers import end_with
from dataaudit.errors import ModelError, SettingError, require
from dataaudit.holdout.base import Failure, Group

PER_JOB = 8
"""Groups for each process in one call of a backend that returns lists."""

_job: Any = None


@dataclass(frozen=True)
class Joblib:
    """Processes started by joblib's loky (spawned, not forked), one job each at a time.

    Within ``joblib.parallel_config(backend)`` of another backend that runs processes or nodes, that backend carries
    the runs. It then also decides what a dead worker costs; here it costs its own run.

    Parameters
    ----------
    n_jobs
        Number of processes; that of joblib's context, or all cores, if None; -1 for all cores.
    threads
        Threads of numerical libraries in a process; the cores shared out evenly if None.
    retries
        How often a group of runs is started again whose worker died.
    """

    n_jobs: int | None = None
    threads: int | None = None
    retries: int = 3
    name: str = "joblib"

    def __post_init__(self) -> None:
        for setting, least in (("n_jobs", 1), ("threads", 1), ("retries", 0)):
            value = getattr(self, setting)
            if value is None and setting != "retries":
                continue
            low = -1 if setting == "n_jobs" and value == -1 else least
            expected = f"a whole number of at least {least}"
            number = checks.whole(setting, value, low, f"pass {setting}=2", expected=expected)
            object.__setattr__(self, setting, number)

    def describe(self) -> dict[str, Any]:
        """Number of processes and of their threads, or the context's backend."""
        other, jobs = self._context()
        if other is not None:
            return {"joblib_backend": type(other).__name__, "n_jobs": jobs}
        return {"joblib_backend": "loky", "n_jobs": jobs, "threads": self._threads(jobs)}

    def check(self) -> None:
        """Raise unless joblib is there and its context does not run threads."""
        require("joblib", None, "Holdout(backend='joblib')")
        other, _ = self._context()
        if other is not None and getattr(other, "supports_sharedmem", False):
            raise SettingError(
                f"a joblib context of {type(other).__name__}, which runs threads",
                "processes: threads would share the generators that seeds are set in",
                "leave joblib.parallel_config, or use backend='serial'",
            )

    def map(self, job: Callable[[Group], Any], groups: Sequence[Group]) -> Generator[tuple[Group, Any], None, None]:
        """Yield groups as they finish; see `HoldoutBackend.map`."""
        other, jobs = self._context()
        if other is None:
            yield from self._in_processes(job, groups, min(jobs, len(groups)))
            return
        from joblib import Parallel, delayed

        if getattr(other, "supports_return_generator", False):
            parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
            yield from parallel(delayed(_labelled)(job, group, os.getpid()) for group in groups)
            return
        # Such backends hand nothing over before all of a call is done: calls are kept short.
        step = PER_JOB * (jobs if jobs > 0 else os.cpu_count() or 1)
        for start in range(0, len(groups), step):
            parallel = Parallel(n_jobs=jobs, batch_size=1)
            yield from parallel(delayed(_labelled)(job, group, os.getpid()) for group in groups[start : start + step])

    def _context(self) -> tuple[Any, int]:
        """Backend of joblib's context unless it is joblib's default, and the number of jobs."""
        from joblib.parallel import get_active_backend

        backend, jobs = get_active_backend(prefer="processes")
        n_jobs = self.n_jobs if self.n_jobs is not None else (jobs if jobs not in (None, 1) else -1)
        if type(backend).__name__ != "LokyBackend":
            return backend, n_jobs
        return None, n_jobs if n_jobs > 0 else (os.cpu_count() or 1)

    def _threads(self, jobs: int) -> int:
        return self.threads or max(1, (os.cpu_count() or 1) // jobs)

    def _in_processes(
        self, job: Callable[[Group], Any], groups: Sequence[Group], jobs: int
    ) -> Generator[tuple[Group, Any], None, None]:
        """One executor a process, so that the death of one does not take the others down."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        packed = _packed(job)
        waiting = deque((group, 0) for group in groups)
        workers: list[Any] = [None] * jobs
        busy: dict[Future[Any], tuple[int, Group, int]] = {}
        try:
            while waiting or busy:
                taken = {slot for slot, _, _ in busy.values()}
                for slot in range(jobs):
                    if slot not in taken and waiting:
                        if workers[slot] is None:
                            workers[slot] = self._worker(packed, jobs)
                        try:
                            future = workers[slot].submit(_run, waiting[0][0])
                        except BrokenProcessPool:
                            # It died between two groups, which costs none.
                            self._stop(workers, slot)
                            continue
                        busy[future] = (slot, *waiting.popleft())
                for future in wait(busy, return_when=FIRST_COMPLETED).done:
                    slot, group, deaths = busy.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        self._stop(workers, slot)
                        if deaths < self.retries:
                            waiting.appendleft((group, deaths + 1))
                            continue
                        result = Failure(group, f"its worker died {deaths + 1} times\n{traceback.format_exc()}")
                    yield group, result
        finally:
            for slot in range(jobs):
                self._stop(workers, slot)

    @staticmethod
    def _stop(workers: list[Any], slot: int) -> None:
        if workers[slot] is not None:
            workers[slot].shutdown(wait=True, kill_workers=True)
        workers[slot] = None

    def _worker(self, packed: bytes, jobs: int) -> Any:
        from joblib.externals.loky.process_executor import ProcessPoolExecutor

        threads = str(self._threads(jobs))
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        return ProcessPoolExecutor(
            1, initializer=_receive, initargs=(packed, os.getpid()), env=dict.fromkeys(names, threads), timeout=None
        )


def _packed(job: Callable[[Group], Any]) -> bytes:
    """Job as bytes, pickled once for all workers."""
    from joblib.externals.loky.backend.reduction import dumps

    try:
        return bytes(dumps(job))
    except Exception as error:  # Whatever objects raise that refuse to be pickled.
        raise ModelError(
            f"a model or data set that cannot be sent to another process ({type(error).__name__}: {error})",
            "one that can be pickled",
            "drop locks, open files and handles from it, or use backend='serial'",
        ) from error


def _receive(packed: bytes, driver: int) -> None:
    """Keep the job, with its data set, in a worker process, or the reason why it could not be unpacked."""
    from joblib.externals.loky.backend.reduction import loads

    global _job
    end_with(driver)
    try:
        with visiting(worker=True):
            _job = loads(packed)
    except Exception:  # Reported with every group: a worker that dies here would only be started again.
        _job = partial(_not_unpacked, traceback.format_exc())


def _not_unpacked(error: str, group: Group) -> Failure:
    return Failure(group, f"the job could not be unpacked in its worker\n{error}")


def _run(group: Group) -> Any:
    return _job(group)


def _labelled(job: Callable[[Group], Any], group: Group, driver: int) -> tuple[Group, Any]:
    end_with(driver)
    return group, job(group)
