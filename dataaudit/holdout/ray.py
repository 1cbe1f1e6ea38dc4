"""Runs on a Ray cluster, or on a Ray of this machine's own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from dataaudit.common.ray_tasks import RayPool, TaskFailure, TaskResources
from dataaudit.errors import require
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
        _ = self._resources

    @property
    def _resources(self) -> TaskResources:
        advice = "pass Ray({}=1)"
        return TaskResources(self.num_cpus, self.num_gpus, self.resources, self.address, self.retries, advice)

    def describe(self) -> dict[str, Any]:
        """Resources of a group."""
        return self._resources.describe()

    def check(self) -> None:
        """Raise unless Ray is installed."""
        require("ray", "ray", "Holdout(backend='ray')")

    def map(self, job: Callable[[Group], Any], groups: Sequence[Group]) -> Generator[tuple[Group, Any], None, None]:
        """Yield groups as they finish; see `HoldoutBackend.map`."""

        def failed(task: TaskFailure) -> Failure:
            died = f"its worker or node died {task.losses} times\n" if task.losses else ""
            return Failure(groups[task.position], died + task.traceback)

        with (
            RayPool(self._resources, "groups of runs", "Ray(num_cpus={}, num_gpus={})") as pool,
            closing(pool.run(pool.share(job), groups, failed)) as results,
        ):
            for position, result in results:
                yield groups[position], result
