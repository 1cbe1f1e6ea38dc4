"""Training dynamics of a LightningModule, from what its training step returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from dataaudit.curriculum.trainers.rows import ROW
from dataaudit.curriculum.trainers.state import emptied, pack, unpack
from dataaudit.dynamics.processes import gather_recorder
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, require

if TYPE_CHECKING:
    from dataaudit.audit import Audit

Callback: Any = require("lightning.pytorch", "lightning", "recording in its Trainer").Callback

RETURNED = ("logits", "labels", ROW)


class LightningRecordDynamics(Callback):
    """Records training dynamics while a Lightning Trainer trains.

    ``training_step`` returns, beside the loss, the logits, the labels and the positions of the batch's rows in the
    data set, which `with_row_index` adds to any map-style data set::

        return {"loss": loss, "logits": logits, "labels": labels, "row_index": rows}

    Validation is not recorded. Every ``fit`` starts a new record, unless it resumes from a checkpoint: the record is
    part of Lightning's checkpoints. Rows are drawn by weight with ``DataLoader(..., sampler=CurriculumSampler(...))``;
    in several processes with `dataaudit.DistributedCurriculumSampler` and ``Trainer(use_distributed_sampler=False)``.

    Parameters
    ----------
    n, classes
        Number of examples that row indices count, and of classes.
    history_bytes
        As for `dataaudit.Recorder`.

    Raises
    ------
    SettingError
        If `n` or `classes` is not allowed.
    DataError
        At the first batch, if the training step does not return what is needed; on resuming, if the record is of
        another data set.

    Notes
    -----
    Memory: that of the `dataaudit.Recorder`, and its state in every checkpoint. In several processes each records its
    own batches; at the end of an epoch they tell each other which rows they saw (n bytes each), so that the padding of
    samplers counts once, and they gather the whole for a checkpoint and at the end of training (see
    `dataaudit.gather_recorder`). A checkpoint within an epoch then holds the complete epochs only.
    """

    def __init__(self, n: int, classes: int, *, history_bytes: int = 384 * 2**20) -> None:
        super().__init__()
        self._n, self._classes, self._history_bytes = n, classes, history_bytes
        self._new()  # A setting that is not allowed is told now.
        self._recorder: Recorder | None = None
        self._stored: dict[str, Any] | None = None
        self._open = False
        self._processes = 1

    @property
    def recorder(self) -> Recorder:
        """What is recorded so far: after training, of all processes.

        Raises
        ------
        DataError
            If training has not begun.
        """
        if self._recorder is None:
            raise DataError("a recording that has not begun", "a Trainer that trains", "call trainer.fit() first")
        return self._recorder

    def audit(self, scorers: Any = "auto", **options: Any) -> Audit:
        """Audit of what was recorded; the arguments are those of `Recorder.audit`."""
        return self.recorder.audit(scorers, **options)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start or resume the record."""
        self._processes, self._open = trainer.world_size, False
        self._recorder, stored = self._new(), self._stored
        self._stored = None
        if stored is not None:
            if trainer.global_rank > 0:
                stored = {**stored, "recorder": emptied(stored["recorder"])}
            self._open = unpack(stored, self._recorder, 1, pl_module.device, "the checkpoint")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Record a batch, and close the epoch with its last one, before validation makes a checkpoint."""
        returned = sorted(map(str, outputs)) if isinstance(outputs, Mapping) else []
        missing = [name for name in RETURNED if name not in returned]
        if missing:
            raise DataError(
                f"a training_step that returns {', '.join(returned) if returned else type(outputs).__name__}",
                f"{', '.join(missing)} too",
                "return {'loss': loss, 'logits': logits, 'labels': labels, 'row_index': rows}; "
                "with_row_index(dataset) adds the rows",
            )
        self.recorder.update(outputs[ROW], outputs["logits"], outputs["labels"])
        self._open = True
        if trainer.is_last_batch:
            self._close()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Close an epoch that was broken off."""
        if self._open:
            self._close()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Gather the record."""
        if self._processes > 1:
            self._recorder = gather_recorder(self.recorder)

    def state_dict(self) -> dict[str, Any]:
        """Return the record for Lightning's checkpoint, which every process has a part in making."""
        if self._recorder is None:
            return {}
        if self._processes == 1:
            return pack(self.recorder, self._open, 1)
        complete = self._new()
        complete.load_state_dict(self.recorder.state_dict())
        complete.discard_epoch()
        whole = gather_recorder(complete)
        assert whole is not None
        return pack(whole, False, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what `state_dict` gave until training begins."""
        self._stored = state_dict or None

    def _new(self) -> Recorder:
        return Recorder(self._n, self._classes, history_bytes=self._history_bytes)

    def _close(self) -> None:
        self.recorder.end_epoch(torch.distributed.group.WORLD if self._processes > 1 else None)
        self._open = False
