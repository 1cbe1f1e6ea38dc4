"""Base of callbacks that record training dynamics in somebody's Trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from dataaudit.dynamics.recorder import Recorder


class RecordingCallback(ABC):
    """Callback that stands where the model stands in `dataaudit.score`."""

    trained: Any = None
    """Module that the Trainer trained; None before training."""

    @property
    @abstractmethod
    def recorder(self) -> Recorder:
        """Recorder that the callback fills."""
