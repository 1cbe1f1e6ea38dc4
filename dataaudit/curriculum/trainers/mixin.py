"""Transformers Trainer whose batches hold row indices, drawn by weight or with a weighted loss."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import BatchSampler, Sampler, SubsetRandomSampler

from dataaudit.curriculum.difficulty_batches import LevelBatchSampler
from dataaudit.curriculum.epoch_position import check_source
from dataaudit.curriculum.samplers import CurriculumSampler
from dataaudit.curriculum.trainers.huggingface import RecordDynamics, TrainerCallback, logits_of, transformers
from dataaudit.curriculum.trainers.rows import LABEL, ROW, carry_rows, check_length, check_weights, with_row_index
from dataaudit.errors import DataError, ModelError, SettingError

TOLERANCE = 0.02
"""Relative tolerance between a model's own loss and the cross-entropy of its logits: a loss in bfloat16 is rounded."""


class CurriculumTrainerMixin:
    """Put before a Trainer class: ``class MyTrainer(CurriculumTrainerMixin, Trainer)``; see `curriculum_trainer`.

    Row indices are carried from `train_dataset` (any map-style one) through the collator and the removal of unused
    columns, and never reach the model, so that the callback `RecordDynamics` needs nothing else.

    Parameters
    ----------
    *args, **kwargs
        Of the Trainer.
    sampling
        How rows are drawn: weights [n] of at least 0, for `dataaudit.CurriculumSampler` with the seed ``data_seed`` or
        ``seed``; a function from epoch to weights, as `Audit.schedule` gives it; or any sampler that draws for all
        processes together, for the Trainer splits its batches between them. None for the Trainer's own. The Trainer
        counts its steps once, so that a sampler must have the same length in every epoch.
    loss_weights
        Weights [n] of at least 0 that multiply the cross-entropy of each row, as `Audit.weights` gives them; or a
        function from epoch to weights, called as each epoch begins. They are divided by their mean over the data set
        first, so that equal weights change nothing, whatever their scale: label smoothing is kept, and so is how the
        Trainer adds up the batches of an update. None for the Trainer's own loss.

    Raises
    ------
    DataError
        If there is not one weight for each row of `train_dataset`, or weights are negative, NaN or all 0; if a sampler
        is of another data set; as training begins, if `train_dataset` was replaced by one of another length; during
        training, if a sampler changes its length.
    SettingError
        If rows have no numbers (an iterable data set), loss weights meet a loss of one's own, a sampler draws batches
        or one process's part alone, or weights are a strategy, which has to meet an audit first.
    ModelError
        At the first batch, if loss weights meet a model that does not return logits [batch, classes], or whose loss is
        not their cross-entropy.
    """

    def __init__(self, *args: Any, sampling: Any = None, loss_weights: Any = None, **kwargs: Any) -> None:
        self._loss_weights: _LossWeights | None = None
        self._sampler: Sampler[int] | None = None
        self._whole: Any = None
        self._compared = False
        if loss_weights is not None:
            self._refuse_other_losses(kwargs)
        super().__init__(*args, **kwargs)
        trainer = self._trainer
        if trainer.train_dataset is None:
            if sampling is not None or loss_weights is not None:
                raise SettingError("weights without train_dataset", "one for each of its rows", "pass train_dataset=")
            return
        n = self._n = len(with_row_index(trainer.train_dataset))
        for callback in self._recording():
            callback.set_length(n)
        if loss_weights is not None:
            self._loss_weights = _LossWeights(loss_weights, n)
        if sampling is not None:
            self._sampler = self._as_sampler(sampling, n)
        if loss_weights is not None or sampling is not None:
            trainer.add_callback(_EpochBegins(self._sampler, self._loss_weights))

    @property
    def _trainer(self) -> Any:
        """Itself, as the Trainer that it is put before."""
        return self

    def _refuse_other_losses(self, kwargs: dict[str, Any]) -> None:
        own = "compute_loss_func" if kwargs.get("compute_loss_func") is not None else None
        known = (CurriculumTrainerMixin, transformers.Trainer)
        for parent in type(self).__mro__:
            if "compute_loss" in vars(parent) and parent not in known:
                own = f"{parent.__name__}.compute_loss"
        if own is not None:
            raise SettingError(
                f"loss_weights= together with {own}",
                "the cross-entropy, which they multiply",
                "weigh the loss in your own function and leave loss_weights= out, or pass sampling= in its place",
            )

    def _as_sampler(self, sampling: Any, n: int) -> Sampler[int]:
        if isinstance(sampling, (BatchSampler, LevelBatchSampler)):
            raise SettingError(
                f"sampling= of type {type(sampling).__name__}, which draws batches",
                "a sampler of rows: the Trainer makes the batches",
                "pass sampling=weights, or sampling=CurriculumSampler(weights)",
            )
        if isinstance(sampling, Sampler):
            _refuse_sampler(sampling, n)
            return sampling
        check_source(sampling, "sampling")
        args = self._trainer.args
        seed = args.seed if args.data_seed is None else args.data_seed
        weights = sampling if callable(sampling) else check_weights(sampling, n, "sampling")
        return CurriculumSampler(weights, seed=seed, dataset=self._trainer.train_dataset)

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """Train as the Trainer does; a named checkpoint is the one that records are resumed from."""
        self._compared = False
        with ExitStack() as stack:
            if isinstance(resume_from_checkpoint, (str, os.PathLike)):
                for callback in self._recording():
                    if callback.checkpoint is None:
                        stack.enter_context(_replaced(callback, checkpoint=resume_from_checkpoint))
            return super().train(resume_from_checkpoint, *args, **kwargs)  # type: ignore[misc]

    def get_train_dataloader(self) -> Any:
        """Build the Trainer's loader, of batches that hold row indices."""
        trainer = self._trainer
        dataset = self._whole = trainer.train_dataset
        if dataset is None:
            return super().get_train_dataloader()  # type: ignore[misc]
        if (self._sampler is not None or self._loss_weights is not None) and len(dataset) != self._n:
            raise DataError(
                f"a train_dataset of {len(dataset)} rows in place of the one that the weights are of",
                f"{self._n} rows",
                "make another Trainer for this data set, with its own weights",
            )
        if getattr(dataset, "column_names", None) is not None:
            # On the whole data set, so that what is not needed is not read.
            dataset = trainer._remove_unused_columns(dataset, description="Training")
        with _replaced(trainer, train_dataset=with_row_index(dataset), data_collator=carry_rows(trainer.data_collator)):
            return super().get_train_dataloader()  # type: ignore[misc]

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]
        if ROW not in self._trainer._signature_columns:
            self._trainer._signature_columns.append(ROW)

    def _get_train_sampler(self, *datasets: Any) -> Any:
        if self._sampler is not None:
            return self._sampler
        # Samplers by length look into the data set, which the numbering hides.
        with _replaced(self._trainer, train_dataset=self._whole):
            return super()._get_train_sampler(*(self._whole for _ in datasets))  # type: ignore[misc]

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any) -> Any:
        """Compute the Trainer's loss, weighted in training; the model does not see the row indices."""
        rows, labels = inputs.get(ROW), inputs.get(LABEL, inputs.get("labels"))
        if not (self._recording() and model.training):
            inputs = {name: value for name, value in inputs.items() if name not in (ROW, LABEL)}
        if self._loss_weights is None or rows is None or not model.training:
            return super().compute_loss(model, inputs, return_outputs, **kwargs)  # type: ignore[misc]
        loss, outputs = super().compute_loss(model, inputs, True, **kwargs)  # type: ignore[misc]
        weighted = self._weighted(loss, outputs, labels, rows, kwargs.get("num_items_in_batch"))
        return (weighted, outputs) if return_outputs else weighted

    def _recording(self) -> list[RecordDynamics]:
        return [one for one in self._trainer.callback_handler.callbacks if isinstance(one, RecordDynamics)]

    def _weighted(self, loss: Tensor, outputs: Any, labels: Any, rows: Tensor, items: Any) -> Tensor:
        """Sum of the weighted cross-entropies of a batch, on the scale of the loss that it replaces."""
        assert self._loss_weights is not None
        logits = logits_of(self._trainer.model, outputs)
        if labels is None or labels.shape != logits.shape[:1] or labels.is_floating_point():
            raise ModelError(
                f"labels of shape {None if labels is None else tuple(labels.shape)} for logits {tuple(logits.shape)}",
                "one class for each row, for loss_weights multiply its cross-entropy",
                "leave loss_weights= out for this task",
            )
        losses = functional.cross_entropy(
            logits.float(), labels, reduction="none", label_smoothing=self._trainer.args.label_smoothing_factor
        )
        # Models take the mean over the batch or over all rows of the update, and the Trainer may multiply either by
        # the number of processes. Which of these a loss is cannot be asked, but seen from its value.
        counts = [labels.ne(-100).sum()] if items is None else [labels.ne(-100).sum(), torch.as_tensor(items)]
        scales = torch.stack([1.0 / count.to(losses).mean() for count in counts])
        scales = torch.cat([scales, self._trainer.accelerator.num_processes * scales])
        total, plain = losses.detach().sum(), loss.detach().to(losses).mean()
        off = (scales * total - plain).abs()
        if not self._compared:
            self._compare(plain, off.min())
        weights = self._loss_weights.values.to(losses.device)[rows.to(losses.device)]
        return scales[off.argmin()] * (losses * weights).sum()

    def _compare(self, loss: Tensor, off: Tensor) -> None:
        """Raise, at the first batch, if what is to be weighted is not the loss that the model is trained by."""
        if off > TOLERANCE * loss.abs() + TOLERANCE**2:
            raise ModelError(
                f"a {type(self._trainer.model).__name__} whose loss is not the cross-entropy of its logits",
                "the cross-entropy, which loss_weights multiply",
                "weigh the loss in the model and leave loss_weights= out, or pass sampling= in its place",
            )
        self._compared = True


