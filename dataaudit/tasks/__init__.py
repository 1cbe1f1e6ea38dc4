"""Tasks: what a label is, by name; those that come with the library and those that packages register."""

from __future__ import annotations

from dataaudit.common.registry import Registry
from dataaudit.tasks.base import Task

__all__ = ["Task", "describe", "names"]

BUILT_IN = {"classification": "dataaudit.tasks.classification:CLASSIFICATION"}
REGISTRY = Registry("task", BUILT_IN, group="dataaudit.tasks")

names, describe = REGISTRY.names, REGISTRY.describe


def resolve(task: str | Task) -> Task:
    """Task by name, or the object itself; a `SettingError` for anything else."""
    resolved: Task = REGISTRY.resolve(task, Task, f"task={task!r}", "the name of a task, or a dataaudit.tasks.Task")
    return resolved


def __dir__() -> list[str]:
    return __all__
