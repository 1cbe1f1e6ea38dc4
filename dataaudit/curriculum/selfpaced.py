"""Training that chooses by its own losses: self-paced learning and small-loss selection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Protocol, runtime_checkable

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.curriculum.base import ScoredExamples, check_share, elapsed, needed_rate
from dataaudit.errors import DataError, ModelError, SettingError, rows

SMALLEST = 1e-9
"""Least first threshold, as a share of the largest loss: a constant factor leads nowhere from 0."""


@runtime_checkable
class LossRecord(Protocol):
    """Record of the latest losses; `dataaudit.Recorder` is one."""

    @property
    def epochs(self) -> int:
        """Number of complete epochs."""

    @property
    def labels(self) -> IntArray:
        """Labels as recorded, int64 [n], -1 where a row was never seen."""

    def latest_losses(self) -> FloatArray:
        """Loss of each row when it was last seen, float64 [n], NaN where it never was."""


RecordSource = LossRecord | Callable[[], LossRecord | None]
"""Record, or a function that returns one when weights are needed: that of all processes, gathered."""


def _check_recorder(owner: str, recorder: object) -> None:
    if isinstance(recorder, type) or not (isinstance(recorder, LossRecord) or callable(recorder)):
        raise SettingError(
            f"recorder={recorder!r} of {owner}",
            "a dataaudit.Recorder, or a function without arguments that returns one",
            f"pass {owner}(recorder)",
        )


def _latest(owner: str, source: RecordSource, examples: ScoredExamples, epoch: int) -> FloatArray | None:
    """Losses that a recorder saw last, of these examples [n]; None in the first epoch, before which there are none."""
    record = source if isinstance(source, LossRecord) else source()
    if not isinstance(record, LossRecord) or isinstance(record, type):
        raise SettingError(
            f"{record!r} from the function that is the recorder of {owner}",
            "a dataaudit.Recorder in every process",
            f"pass {owner}(lambda: dataaudit.gather_recorder(recorder)), without dst=",
        )
    labels = record.labels
    if len(labels) != examples.total:
        raise DataError(
            f"a recorder of {len(labels)} examples",
            f"one of the {examples.total} that were audited",
            f"make Recorder(n={examples.total}, ...) and record positions in the audited data set",
        )
    known = labels[examples.positions]
    moved = examples.positions[(known >= 0) & (known != examples.labels)]
    if len(moved):
        raise DataError(
            f"a recorder that saw another label than the audit in {rows(moved)}",
            "the labels that were audited",
            "record positions in the audited data set, with its labels",
        )
    losses = record.latest_losses()[examples.positions]
    if record.epochs == 0 and epoch > 0:
        raise DataError(
            f"a recorder without a complete epoch before epoch {epoch} of {owner}",
            "losses of the epochs before",
            "call update() with every batch and end_epoch() before the weights of the next epoch are asked for",
        )
    return losses if record.epochs else None


@dataclass(frozen=True)
class SelfPaced:
    """Train on the examples whose loss lies below a threshold that moves to the largest (self-paced learning).

    Parameters
    ----------
    recorder
        A `dataaudit.Recorder` of the training under way, whose latest losses choose, or a function without arguments
        that returns one, called whenever weights are needed (for several processes, see `SmallLoss`); None for the
        mean losses of the audit's own training run.
    start
        Share of the examples below the first threshold, above 0 and at most 1.
    full
        Time (0 in the first epoch, 1 in the last) at which all examples are in, above 0 and at most 1.

    Raises
    ------
    SettingError
        If a setting is not as described.

    Notes
    -----
    Example i weighs 1 if its loss is at most the threshold, and 0 otherwise: the hard regime of Kumar, Packer and
    Koller, *Self-paced learning for latent variable models* (NIPS 2010). As there the threshold grows by a constant
    factor from epoch to epoch, from the loss that `start` of the examples stay below, and in the first epoch of a
    recorder, before there are losses, everything is in. The factor is set so that the largest loss is reached at
    `full`. An example left out by a sampler keeps the loss it was last seen with.

    That growth is one of fixed losses. With a recorder both ends of the path are taken anew from the latest losses in
    each epoch, so that the threshold can fall where losses fall faster than it grows, and an example can leave again.
    In no epoch is the share of examples that are in below `start`, and from `full` on it is all.

    Examples
    --------
    >>> import dataaudit, torch
    >>> recorder, labels = dataaudit.Recorder(4, 2), torch.tensor([0, 0, 1, 1])
    >>> recorder.update(torch.arange(4), torch.tensor([[3.0, 0.0], [2.0, 0.0], [0.0, 1.0], [2.0, 0.0]]), labels)
    >>> recorder.end_epoch()
    >>> audit = dataaudit.score(None, ([[0.0], [0.1], [1.0], [1.1]], labels), "parzen/input", progress=False)
    >>> weights = audit.schedule(dataaudit.SelfPaced(recorder), total_epochs=5)
    >>> (weights(0) > 0).tolist(), (weights(4) > 0).tolist()
    ([True, True, False, False], [True, True, True, True])
    """

    recorder: RecordSource | None = None
    start: float = 0.5
    full: float = 0.5
    name = "self_paced"
    summary = "the examples whose loss lies below a rising threshold (self-paced learning)"

    def __post_init__(self) -> None:
        if self.recorder is not None:
            _check_recorder("SelfPaced", self.recorder)
        check_share("SelfPaced", "start", self.start)
        check_share("SelfPaced", "full", self.full)

    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example: 1 for those that are in, 0 for the others; never rises with the loss."""
        time = elapsed(self.name, epoch, total_epochs)
        assert epoch is not None
        losses = examples.losses
        if self.recorder is not None:
            losses = _latest("SelfPaced", self.recorder, examples, epoch)
            if losses is None:
                return np.ones(len(examples))
        if losses is None:
            raise ModelError(
                "an audit without training losses for the strategy 'self_paced'",
                "training dynamics, or a recorder of the training under way",
                "pass SelfPaced(recorder)",
            )
        known = np.sort(losses[~np.isnan(losses)])
        weight = np.where(np.isnan(losses), np.nan, 1.0)
        if time < self.full and len(known):
            last = float(known[-1])
            first = max(float(known[ceil(self.start * len(known) - 1e-9) - 1]), SMALLEST * last)
            threshold = first * (last / first) ** (time / self.full) if last > 0 else 0.0
            weight[losses > threshold] = 0.0
        return weight


