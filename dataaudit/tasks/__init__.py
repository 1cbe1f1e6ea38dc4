"""Tasks: what a label is, by name; those that come with the library and those that packages register."""

from __future__ import annotations

from dataaudit.common.registry import Registry
from dataaudit.tasks.base import Task

__all__ = ["Task", "describe", "names"]

REGISTRY = Registry(
    "task",
    {
        "classification": "dataaudit.tasks.classification:CLASSIFICATION",
    },
    group="dataaudit.tasks",
)


names, describe = REGISTRY.names, REGISTRY.describe


def resolve(task: str | Task) -> Task:
    """Task by name, or the object itself.

    Raises
    ------
    SettingError
        If the name is unknown, or the object is no task.
    """
    found: Task = REGISTRY.resolve(task, Task, f"task={task!r}", "the name of a task, or a dataaudit.tasks.Task")
    return found


def __dir__() -> list[str]:
    return __all__
