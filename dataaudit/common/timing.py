"""Seconds by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Timer:
    """Seconds spent in every stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    def copy(self) -> Timer:
        """Another timer that goes on from these."""
        return Timer(dict(self.seconds))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the block to stage `name`, also when it is left by an exception."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
