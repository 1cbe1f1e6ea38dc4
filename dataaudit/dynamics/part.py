"""Some rows of a record, as if no others had been recorded."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.summary import Dynamics, Predictions
from dataaudit.tasks.base import Task

BITS = ("correct_bits", "seen_bits")
BY_EPOCH = ("confidence_by_epoch", "max_confidence_by_epoch")
OF_EPOCHS = ("kept_epochs", "epoch_weights")


class RecordedRows:
    """What `recorder` holds of the rows `rows`, ascending int64 [m]; it may record on."""

    def __init__(self, recorder: Recorder, rows: IntArray) -> None:
        self._recorder, self._rows = recorder, rows

    @property
    def n(self) -> int:
        """Number of rows m."""
        return len(self._rows)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._recorder.classes

    @property
    def outcomes(self) -> int:
        """Outcomes of a unit."""
        return self._recorder.outcomes

    @property
    def task(self) -> Task:
        """Kind of the labels."""
        return self._recorder.task

    @property
    def epochs(self) -> int:
        """Number of complete epochs."""
        return self._recorder.epochs

    @property
    def labels(self) -> IntArray:
        """Labels as recorded, int64 [m], -1 where a row was never seen."""
        return self._recorder.labels[self._rows]

    def dynamics(self) -> Dynamics | None:
        """Dynamics of the complete epochs; None before the first."""
        whole = self._recorder.dynamics()
        if whole is None:
            return None
        made: dict[str, Any] = {}
        for field in fields(whole):
            values = getattr(whole, field.name)
            if field.name in BITS:
                made[field.name] = np.packbits(self._unpacked(values), axis=1)
            elif field.name in BY_EPOCH:
                made[field.name] = values[:, self._rows]
            elif isinstance(values, np.ndarray) and field.name not in OF_EPOCHS:
                made[field.name] = values[self._rows]
        return replace(whole, **made)

    def _unpacked(self, bits: AnyArray) -> AnyArray:
        return np.unpackbits(bits, axis=1, count=self._recorder.n)[:, self._rows]

    def predictions(self) -> Predictions | None:
        """Predictions of the evaluation pass; None without one."""
        whole = self._recorder.predictions()
        if whole is None:
            return None
        names = ("confidence", "max_confidence", "margin", "predicted")
        return replace(whole, **{name: getattr(whole, name)[self._rows] for name in names})
