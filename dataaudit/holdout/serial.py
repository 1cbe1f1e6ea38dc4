"""Runs one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from dataaudit.holdout.base import Group


@dataclass(frozen=True)
class Serial:
    """Runs in this process, with all its threads."""

    name: str = "serial"

    def describe(self) -> dict[str, Any]:
        """No settings."""
        return {}

    def check(self) -> None:
        """Runs everywhere."""

    def map(self, job: Callable[[Group], Any], groups: Sequence[Group]) -> Generator[tuple[Group, Any], None, None]:
        """Yield groups in order; see `HoldoutBackend.map`."""
        for group in groups:
            yield group, job(group)
