"""Runs on a Ray cluster, or on a Ray of this machine's own."""

from __future__ import annotations

import logging
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataaudit.errors import SettingError, require
from dataaudit.holdout.base import Failure, Group


@dataclass(frozen=True)
class Ray:
    """Tasks on Ray; the data set goes to the object store once.

    A Ray that is running in this process is used as it is. Otherwise one is started, or connected to, and left when
    the runs are over.

    Parameters
    ----------
    num_cpus, num_gpus, resources
        What a group of runs takes; as in ``ray.remote``.
    address
        Of a cluster to connect to, as in ``ray.init``; a local Ray if None.
    retries
        How often a group of runs is started again whose worker or node died.
    """

    num_cpus: float = 1
    num_gpus: float = 0
    resources: Mapping[str, float] | None = None
    address: str | None = None
    retries: int = 3
    name: str = "ray"

    def __post_init__(self) -> None:
        for setting in ("num_cpus", "num_gpus", "retries"):
            value = getattr(self, setting)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
                raise SettingError(f"{setting}={value!r}", "a number of at least 0", f"pass Ray({setting}=1)")

    def describe(self) -> dict[str, Any]:
        """What a group takes."""
        told: dict[str, Any] = {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus}
        return told | ({"resources": dict(self.resources)} if self.resources else {})

    def check(self) -> None:
        """Raise unless Ray is installed."""
        require("ray", "ray", "Holdout(backend='ray')")

    def map(self, job: Callable[[Group], Any], groups: Sequence[Group]) -> Generator[tuple[Group, Any], None, None]:
        """As `HoldoutBackend.map`, as they finish."""
        import ray

        own = not ray.is_initialized()
        if own:
            ray.init(address=self.address, include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
        pending: dict[Any, tuple[Group, int]] = {}
        try:
            self._check_room(ray)
            stored = ray.put(job)
            task = ray.remote(
                num_cpus=self.num_cpus, num_gpus=self.num_gpus, resources=dict(self.resources or {}), max_retries=0
            )(_carry_out)
            waiting = deque((group, 0) for group in groups)
            while waiting or pending:
                while waiting and len(pending) < self._room(ray):
                    group, deaths = waiting.popleft()
                    pending[task.remote(stored, group)] = (group, deaths)
                (finished,), _ = ray.wait(list(pending), num_returns=1)
                group, deaths = pending.pop(finished)
                try:
                    result = ray.get(finished)
                except ray.exceptions.RayError:
                    if deaths < self.retries:
                        waiting.appendleft((group, deaths + 1))
                        continue
                    result = Failure(group, f"its worker or node died {deaths + 1} times\n{traceback.format_exc()}")
                yield group, result
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)
            if own:
                ray.shutdown()

    def _check_room(self, ray: Any) -> None:
        """Raise if no node of this machine's own Ray can hold a group; say so if none of a cluster's does yet."""
        asked = {"CPU": self.num_cpus, "GPU": self.num_gpus, **(self.resources or {})}
        there = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(kind, 0) >= amount for kind, amount in asked.items()) for node in there):
            return
        words = (
            f"groups of runs that take {asked}",
            f"a node that has as much; the largest has {max((node.get('CPU', 0) for node in there), default=0):g} CPUs "
            f"and {max((node.get('GPU', 0) for node in there), default=0):g} GPUs",
            "pass Ray(num_cpus=..., num_gpus=...) that fit",
        )
        if self.address is None:
            raise SettingError(*words)
        warnings.warn(f"{SettingError(*words)}; waiting for such a node to join", stacklevel=3)

    def _room(self, ray: Any) -> int:
        """Groups in flight: twice what the cluster holds, which may grow."""
        cpus = ray.cluster_resources().get("CPU", 1.0)
        return max(2, int(2 * cpus / max(self.num_cpus, 0.01)))


def _carry_out(job: Callable[[Group], Any], group: Group) -> Any:
    return job(group)


ray = Ray()
