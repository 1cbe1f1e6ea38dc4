"""A transformers Trainer whose batches tell their rows, drawn by weight or with a weighted loss."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import BatchSampler, Sampler

from dataaudit.curriculum.levels import LevelBatchSampler
from dataaudit.curriculum.samplers import CurriculumSampler
from dataaudit.curriculum.trainers.huggingface import RecordDynamics, TrainerCallback, logits_of, transformers
from dataaudit.curriculum.trainers.rows import LABEL, ROW, carry_rows, check_weights, with_row_index
from dataaudit.errors import ModelError, SettingError


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
        ``seed``; a function from epoch to weights, as `Audit.schedule` gives it; or any sampler. None for the
        Trainer's own. Steps are counted once, so that a sampler should have the same length in every epoch.
    loss_weights
        Weights [n] of at least 0 that multiply the cross-entropy of each row, as `Audit.weights` gives them. They are
        divided by their mean over the data set first, so that equal weights change nothing, whatever their scale.
        Label smoothing is kept. None for the Trainer's own loss.

    Raises
    ------
    DataError
        If there is not one weight for each row of `train_dataset`, or weights are negative, NaN or all 0.
    SettingError
        If rows have no numbers (an iterable data set), or loss weights meet a loss of one's own.
    ModelError
        During training, if loss weights meet a model that does not return logits [batch, classes].
    """

    def __init__(self, *args: Any, sampling: Any = None, loss_weights: Any = None, **kwargs: Any) -> None:
        self._rows: Tensor | None = None
        self._loss_weights: Tensor | None = None
        self._sampler: Sampler[int] | None = None
        self._whole: Any = None
        if loss_weights is not None:
            self._refuse_other_losses(kwargs)
            kwargs["compute_loss_func"] = self._weighted_loss
        super().__init__(*args, **kwargs)
        trainer = self._trainer
        if trainer.train_dataset is None:
            if sampling is not None or loss_weights is not None:
                raise SettingError("weights without train_dataset", "one for each of its rows", "pass train_dataset=")
            return
        n = len(with_row_index(trainer.train_dataset))
        if loss_weights is not None:
            values = check_weights(loss_weights, n, "loss_weights")
            self._loss_weights = torch.from_numpy(values / values.mean()).float()
        if sampling is not None:
            self._sampler = self._as_sampler(sampling, n)
            trainer.add_callback(_SetEpoch(self._sampler))

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
                "weigh the loss in your own function, or pass sampling= in place of loss_weights=",
            )

    def _as_sampler(self, sampling: Any, n: int) -> Sampler[int]:
        if isinstance(sampling, (BatchSampler, LevelBatchSampler)):
            raise SettingError(
                f"sampling= of type {type(sampling).__name__}, which draws batches",
                "a sampler of rows: the Trainer makes the batches",
                "pass weights, or a CurriculumSampler",
            )
        if isinstance(sampling, Sampler):
            weights = getattr(sampling, "weights", None)
            if weights is not None:
                check_weights(weights, n, "weights of the sampler")
            return sampling
        args = self._trainer.args
        seed = args.seed if args.data_seed is None else args.data_seed
        weights = sampling if callable(sampling) else check_weights(sampling, n, "sampling")
        return CurriculumSampler(weights, seed=seed, dataset=self._trainer.train_dataset)

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> Any:
        """As the Trainer's; a checkpoint that is named is the one that records are resumed from."""
        with ExitStack() as stack:
            if isinstance(resume_from_checkpoint, (str, os.PathLike)):
                for callback in self._recording():
                    stack.enter_context(_replaced(callback, checkpoint=resume_from_checkpoint))
            return super().train(resume_from_checkpoint, *args, **kwargs)  # type: ignore[misc]

    def get_train_dataloader(self) -> Any:
        """As the Trainer's, of batches that tell their rows."""
        trainer = self._trainer
        dataset = self._whole = trainer.train_dataset
        if dataset is None:
            return super().get_train_dataloader()  # type: ignore[misc]
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

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As the Trainer's; the model does not see the row indices."""
        self._rows = inputs.get(ROW)
        if not self._recording():
            inputs = {name: value for name, value in inputs.items() if name not in (ROW, LABEL)}
        return super().compute_loss(model, inputs, *args, **kwargs)  # type: ignore[misc]

    def _recording(self) -> list[RecordDynamics]:
        return [one for one in self._trainer.callback_handler.callbacks if isinstance(one, RecordDynamics)]

    def _weighted_loss(self, outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        """Mean cross-entropy, in training times the weights of the rows."""
        logits = logits_of(self._trainer.model, outputs)
        if labels is None or labels.shape != logits.shape[:1] or labels.is_floating_point():
            raise ModelError(
                f"labels of shape {None if labels is None else tuple(labels.shape)} for logits {tuple(logits.shape)}",
                "one class for each row, for loss_weights multiply its cross-entropy",
                "leave loss_weights= out for this task",
            )
        losses = functional.cross_entropy(
            logits, labels, reduction="none", label_smoothing=self._trainer.args.label_smoothing_factor
        )
        if self._rows is not None:
            assert self._loss_weights is not None
            losses = losses * self._loss_weights.to(losses.device)[self._rows.to(losses.device)]
        # Over all batches of an update together, where the Trainer tells how many rows these are.
        total: Tensor = losses.mean() if num_items_in_batch is None else losses.sum() / num_items_in_batch
        return total


@functools.cache
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
            f"trainer={trainer!r}", "the class transformers.Trainer, or one derived from it", "pass the class itself"
        )
    return type(f"Curriculum{trainer.__name__}", (CurriculumTrainerMixin, trainer), {})


class _SetEpoch(TrainerCallback):
    """Tells a sampler its epoch, which a resumed data loader of several processes does not pass on."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self._epoch = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._epoch = math.floor(state.epoch or 0)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if hasattr(self._sampler, "set_epoch"):
            self._sampler.set_epoch(self._epoch)
        self._epoch += 1


@contextmanager
def _replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    before = {name: getattr(owner, name) for name in attributes}
    vars(owner).update(attributes)
    try:
        yield
    finally:
        vars(owner).update(before)
