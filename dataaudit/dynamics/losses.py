"""The loss of each row when training saw it last, over the epochs that are complete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dataaudit.common.types import AnyArray, BoolArray, FloatArray
from dataaudit.dynamics.batches import last_seen


class LatestLosses:
    """Latest losses float32 [n] of complete epochs; those of an open one stand apart, for it may be discarded."""

    def __init__(self, n: int) -> None:
        self._values = np.full(n, np.nan, np.float32)

    def commit(self, seen: BoolArray, losses: AnyArray) -> None:
        """Take over the losses [n] of the rows `seen` [n] in an epoch that ends."""
        self._values[seen] = losses[seen]

    def view(self, seen: BoolArray | None = None, losses: AnyArray | None = None) -> FloatArray:
        """Losses float64 [n], NaN where there are none; those of an open epoch where it has `seen` a row."""
        latest = self._values.astype(np.float64)
        if seen is not None and losses is not None:
            latest[seen] = losses[seen]
        return latest

    def merge(
        self, other: LatestLosses, mine: Sequence[NDArray[np.uint8]], theirs: Sequence[NDArray[np.uint8]]
    ) -> None:
        """Take another process's losses of the rows that it saw later; rows seen, as bits [ceil(n / 8)] by epoch."""
        n = len(self._values)
        self.commit(last_seen(theirs, n) > last_seen(mine, n), other._values)

    def state(self) -> torch.Tensor:
        """The losses of complete epochs, float32 [n]."""
        return torch.from_numpy(self._values.copy())

    def load(self, state: Any) -> None:
        """Restore what `state` gave."""
        self._values = state.numpy().copy()
