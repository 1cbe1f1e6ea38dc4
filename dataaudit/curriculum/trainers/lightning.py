"""Training dynamics of a LightningModule, from what its training step returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from dataaudit.curriculum.trainers.losses import RecordedLosses
from dataaudit.curriculum.trainers.rows import ROW, check_length
from dataaudit.curriculum.trainers.state import pack, unpack
from dataaudit.dynamics.processes import gather_recorder
from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.sealing import unsealed
from dataaudit.errors import DataError, require

lightning: Any = require("lightning.pytorch", "lightning", "recording in its Trainer")
Callback: Any = lightning.Callback
CombinedLoader: Any = lightning.utilities.CombinedLoader

RETURNED = ("logits", "labels", ROW)


class LightningRecordDynamics(RecordedLosses, Callback):
    """Records training dynamics while a Lightning Trainer trains.

    ``training_step`` returns, beside the loss, the logits, the labels and the positions of the batch's rows in the
    data set, which `with_row_index` adds to any map-style data set::

        return {"loss": loss, "logits": logits, "labels": labels, "row_index": rows}

    A step that returns None, which Lightning takes as a batch to skip, is not recorded, nor is validation. Every
    ``fit`` of a new Trainer starts a new record, unless it resumes from a checkpoint: the record is part of Lightning's
    checkpoints. A checkpoint from within an epoch can be resumed only if the data loader that it was made with has
    ``state_dict`` and ``load_state_dict``: torch's DataLoader begins its epoch anew, and Lightning takes it for
    the rest.

    Rows are drawn by weight with ``DataLoader(..., sampler=CurriculumSampler(...))``; in several processes with
    `dataaudit.DistributedCurriculumSampler` and ``Trainer(use_distributed_sampler=False)``. A sampler must have the
    same length in every epoch, for Lightning counts batches once. The callback is also the recorder that
    `dataaudit.SmallLoss` and `dataaudit.SelfPaced` go by, in one process.

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
        At the first batch, if the training step does not return what is needed; on resuming, if the checkpoint holds
        no record or one of another data set, or is from within an epoch that the data loader begins anew; at the
        beginning of an epoch, if the sampler has changed its length.

    Notes
    -----
    Memory: that of the `dataaudit.Recorder`, and its state in every checkpoint. In several processes each records its
    own batches; at the end of an epoch they tell each other which rows they saw (n bytes each), so that the padding of
    samplers counts once, and they gather the whole for a checkpoint and at the end of training (see
    `dataaudit.gather_recorder`). A checkpoint within an epoch then holds the complete epochs only.
    """

    def __init__(self, n: int, classes: int, *, history_bytes: int = 384 * 2**20) -> None:
        super().__init__()
        self._begin = "trainer.fit()"
        self._n, self._classes, self._history_bytes = n, classes, history_bytes
        self._new()  # A setting that is not allowed fails now.
        self._recorder: Recorder | None = None
        self._stored: dict[str, Any] | None = None
        self._open = False
        self._processes = 1
        self._lengths: dict[int, int] = {}
        self._resumable = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start or resume the record."""
        self.trained = None
        stored, self._stored = self._stored, None
        begins_anew = False if stored is None else stored.pop("begins_anew", False)
        loaders = CombinedLoader(trainer.train_dataloader).flattened
        if stored is None and trainer.global_step > 0:
            raise DataError(
                f"a training with {trainer.global_step} steps behind it, and no record of them",
                "the record that the callback saves in every checkpoint",
                "resume from a checkpoint that was made with the callback, or begin anew with a new Trainer",
            )
        if begins_anew:
            raise DataError(
                "a checkpoint from within an epoch, whose data loader begins the epoch anew",
                "a checkpoint from the end of an epoch, or of a loader with state_dict() and load_state_dict()",
                "resume from a checkpoint of the end of an epoch, or from one that was saved with a loader such as "
                "torchdata's StatefulDataLoader",
            )
        self._processes = self._apart = trainer.world_size
        self._recorder, self._open, self._losses = self._new(), False, None
        self._resumable = all(hasattr(loader, name) for loader in loaders for name in ("state_dict", "load_state_dict"))
        self._lengths = {id(loader): length for loader in loaders if (length := _length(loader)) is not None}
        if stored is not None:
            alone, here = trainer.global_rank == 0, pl_module.device
            self._open, self._losses = unpack(stored, self._recorder, 1, here, "the checkpoint", whole=alone)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Compare the length of the sampler with that when batches were counted."""
        for loader in CombinedLoader(trainer.train_dataloader).flattened:
            length = _length(loader)
            if length is not None:
                check_length(length, self._lengths.setdefault(id(loader), length), trainer.current_epoch)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Record a batch, and close the epoch with its last one, before validation makes a checkpoint."""
        if not outputs and pl_module.automatic_optimization:
            if trainer.is_last_batch and (self._open or self._processes > 1):
                self._close()
            return
        returned = sorted(map(str, outputs)) if isinstance(outputs, Mapping) else []
        missing = [name for name in RETURNED if name not in returned]
        if missing:
            raise DataError(
                f"a training_step that returns {', '.join(returned) if returned else type(outputs).__name__}",
                f"{', '.join(missing)} too",
                "return {'loss': loss, 'logits': logits, 'labels': labels, 'row_index': rows}, with the rows that "
                "with_row_index(dataset) adds to each item",
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
        self.trained = pl_module
        self._gather()

    def state_dict(self) -> dict[str, Any]:
        """Return the record for Lightning's checkpoint, which every process has a part in making."""
        if self._recorder is None:
            return {}
        begins_anew = self._open and not self._resumable
        if self._processes == 1:
            return pack(self.recorder, self._open, 1, self._losses, begins_anew=begins_anew)
        complete = self._new()
        complete.restore(self.recorder.snapshot())
        complete.discard_epoch()
        whole = gather_recorder(complete)
        assert whole is not None
        return pack(whole, False, 1, None, begins_anew=begins_anew)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what `state_dict` gave until training begins; raises `DataError` if it was changed since."""
        self._stored = unsealed(state_dict) if state_dict else None

    def _new(self) -> Recorder:
        return Recorder(self._n, self._classes, history_bytes=self._history_bytes)


def _length(loader: Any) -> int | None:
    """Length of a data loader's sampler, or of the one of batches; None where there is none."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return None
    batches = loader.batch_sampler
    sampler: Any = batches.sampler if type(batches) is BatchSampler else batches or loader.sampler
    return len(sampler) if hasattr(sampler, "__len__") else None
