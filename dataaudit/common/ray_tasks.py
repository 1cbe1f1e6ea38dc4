"""Tasks on Ray: a bounded number at a time, started again where a worker or a node was lost, cancelled when left.

Results are yielded as tasks finish; the caller's one progress bar follows them, Ray draws and logs nothing.
"""

from __future__ import annotations

import logging
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import Any, NamedTuple

from dataaudit.common import checks, workers
from dataaudit.errors import AuditWarning, ClusterError, SettingError, require

IN_FLIGHT = 2
"""Tasks that wait or run at a time, for each that the cluster runs: none has to wait for the driver."""
RESTS = 4.0
"""Factor between rests before a lost task is started again: 1, 4, 16 seconds. A cluster needs up to 15 to notice that a
node is dead, and not to ask it again."""


@dataclass(frozen=True)
class TaskResources:
    """Resources that a task takes as in ``ray.remote``, of which cluster, and how often a lost one is started again.

    `advice` is the third part of an error about a number that is negative or not finite.
    """

    num_cpus: float
    num_gpus: float
    resources: Mapping[str, float] | None
    address: str | None
    retries: int
    advice: str = "pass {}=1"

    def __post_init__(self) -> None:
        for name in ("num_cpus", "num_gpus", "retries"):
            value, expected = getattr(self, name), "a number of at least 0"
            value = checks.number(name, value, 0, inf, "left", expected, self.advice.format(name))
            object.__setattr__(self, name, value)

    @property
    def amounts(self) -> dict[str, float]:
        """Amounts by kind."""
        return {"CPU": self.num_cpus, "GPU": self.num_gpus, **(self.resources or {})}

    def describe(self) -> dict[str, Any]:
        """Settings for an audit, JSON values."""
        settings: dict[str, Any] = {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus}
        return settings | ({"resources": dict(self.resources)} if self.resources else {})


class TaskFailure(NamedTuple):
    """A task without a result: its worker or node was lost `losses` times, or it raised the ``cause`` of `error`."""

    position: int
    error: Any
    losses: int
    traceback: str


@dataclass
class RayPool:
    """A Ray that carries out tasks; a running one is used as it is, one that was begun for this is shut down.

    `tasks` and `fitting` word messages: what the tasks are, and the settings that ask for less, of CPUs and GPUs.
    """

    resources: TaskResources
    tasks: str
    fitting: str = "num_cpus={} and num_gpus={}"
    started: int = 0
    """Tasks that were started, again or for the first time."""
    retried: int = 0
    """Tasks that were started again."""
    nodes: Counter[str] = field(default_factory=Counter)
    """Finished tasks by node."""
    _own: ExitStack = field(default_factory=ExitStack)
    """How to leave a Ray that was begun for this, or a cluster that was connected to."""

    def __enter__(self) -> RayPool:
        ray = require("ray", "ray", self.tasks)
        address = self.resources.address
        with ExitStack() as own:
            if not ray.is_initialized():
                # Ray's own care for the end of a killed driver leaves agents of the node behind for a minute.
                own.enter_context(workers.kept("raylet"))
                own.callback(ray.shutdown)
                quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
                try:
                    ray.init(address=address, include_dashboard=False, **quiet)
                except ConnectionError as error:
                    here, action = f"address={address!r} ({error})", "run: ray start --head"
                    raise ClusterError(here, "a running Ray", action) from error
            self._check_room(ray)
            self._own = own.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._own.close()

    def share(self, common: Any, advice: str = "") -> Any:
        """Hand over the function of `run`, once; `advice` goes before what to do in any case where it does not fit."""
        import ray

        try:
            return ray.put(common)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"rows that do not fit in Ray's object store ({type(error).__name__}: {error})",
                "room for one copy of them on every node",
                f"{advice}start Ray with a larger object_store_memory=",
            ) from error

    def run(
        self, shared: Any, tasks: Sequence[Any], failed: Callable[[TaskFailure], Any], ahead: float = inf
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield (position, ``function(tasks[position])``) as tasks finish; closing it cancels the others.

        `failed` gives the result, or raises, where a task raised or was lost more often than `retries`. At most `ahead`
        tasks beyond the oldest unfinished one, for each that the cluster runs at a time, are started: the driver
        holds their results.
        """
        import ray

        task = ray.remote(
            num_cpus=self.resources.num_cpus,
            num_gpus=self.resources.num_gpus,
            resources=dict(self.resources.resources or {}),
            max_retries=0,
        )(_with_node)
        waiting: deque[tuple[int, int]] = deque((position, 0) for position in range(len(tasks)))
        resting: list[tuple[float, int, int]] = []
        pending: dict[Any, tuple[int, int]] = {}
        try:
            while waiting or resting or pending:
                rest = min(resting)[0] - time.monotonic() if resting else None
                if rest is not None and rest <= 0:
                    due = min(resting)
                    resting.remove(due)
                    waiting.appendleft(due[1:])
                    continue
                slots = self._slots(ray)
                unfinished = [*islice(waiting, 1), *pending.values(), *(task for _, *task in resting)]
                oldest = min(position for position, _ in unfinished)
                while waiting and len(pending) < IN_FLIGHT * slots and waiting[0][0] - oldest < ahead * slots:
                    position, losses = waiting.popleft()
                    pending[task.remote(shared, tasks[position])] = position, losses
                    self.started += 1
                if not pending:
                    time.sleep(rest or 0.0)
                    continue
                ready, _ = ray.wait(list(pending), num_returns=1, timeout=rest)
                if not ready:
                    continue
                position, losses = pending.pop(ready[0])
                try:
                    node, result = ray.get(ready[0])
                    self.nodes[node] += 1
                except ray.exceptions.RayError as error:
                    losses = 0 if isinstance(error, ray.exceptions.RayTaskError) else losses + 1
                    if 0 < losses <= self.resources.retries:
                        self.retried += 1
                        resting.append((time.monotonic() + RESTS ** (losses - 1), position, losses))
                        continue
                    result = failed(TaskFailure(position, error, losses, traceback.format_exc()))
                yield position, result
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)

    def _check_room(self, ray: Any) -> None:
        """Raise if no node of this machine's own Ray can hold a task; say so if none of a cluster's does yet."""
        amounts = self.resources.amounts
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(kind, 0) >= amount for kind, amount in amounts.items()) for node in nodes):
            return
        gpus, cpus = max(((node.get("GPU", 0), node.get("CPU", 0)) for node in nodes), default=(0, 0))
        fitting = self.fitting.format(f"{min(cpus, amounts['CPU']):g}", f"{min(gpus, amounts['GPU']):g}")
        error = SettingError(
            f"{self.tasks} that take {amounts}",
            f"a node that has as much; the largest has {cpus:g} CPUs and {gpus:g} GPUs",
            f"pass {fitting}{', and resources= that a node has' if self.resources.resources else ''}",
        )
        if self.resources.address in (None, "local"):
            raise error
        warnings.warn(f"{error}; waiting for such a node to join", AuditWarning, stacklevel=4)

    def _slots(self, ray: Any) -> int:
        """Tasks that the cluster, which may grow, runs at a time."""
        total = ray.cluster_resources()
        taken = {kind: amount for kind, amount in self.resources.amounts.items() if amount > 0} or {"CPU": 1.0}
        return max(1, int(min(total.get(kind, 0.0) / amount for kind, amount in taken.items())))


def _with_node(function: Callable[[Any], Any], task: Any) -> tuple[str, Any]:
    import ray

    return ray.get_runtime_context().get_node_id(), function(task)
