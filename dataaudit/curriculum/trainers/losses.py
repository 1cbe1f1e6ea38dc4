"""Losses of the training under way, for the strategies that go by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.dynamics.callback import RecordingCallback
from dataaudit.dynamics.processes import gather_recorder
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError


class RecordedLosses(RecordingCallback):
    """Makes a callback a `LossRecord`, for `dataaudit.SmallLoss` and `dataaudit.SelfPaced`.

    Losses are those at the end of the last complete epoch, so that a training resumed within an epoch asks for the
    same weights as the one that was broken off.
    """

    _recorder: Recorder | None = None
    _n: Any = None
    _length: int | None = None
    _losses: FloatArray | None = None
    _apart: int = 1
    _open: bool = False
    _begin: str = "trainer.train()"

    @property
    def recorder(self) -> Recorder:
        """Record so far: after training, of all processes.

        Raises
        ------
        DataError
            If training has not begun.
        """
        if self._recorder is None:
            raise DataError("a recording that has not begun", "a Trainer that trains", f"call {self._begin} first")
        return self._recorder

    def set_length(self, n: int) -> None:
        """Set the number of rows of the data set that training is going to be on."""
        self._length = n

    @property
    def epochs(self) -> int:
        """Number of complete epochs; 0 before training."""
        return 0 if self._recorder is None else self._recorder.epochs

    @property
    def labels(self) -> IntArray:
        """Labels as recorded, int64 [n], -1 where a row was never seen; before training empty while n is unknown."""
        if self._recorder is not None:
            return self._recorder.labels
        return np.full((self._length or 0) if self._n is None else self._n, -1, np.int64)

    def latest_losses(self) -> FloatArray:
        """Cross-entropy of each row when it was last seen in a complete epoch, float64 [n], NaN where it never was.

        Raises
        ------
        DataError
            While several processes train, each of which knows the losses of its own rows alone.
        """
        if self._apart > 1:
            raise DataError(
                f"losses in {self._apart} processes, each of which saw its own rows alone",
                "one process, for a strategy that goes by the losses of the training under way",
                "train in one process, or choose a strategy that goes by the audit alone, such as 'suspects'",
            )
        return np.full(len(self.labels), np.nan) if self._losses is None else self._losses

    def _close(self) -> None:
        """Close the open epoch, in all processes."""
        self.recorder.end_epoch(torch.distributed.group.WORLD if self._apart > 1 else None)
        self._open = False
        self._keep_losses()

    def _gather(self) -> None:
        """Replace this process's record by that of all."""
        if self._apart > 1:
            self._recorder, self._apart = gather_recorder(self.recorder), 1
            self._keep_losses()

    def _keep_losses(self) -> None:
        self._losses = None if self._recorder is None else self._recorder.latest_losses()
