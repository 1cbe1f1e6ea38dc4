"""Tasks on Ray: a bounded number at a time, started again where a worker or a node was lost, cancelled when left."""

from __future__ import annotations

import logging
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataaudit.cluster.schedule import ahead, started
from dataaudit.errors import ClusterError, DataAuditError, SettingError, require


@dataclass(frozen=True)
class Needs:
    """What a task takes of a cluster, and which one.

    Parameters
    ----------
    num_cpus, num_gpus, resources
        As in ``ray.remote``.
    address
        Of a cluster to connect to, as in ``ray.init``; the Ray of this process, or a local one, if None.
    retries
        How often a task is started again whose worker or node was lost.

    Raises
    ------
    SettingError
        If a number is negative or not finite.
    """

    num_cpus: float
    num_gpus: float
    resources: Mapping[str, float] | None
    address: str | None
    retries: int

    def __post_init__(self) -> None:
        for setting in ("num_cpus", "num_gpus", "retries"):
            value = getattr(self, setting)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
                raise SettingError(f"{setting}={value!r}", "a number of at least 0", f"pass {setting}=1")

    @property
    def asked(self) -> dict[str, float]:
        """Amounts by kind."""
        return {"CPU": self.num_cpus, "GPU": self.num_gpus, **(self.resources or {})}


@dataclass
class Crew:
    """A Ray that carries out tasks; a running one is used as it is, one that was begun for this is shut down.

    Parameters
    ----------
    needs
        What a task takes.
    purpose
        Whose tasks they are, for messages.

    Attributes
    ----------
    begun, lost
        Tasks that were started, and those of them whose worker or node was lost.
    nodes
        Tasks finished by node.
    """

    needs: Needs
    purpose: str
    begun: int = 0
    lost: int = 0
    nodes: dict[str, int] = field(default_factory=dict)
    _own: bool = False

    def __enter__(self) -> Crew:
        ray = require("ray", "ray", self.purpose)
        self._own = not ray.is_initialized()
        if self._own:
            try:
                ray.init(
                    address=self.needs.address,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                )
            except ConnectionError as error:
                raise ClusterError(
                    f"address={self.needs.address!r} ({error})", "a running Ray", "run: ray start --head"
                ) from error
        try:
            self._check_room(ray)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Shut down a Ray that was begun here."""
        import ray

        if self._own:
            self._own = False
            ray.shutdown()

    def share(self, common: Any) -> Any:
        """Hand something over once; what it gives stands for it among the arguments of `carry_out`.

        Raises
        ------
        ClusterError
            If it does not fit.
        """
        import ray

        try:
            return ray.put(common)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"rows that do not fit in Ray's object store ({type(error).__name__}: {error})",
                "room for one copy of them on every node",
                "pass rows that are memory-mapped, which workers open by themselves, or start Ray with a larger "
                "object_store_memory=",
            ) from error

    def carry_out(
        self, work: Callable[[Any, Any], Any], common: Any, tasks: Sequence[Any]
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield (place, ``work(common, tasks[place])``) as they finish, never far ahead of the oldest unfinished.

        Parameters
        ----------
        work
            A function of a module.
        common
            What `share` gave.
        tasks
            One argument each.

        Raises
        ------
        DataAuditError, ValueError, MemoryError
            What a task raised.
        ClusterError
            If a task's worker was lost more than `retries` times, or it failed in another way.
        """
        import ray

        task = ray.remote(
            num_cpus=self.needs.num_cpus,
            num_gpus=self.needs.num_gpus,
            resources=dict(self.needs.resources or {}),
            max_retries=0,
        )(_with_node)
        waiting: deque[tuple[int, int]] = deque((place, 0) for place in range(len(tasks)))
        resting: list[tuple[float, int, int]] = []
        pending: dict[Any, tuple[int, int]] = {}
        try:
            while waiting or resting or pending:
                rest = min(resting)[0] - time.monotonic() if resting else None
                if rest is not None and rest <= 0:
                    _, place, losses = due = min(resting)
                    resting.remove(due)
                    waiting.appendleft((place, losses))
                    continue
                slots = self._slots(ray)
                while waiting and len(pending) < started(slots):
                    unfinished = [*(place for place, _ in pending.values()), *(place for _, place, _ in resting)]
                    if waiting[0][0] - min(unfinished, default=waiting[0][0]) >= ahead(slots):
                        break
                    place, losses = waiting.popleft()
                    pending[task.remote(work, common, tasks[place])] = place, losses
                    self.begun += 1
                if not pending:
                    time.sleep(rest or 0.0)
                    continue
                ready, _ = ray.wait(list(pending), num_returns=1, timeout=rest)
                if not ready:
                    continue
                finished = ready[0]
                place, losses = pending.pop(finished)
                try:
                    node, result = ray.get(finished)
                except ray.exceptions.RayTaskError as error:
                    raise _failed(error, self.purpose) from error
                except ray.exceptions.RayError as error:
                    self.lost += 1
                    if losses >= self.needs.retries:
                        raise ClusterError(
                            f"a task of {self.purpose} whose worker or node was lost {losses + 1} times "
                            f"({type(error).__name__})\n{traceback.format_exc()}",
                            "nodes that stay up, with memory for a task",
                            "make its blocks smaller, or call again: finished blocks in a folder are kept",
                        ) from error
                    # It takes a cluster up to 15 seconds to notice that a node is dead, and not to ask it again.
                    resting.append((time.monotonic() + 4.0**losses, place, losses + 1))
                    continue
                self.nodes[node] = self.nodes.get(node, 0) + 1
                yield place, result
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)

    def _check_room(self, ray: Any) -> None:
        """Raise if no node of this machine's own Ray can hold a task; say so if none of a cluster's does yet."""
        asked = self.needs.asked
        there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(kind, 0) >= amount for kind, amount in asked.items()) for node in there):
            return
        words = (
            f"tasks of {self.purpose} that take {asked}",
            f"a node that has as much; the largest has {max((node.get('CPU', 0) for node in there), default=0):g} CPUs "
            f"and {max((node.get('GPU', 0) for node in there), default=0):g} GPUs",
            "pass num_cpus= and num_gpus= that fit",
        )
        if self.needs.address is None:
            raise SettingError(*words)
        warnings.warn(f"{SettingError(*words)}; waiting for such a node to join", stacklevel=4)

    def _slots(self, ray: Any) -> int:
        """Tasks that the cluster, which may grow, runs at a time."""
        there = ray.cluster_resources()
        return max(1, int(min(there.get(kind, 0.0) / amount for kind, amount in self._limits(there).items())))

    def _limits(self, there: Mapping[str, float]) -> dict[str, float]:
        asked = {kind: amount for kind, amount in self.needs.asked.items() if amount > 0}
        return asked or {"CPU": 1.0}


def _failed(error: Any, purpose: str) -> Exception:
    """What a task raised, or words for it."""
    cause = error.cause
    if isinstance(cause, (DataAuditError, ValueError, MemoryError)):
        return cause
    return ClusterError(
        f"a task of {purpose} that failed\n{error}",
        "nodes on which this library and its dependencies run as they do here",
        "mend what the traceback names and call again: finished blocks in a folder are kept",
    )


def _with_node(work: Callable[[Any, Any], Any], common: Any, task: Any) -> tuple[str, Any]:
    import ray

    return ray.get_runtime_context().get_node_id(), work(common, task)