class _LossWeights:
    """Weights of the rows in this epoch, with mean 1."""

    def __init__(self, source: Any, n: int) -> None:
        check_source(source, "loss_weights")
        self._n = n
        self._source: Callable[[int], Any] | None = source if callable(source) else None
        self._take(source if self._source is None else self._source(0))

    def set_epoch(self, epoch: int) -> None:
        if self._source is not None:
            self._take(self._source(epoch))

    def _take(self, weights: Any) -> None:
        checked = check_weights(weights, self._n, "loss_weights")
        self.values = torch.from_numpy(checked / checked.mean()).float()


def _refuse_sampler(sampler: Any, n: int) -> None:
    """Raise for a sampler of another data set, or of one process's part."""
    if hasattr(sampler, "num_replicas"):
        raise SettingError(
            f"sampling= of type {type(sampler).__name__}, which draws the part of one process",
            "a sampler of all rows: the Trainer splits its batches between processes",
            "pass sampling=weights, or sampling=CurriculumSampler(weights)",
        )
    weights: Any = getattr(sampler, "weights", None)
    source: Any = getattr(sampler, "data_source", None)
    if weights is not None:
        check_weights(weights, n, "weights of the sampler")
    rows = len(source) if hasattr(source, "__len__") else n
    if isinstance(sampler, SubsetRandomSampler):
        rows = max(n, 1 + max(sampler.indices, default=0))
    if rows != n:
        raise DataError(
            f"sampling= of type {type(sampler).__name__} that draws from {rows} rows",
            f"{n}, as many as train_dataset has",
            "make the sampler of train_dataset",
        )


