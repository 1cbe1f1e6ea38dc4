"""Errors of tasks on a Ray cluster."""

from __future__ import annotations

from typing import NoReturn

from dataaudit.common.ray_tasks import TaskFailure
from dataaudit.errors import ClusterError, DataAuditError

MAPPED = "pass rows that are memory-mapped, which workers open by themselves, or "


def refuse(owner: str, smaller: str, failure: TaskFailure) -> NoReturn:
    """Raise what a task of `owner` raised, if that is for a user to read, or words for it.

    `smaller` is the setting by which a task takes less memory, such as ``block_rows=500``.
    """
    if failure.losses:
        raise ClusterError(
            f"a task of {owner} whose worker or node was lost {failure.losses} times "
            f"({type(failure.error).__name__})\n{failure.traceback}",
            "nodes that stay up, with memory for a task",
            [f"pass {smaller}", "call again: finished blocks in a folder are kept"],
        ) from failure.error
    if isinstance(failure.error.cause, (DataAuditError, ValueError, MemoryError)):
        raise failure.error.cause from failure.error
    raise ClusterError(
        f"a task of {owner} that failed\n{failure.error}",
        "nodes on which this library and its dependencies run as they do here",
        "mend what the traceback names and call again: finished blocks in a folder are kept",
    ) from failure.error
