"""Training dynamics of an ordinary fine-tuning by the transformers Trainer, from its own forward passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dataaudit.curriculum.trainers.losses import RecordedLosses
from dataaudit.curriculum.trainers.rows import LABEL, ROW, missing_rows, refuse_unnumbered
from dataaudit.curriculum.trainers.state import load_record, save_record
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, ModelError, SettingError, require

transformers: Any = require("transformers", "trainer", "recording in its Trainer")
TrainerCallback: Any = transformers.TrainerCallback


class RecordDynamics(RecordedLosses, TrainerCallback):
    """Records training dynamics while a transformers Trainer trains.

    The logits are those of the forward passes that training does anyway; evaluation in between is not recorded. A
    training with the callback is bit for bit the one without. Every call of ``train`` starts a new record, unless it
    resumes from a checkpoint: the record is saved in each of the Trainer's checkpoints, in the middle of an epoch too,
    and goes on from there. A last epoch that ``max_steps`` cuts short counts for the rows it reached.

    Batches have to say which rows they hold: `curriculum_trainer` sees to that, or `with_row_index` and `carry_rows`.
    Evaluation needs no row indices: give it the data set as it is, for without a training under way nothing takes them
    out of its batches, and a model without ``**kwargs`` does not know them.

    The callback is also the recorder that `dataaudit.SmallLoss` and `dataaudit.SelfPaced` go by, in one process.

    Parameters
    ----------
    n
        Number of examples that row indices count; None for the length of the training set, which is known from when
        `curriculum_trainer`'s Trainer is made, and in another Trainer from when training begins.
    classes
        Number of classes; None for the model's ``config.num_labels``.
    history_bytes
        As for `dataaudit.Recorder`.
    checkpoint
        Checkpoint folder to resume the record from, where it is not the one in ``args.output_dir``; None for the one
        that ``train`` of a `curriculum_trainer` is given.

    Raises
    ------
    DataError
        At the beginning of training or at its first batch: if batches do not say which rows they hold; if the
        checkpoint that training resumes from holds no record, or one of another data set or number of processes.
    SettingError
        If the Trainer splits batches over devices in one process, searches hyperparameters, or has another such
        callback.
    ModelError
        If the model returns no logits [batch, classes], or the number of classes is not known.

    Notes
    -----
    Memory and files: those of the `dataaudit.Recorder`, its state once in every checkpoint and process. In several
    processes each records its own batches; at the end of an epoch they tell each other which rows they saw (n bytes
    each), so that the padding of the last batches counts once, and at the end of training every process gathers the
    whole (see `dataaudit.gather_recorder`).
    """

    def __init__(
        self,
        n: int | None = None,
        classes: int | None = None,
        *,
        history_bytes: int = 384 * 2**20,
        checkpoint: str | Path | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self._n, self._classes, self._history_bytes = n, classes, history_bytes
        self._recorder: Recorder | None = None
        self._state: Any = None
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._batch: tuple[Tensor, Tensor] | None = None
        self._open = self._resumed = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Check that batches hold row indices, start or resume the record, and hook into the model."""
        self._forget()
        self.trained = None
        model, loader = kwargs["model"], kwargs["train_dataloader"]
        _refuse(args, state, loader)
        self._alone(model, state)
        n = len(loader.dataset) if self._n is None else self._n
        classes = (
            getattr(getattr(model, "config", None), "num_labels", None) if self._classes is None else self._classes
        )
        if classes is None:
            raise ModelError(
                f"a {type(model).__name__} without config.num_labels",
                "the number of classes",
                "pass it, as in RecordDynamics(classes=2)",
            )
        recorder = Recorder(n, classes, history_bytes=self._history_bytes)
        self._open = self._resumed = False
        self._apart, losses = args.world_size, None
        if state.global_step:
            folder = Path(self.checkpoint or _checkpoint(args, state))
            self._open, losses = load_record(folder, recorder, args.process_index, args.world_size, args.device)
            if self._open and float(state.epoch).is_integer():
                # It was saved after the last step of its epoch, before the epoch was closed.
                self._recorder = recorder
                self._close()
                losses = self._losses
            self._resumed = self._open
        self._recorder, self._losses = recorder, losses
        self._handles = [
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after),
        ]

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close an epoch that was broken off."""
        if self._open and not self._resumed:
            self._close()
        self._resumed = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the epoch, unless training stops within it, and may be resumed there."""
        if self._open and float(state.epoch).is_integer():
            self._close()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the record into the Trainer's checkpoint."""
        folder = Path(_checkpoint(args, state))
        save_record(folder, self.recorder, self._open, args.process_index, args.world_size, self._losses)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the last epoch and gather the record."""
        if self._open:
            self._close()
        self._forget()
        self.trained = kwargs.get("model")
        self._gather()

    def _alone(self, model: Any, state: Any) -> None:
        """Raise if another such callback records this training; one whose training was broken off is unhooked."""
        for hook in list(model._forward_pre_hooks.values()):
            other = getattr(hook, "__self__", None)
            if isinstance(other, RecordDynamics):
                twice = other._state is state
                other._forget()
                if twice:
                    raise SettingError(
                        "two RecordDynamics in one Trainer", "one", "leave one of them out of the callbacks"
                    )
        self._state = state

    def _forget(self) -> None:
        """Unhook from a model."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._batch, self._state = [], None, None

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _before(self, module: nn.Module, arguments: Any, named: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Take the rows of a batch out of what the model is called with."""
        taken = {name: value for name, value in named.items() if name not in (ROW, LABEL)}
        self._batch = None
        if module.training:
            if ROW not in named:
                raise missing_rows(f"a training batch with {', '.join(sorted(taken))} alone")
            labels = named.get(LABEL, named.get("labels"))
            if labels is None:
                raise DataError(
                    "a training batch whose labels the model is not called with",
                    "labels, which label smoothing and compute_loss_func take away",
                    [
                        "set data_collator=carry_rows(collator), which keeps them",
                        "make the trainer by curriculum_trainer(Trainer)",
                    ],
                )
            self._batch = named[ROW], labels
        return arguments, taken

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _after(self, module: nn.Module, arguments: Any, output: Any) -> None:
        """Record the logits of a training batch."""
        if self._batch is None:
            return
        (index, labels), self._batch = self._batch, None
        self.recorder.update(index, logits_of(module, output), labels)
        self._open = True


def logits_of(module: nn.Module, output: Any) -> Tensor:
    """Logits [b, C] of what a classifier returns: an output with logits, or a tuple."""
    logits = output.get("logits") if hasattr(output, "get") else getattr(output, "logits", None)
    if logits is None and isinstance(output, (tuple, list)):
        # With labels the loss stands first.
        logits = next((one for one in output if isinstance(one, Tensor) and one.ndim == 2), None)
    if logits is None and isinstance(output, Tensor):
        logits = output
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise ModelError(
            f"a {type(module).__name__} that returns {type(output).__name__} without logits [batch, classes]",
            "a classifier",
            "train a classifier, such as AutoModelForSequenceClassification.from_pretrained(name)",
        )
    return logits


def _checkpoint(args: Any, state: Any) -> Path:
    """Folder of the Trainer's checkpoint of this step."""
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _refuse(args: Any, state: Any, loader: Any) -> None:
    """Raise for a Trainer whose batches do not hold row indices."""
    if args.n_gpu > 1:
        raise SettingError(
            f"one process that splits batches over {args.n_gpu} devices",
            "a process for each device",
            "start the script by torchrun, or show it one device: CUDA_VISIBLE_DEVICES=0",
        )
    if state.is_hyper_param_search:
        raise SettingError(
            "a search of hyperparameters",
            "one training",
            "leave the callback out of the search, and record a training with the parameters that were found",
        )
    dataset, columns = loader.dataset, getattr(loader.dataset, "column_names", None)
    refuse_unnumbered(dataset, ", and make the trainer by curriculum_trainer(Trainer)")
    if columns is not None and ROW not in columns:
        removed = ", after remove_unused_columns=True took others away" if args.remove_unused_columns else ""
        raise missing_rows(f"a training set with the columns {', '.join(columns)}{removed}")
    signature = getattr(loader.collate_fn, "signature_columns", None)
    if signature is not None and ROW not in signature:
        raise missing_rows("a collator from which remove_unused_columns=True takes the row indices away")