def curriculum_trainer(trainer: type = transformers.Trainer) -> type:
    """Class of Trainers that carry row indices and take the arguments ``sampling=`` and ``loss_weights=``.

    Parameters
    ----------
    trainer
        ``transformers.Trainer`` or a class derived from it.

    Returns
    -------
    type
        The class, derived from `CurriculumTrainerMixin` and `trainer`.

    Raises
    ------
    SettingError
        If it is no class of Trainers.

    Examples
    --------
    >>> curriculum_trainer().__name__
    'CurriculumTrainer'
    """
    if not (isinstance(trainer, type) and issubclass(trainer, transformers.Trainer)):
        raise SettingError(
            f"trainer={trainer!r}",
            "the class transformers.Trainer, or one derived from it",
            "pass trainer=transformers.Trainer",
        )
    return _derived(trainer)


@functools.cache
def _derived(trainer: type) -> type:
    return type(f"Curriculum{trainer.__name__}", (CurriculumTrainerMixin, trainer), {})


class _EpochBegins(TrainerCallback):
    """Sets the epoch of weights and of a sampler, to which a resumed loader of several processes does not pass it."""

    def __init__(self, sampler: Any, loss_weights: _LossWeights | None) -> None:
        self._sampler, self._loss_weights = sampler, loss_weights
        self._epoch = self._length = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._epoch = math.floor(state.epoch or 0)
        self._length = len(self._sampler) if hasattr(self._sampler, "__len__") else 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if hasattr(self._sampler, "set_epoch"):
            self._sampler.set_epoch(self._epoch)
        if hasattr(self._sampler, "__len__"):
            check_length(len(self._sampler), self._length, self._epoch)
        if self._loss_weights is not None:
            self._loss_weights.set_epoch(self._epoch)
        self._epoch += 1


@contextmanager
def _replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    before = {name: getattr(owner, name) for name in attributes}
    vars(owner).update(attributes)
    try:
        yield
    finally:
        vars(owner).update(before)