@dataclass(frozen=True)
class SmallLoss:
    """Train on the examples of smallest loss, leaving out as many as there are label errors.

    Parameters
    ----------
    recorder
        A `dataaudit.Recorder` of the training under way, whose latest losses choose; or a function without arguments
        that returns one, called whenever weights are needed. In several processes it has to be such a function,
        ``lambda: dataaudit.gather_recorder(recorder)``, for each has recorded its own rows alone; epochs are closed by
        ``recorder.end_epoch(group=...)``, and every process asks for the weights of every epoch.
    forget
        Share of the examples that is left out in the end, at least 0 and below 1; None for the audit's estimate of
        wrong labels.
    gradual
        Number of epochs over which that share grows from 0, at least 1; 10 as in the paper.

    Raises
    ------
    SettingError
        If a setting is not as described.

    Notes
    -----
    The small-loss selection of Han et al., *Co-teaching: robust training of deep neural networks with extremely noisy
    labels* (NeurIPS 2018), with one network: in epoch e the share 1 - forget min(e / gradual, 1) of smallest loss
    weighs 1, the rest 0. A network learns what is regular before it memorises label errors, so that these still
    have large losses. There every batch is chosen from by its losses of the moment; here by those an epoch ago. Weigh
    the loss (`Recorder.update` with whole batches) rather than leave examples out with a sampler: what is left out
    keeps the loss it was last seen with.

    Examples
    --------
    >>> import torch, dataaudit
    >>> recorder = dataaudit.Recorder(n=4, classes=2)
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.5, 0.0]])
    >>> recorder.update(torch.arange(4), logits, torch.tensor([0, 1, 0, 1]))
    >>> recorder.end_epoch()
    >>> audit = dataaudit.score(recorder, progress=False)
    >>> audit.weights(dataaudit.SmallLoss(recorder, forget=0.25, gradual=1), epoch=1)
    array([1.3333334, 1.3333334, 1.3333334, 0.       ], dtype=float32)
    """

    recorder: RecordSource
    forget: float | None = None
    gradual: int = 10
    name = "small_loss"
    summary = "the examples of smallest loss in the training under way (co-teaching's selection)"

    def __post_init__(self) -> None:
        _check_recorder("SmallLoss", self.recorder)
        if self.forget is not None:
            check_share("SmallLoss", "forget", self.forget, zero=True, one=False)
        checks.whole("gradual", self.gradual, 1, "pass gradual=5", owner="SmallLoss")

    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example: 1 for those that are kept, 0 for the others; never rises with the loss."""
        if epoch is None:
            raise SettingError(
                "epoch=None for the strategy 'small_loss', which changes with the epoch",
                "the number of the epoch, from 0",
                "pass epoch=0, for example",
            )
        forget = needed_rate(self.name, examples) if self.forget is None else self.forget
        losses = _latest("SmallLoss", self.recorder, examples, epoch)
        if losses is None:
            return np.ones(len(examples))
        known = np.flatnonzero(~np.isnan(losses))
        order = known[np.argsort(losses[known], kind="stable")]
        kept = ceil((1.0 - forget * min(epoch / self.gradual, 1.0)) * len(order) - 1e-9)
        weight = np.full(len(examples), np.nan)
        weight[order] = 0.0
        weight[order[: max(1, kept)]] = 1.0
        return weight
