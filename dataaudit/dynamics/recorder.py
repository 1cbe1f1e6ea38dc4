"""Recorder of training dynamics from the forward passes that training does anyway."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataaudit.common import checks
from dataaudit.common.guest import settled
from dataaudit.common.interrupts import unbroken
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.dynamics import batches
from dataaudit.dynamics.buffers import copied, zeros
from dataaudit.dynamics.history import History
from dataaudit.dynamics.losses import LatestLosses
from dataaudit.dynamics.mean_probabilities import DENSE_ELEMENTS, MeanProbabilities, is_exact
from dataaudit.dynamics.pending import Pending
from dataaudit.dynamics.periods import informedness
from dataaudit.dynamics.ranks import claim
from dataaudit.dynamics.sealing import sealed, unsealed
from dataaudit.dynamics.state import ARRAYS, STAGED, VERSION, check_state
from dataaudit.dynamics.summary import Dynamics, Predictions, count
from dataaudit.errors import DataError
from dataaudit.tasks import resolve
from dataaudit.tasks.base import CONFIDENCE, CORRECT, EL2N, LOSS, MARGIN, MAX_CONFIDENCE, PREDICTED, Task


class Recorder:
    """Training dynamics of n examples; works inside any training loop.

    Call `update` with every batch's logits, `end_epoch` after every epoch, and `evaluate` with the batches of
    one last pass without augmentation. A row seen again in an epoch counts with its last values; a row not seen
    in an epoch has NaN there. Rows are worked through in blocks on the device of the logits, and nothing waits
    for a CUDA device between the ends of epochs.

    Parameters
    ----------
    n, classes
        Number of examples and of classes: of a model's logits.
    task
        What a label is: a `dataaudit.tasks.Task`, or the name of one. What is recorded has a row for each of its
        units, [u] in place of [n] below; ``task.aggregate`` makes scores of examples of it.
    history_bytes
        Budget for the per-epoch matrices (4 bytes an example and epoch). When it is used up every second kept
        epoch is dropped, again and again; every score still uses all epochs.
    dense_elements
        Largest n x C of which the probabilities of all classes are summed; of more, those of an example's likeliest 8.

    Notes
    -----
    Memory: about 142 bytes an example, the history budget, one quarter byte an example and epoch, and the class
    sums: 8 C bytes an example while n x C <= `dense_elements` or C <= 8, at most 100 beyond (see
    `dataaudit.dynamics.mean_probabilities`), and 64 MiB at most for what lets epochs be weighed (see
    `dataaudit.dynamics.periods`).

    Examples
    --------
    >>> import torch
    >>> recorder = Recorder(n=4, classes=2)
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.5, 0.0]])
    >>> recorder.update(torch.arange(4), logits, torch.tensor([0, 1, 0, 1]))
    >>> recorder.end_epoch()
    >>> recorder.dynamics().mean_margin
    array([ 2. ,  1. ,  3. , -0.5])
    """

    def __init__(
        self,
        n: int,
        classes: int,
        *,
        task: str | Task = "classification",
        history_bytes: int = 384 * 2**20,
        dense_elements: int = DENSE_ELEMENTS,
    ) -> None:
        whole = checks.whole("n", n, 1, "pass n=len(dataset)"), checks.whole("classes", classes, 2, "pass classes=2")
        for name, value in (("history_bytes", history_bytes), ("dense_elements", dense_elements)):
            checks.whole(name, value, 0, f"leave {name}= out")
        (self.n, self.classes), self.task = whole, resolve(task)
        self.units, self.outcomes = self.task.count(self.n), self.task.outcomes(self.classes)
        self.exact = is_exact(self.units, self.outcomes, int(dense_elements))
        self._label_shape = self.task.label_shape
        self._history = History(self.units, int(history_bytes))
        self._labels = np.full(self.units, -1, np.int64)
        self._seen_bits: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
        self._correct_bits: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
        self._losses = LatestLosses(self.units)
        self._sums = np.zeros((6, self.units), np.float64)
        self._final = np.full((self.units, 4), np.nan, np.float32)
        self._pending = Pending(self.classes, self._label_shape)
        self._pending_final, self._written = False, 0
        self._device: torch.device | None = None

    @property
    def epochs(self) -> int:
        """Number of complete epochs."""
        return len(self._seen_bits)

    @property
    def labels(self) -> IntArray:
        """Labels as recorded, int64 [n], -1 where a row was never seen."""
        self._flush()
        return self._labels

    @settled()
    def latest_losses(self) -> FloatArray:
        """Cross-entropy of each row when it was last seen in training, float64 [n], NaN where it never was.

        The epoch that is open counts, until `discard_epoch`.
        """
        self._flush()
        if self._device is None:
            return self._losses.view()
        return self._losses.view((self._position[:-1] >= 0).cpu().numpy(), self._staged[:-1, LOSS].cpu().numpy())

    def update(self, indices: Any, logits: Any, labels: Any) -> None:
        """Record one training batch.

        Parameters
        ----------
        indices
            Positions of the rows in the data set [b], 0..n-1.
        logits
            Model outputs before softmax [b, C], any float type and device.
        labels
            Given labels [b], 0..C-1, or as another task encodes them.

        Raises
        ------
        DataError
            If shapes do not match. An index or label out of range raises (on the CPU) when its block of batches
            is worked through: at one of the next calls, `end_epoch` at the latest; so does, in `end_epoch`, a row that
            had two labels in the epoch.
        """
        self._collect(indices, logits, labels, final=False)

    def evaluate(self, indices: Any, logits: Any, labels: Any) -> None:
        """Record a batch of the evaluation pass after training; the arguments are those of `update`."""
        self._collect(indices, logits, labels, final=True)

    @settled()
    @unbroken()
    def end_epoch(self, group: Any = None) -> None:
        """Close an epoch.

        Parameters
        ----------
        group
            torch.distributed group whose processes all call this: a row that several of them saw (the padding of
            samplers) then counts once, as the lowest rank saw it. None: this process alone.

        Raises
        ------
        SettingError
            If `group` is no group, or this process is not in it.
        DataError
            If no row was seen in it, if logits were NaN or infinite, or if a row's label changed.
        """
        self._flush()
        if group is not None:
            if self._device is None:
                self._allocate(torch.device("cpu"))
            self._position[:-1].masked_fill_(~claim(self._position[:-1] >= 0, group), -1)
        elif self._written == 0:
            raise DataError("an epoch without a batch", "update() before end_epoch()", "record every batch of it")
        seen_on_device = self._position[:-1] >= 0
        seen = seen_on_device.cpu().numpy()
        values = self._staged[:-1].cpu().numpy()
        labels = self._staged_labels[:-1].cpu().numpy()
        batches.check_epoch(seen, values, labels, self._labels, self.epochs + 1)
        self._labels[seen] = labels[seen]
        self._seen_bits.append(np.packbits(seen))
        self._correct_bits.append(np.packbits(seen & (values[:, CORRECT] > 0)))
        whole = bool(seen.all())
        for row, column in enumerate((MARGIN, CONFIDENCE, CONFIDENCE, EL2N, LOSS)):
            part = values[:, column].astype(np.float64)
            if not whole:
                part[~seen] = 0.0
            self._sums[row] += part * part if row == 2 else part
        self._sums[5] += seen
        self._losses.commit(seen, values[:, LOSS])
        self._history.append(seen, values[:, CONFIDENCE], values[:, MAX_CONFIDENCE])
        self._means.commit(seen_on_device)
        self._clear_epoch()

    @settled()
    def discard_epoch(self) -> None:
        """Forget the training batches since the last `end_epoch` (an epoch that was interrupted).

        What `evaluate` recorded stays.
        """
        if self._pending_final:
            self._flush()
        self._pending.clear()
        if self._device is not None:
            self._means.discard()
            self._clear_epoch()

    @settled()
    def _collect(self, indices: Any, logits: Any, labels: Any, final: bool) -> None:
        index, label = torch.as_tensor(indices), torch.as_tensor(labels)
        values = torch.as_tensor(logits).detach()
        batch = index.shape
        shapes = (*batch, *self._label_shape), (*batch, self.classes)
        if len(batch) != 1 or (label.shape, values.shape) != shapes:
            batches.refuse_shapes(index, values, label, self.classes, self._label_shape)
        if index.numel() == 0:
            return
        for what, tensor in (("index", index), ("label", label)):
            if tensor.dtype not in batches.WHOLE:
                raise DataError(f"{what} of type {tensor.dtype}", "whole numbers", "pass an integer tensor")
        if final != self._pending_final:
            self._flush()
            self._pending_final = final
        if not self._pending.add(index, values, label):
            self._flush()
            self._pending.add(index, values, label)

    @settled()
    def _flush(self) -> None:
        if self._pending.rows == 0:
            return
        index, logits, label = self._pending.take()
        batches.check_range("index", index, self.n)
        batches.check_range("label", self.task.unit_labels(label), self.outcomes)
        if self._device is None:
            self._allocate(logits.device)
        index, logits, label = (part.to(self._device) for part in (index, logits, label))
        values, probabilities = self.task.measure(logits, label)
        index, label = self.task.units(index), self.task.unit_labels(label)
        if self._pending_final:
            self._keep_final(index, values, label)
            return
        order = torch.arange(self._written, self._written + len(index), device=self._device)
        known = torch.where(self._position[index] >= 0, self._staged_labels[index], label)
        self._position.scatter_reduce_(0, index, order, "amax")
        # Values that a later one of the same row supersedes go to the spare row at the end.
        target = torch.where(self._position[index] == order, index, torch.full_like(index, self.units))
        self._staged.index_copy_(0, target, values)
        self._staged_labels.index_copy_(0, target, label)
        # Looking at what differs would wait for a CUDA device: it is marked, and refused at the end of the epoch.
        differs = (known != label) | (self._staged_labels[index] != label)
        self._staged_labels.index_fill_(0, torch.where(differs, index, self.units), batches.TWO_LABELS)
        self._means.stage(target, probabilities)
        self._written += len(index)

    def _keep_final(self, index: Tensor, values: Tensor, label: Tensor) -> None:
        where = index.cpu().numpy()
        self._final[where] = values[:, [CONFIDENCE, MAX_CONFIDENCE, MARGIN, PREDICTED]].cpu().numpy()
        given = np.full(self.units, -1, np.int64)
        given[where] = label.cpu().numpy()
        batches.check_one_label(where[given[where] != label.cpu().numpy()], "the evaluation")
        batches.check_labels(given >= 0, given, self._labels, "training")
        self._labels[where] = given[where]

    def _allocate(self, device: torch.device) -> None:
        self._position = torch.full((self.units + 1,), -1, dtype=torch.int64, device=device)
        self._staged = zeros((self.units + 1, 7), "float32", device)
        self._staged_labels = zeros((self.units + 1,), "int64", device)
        self._means = MeanProbabilities(self.units, self.outcomes, device, self.exact)
        self._device = device  # Last: an interruption before leaves a recorder that begins anew.

    def _clear_epoch(self) -> None:
        self._position.fill_(-1)
        self._written = 0

    @settled()
    def dynamics(self) -> Dynamics | None:
        """Dynamics of the complete epochs; None before the first."""
        if self.epochs == 0:
            return None
        seen_bits, correct_bits = np.stack(self._seen_bits), np.stack(self._correct_bits)
        counts = count(correct_bits, seen_bits, self.units)
        visits = np.where(self._sums[5] > 0, self._sums[5], np.nan)
        margin, confidence, square, el2n = self._sums[:4] / visits
        suggested = self._means.argmax_mean_probability().cpu().numpy()
        classes, mass = self._means.classes, self._means.mass.cpu().numpy()
        kept_epochs, kept_confidence, kept_largest = self._history.view()
        weights = informedness(correct_bits, seen_bits, suggested == self._labels)
        return Dynamics(
            epochs=self.epochs,
            classes=self.outcomes,
            **counts,
            mean_margin=margin,
            mean_confidence=confidence,
            variability=np.sqrt(np.maximum(square - confidence**2, 0.0)),
            mean_el2n=el2n,
            cumulative_loss=np.where(counts["seen"] > 0, self._sums[4], np.nan),
            suggested=np.where(counts["seen"] > 0, suggested, -1),
            mean_probabilities=mass / visits.astype(np.float32)[:, None],
            probability_classes=None if classes is None else classes.cpu().numpy().copy(),
            kept_epochs=kept_epochs,
            confidence_by_epoch=kept_confidence,
            max_confidence_by_epoch=kept_largest,
            correct_bits=correct_bits,
            seen_bits=seen_bits,
            epoch_weights=weights,
            informed_probabilities=self._means.periods.mean(weights**2, seen_bits),
        )

    @settled()
    def predictions(self) -> Predictions | None:
        """Predictions of the evaluation pass; None if `evaluate` was never called."""
        self._flush()
        if np.isnan(self._final).all():
            return None
        confidence, largest, margin, predicted = self._final.astype(np.float64).T
        return Predictions(confidence, largest, margin, np.nan_to_num(predicted, nan=-1.0).astype(np.int64))

    def empty(self) -> Recorder:
        """A recorder of the same kind that holds nothing, and has no room for matrices."""
        dense = self.units * self.outcomes if self.exact else 0
        return Recorder(self.n, self.classes, task=self.task, history_bytes=0, dense_elements=dense)

    @settled()
    def merge(self, other: Recorder) -> None:
        """Add what another process recorded of the same training run.

        Raises
        ------
        DataError
            If sizes, tasks or numbers of epochs differ, or a row was seen by both in the same epoch.
        """
        self._flush()
        other._flush()
        mine, theirs = (self.n, self.classes, self.epochs), (other.n, other.classes, other.epochs)
        batches.check_partners(mine, theirs, bool(self._written or other._written), self.exact == other.exact)
        batches.check_task(self.task, other.task.name)
        batches.check_disjoint(self._seen_bits, other._seen_bits, self.units)
        known = other._labels >= 0
        batches.check_labels(known, other._labels, self._labels, "the other process")
        self._labels[known] = other._labels[known]
        self._losses.merge(other._losses, self._seen_bits, other._seen_bits)
        self._seen_bits = [a | b for a, b in zip(self._seen_bits, other._seen_bits, strict=True)]
        self._correct_bits = [a | b for a, b in zip(self._correct_bits, other._correct_bits, strict=True)]
        self._sums += other._sums
        self._history.merge(other._history)
        self._final = np.where(np.isnan(self._final), other._final, self._final)
        if self.epochs:
            self._means.merge(other._means)

    @settled()
    def state_dict(self) -> dict[str, Any]:
        """Everything recorded, as tensors, numbers and strings, with a digest.

        `torch.load(..., weights_only=True)` reads it back.
        """
        return sealed(self.snapshot())

    def load_state_dict(self, state: dict[str, Any], device: torch.device | str = "cpu") -> None:
        """Restore what `state_dict` gave: all of it, or nothing if it is refused.

        Raises
        ------
        DataError
            If it was recorded for another n, number of classes or task, or is damaged.
        StorageError
            If it is none that a recorder makes.
        """
        self.restore(unsealed(state), device)

    def snapshot(self) -> dict[str, Any]:
        """State without a digest, which goes to another process and not to a disk."""
        self._flush()
        state: dict[str, Any] = {
            "version": VERSION,
            "n": self.n,
            "classes": self.classes,
            "task": self.task.name,
            **{name: torch.from_numpy(getattr(self, f"_{name}").copy()) for name in ARRAYS},
            "losses": self._losses.state(),
            "seen_bits": [torch.from_numpy(bits.copy()) for bits in self._seen_bits],
            "correct_bits": [torch.from_numpy(bits.copy()) for bits in self._correct_bits],
            "history": self._history.state(),
            "written": self._written,
        }
        if self._device is not None:
            state |= {name: copied(getattr(self, f"_{name}")) for name in STAGED}
            state["means"] = self._means.state()
        return state

    @settled()
    def restore(self, state: dict[str, Any], device: torch.device | str = "cpu") -> None:
        """Restore what `snapshot` gave; raises as `load_state_dict`."""
        check_state(state, self.n, self.classes, self.task, self.exact)
        made = self.empty()
        made._labels, made._sums, made._final = (state[name].numpy().copy() for name in ARRAYS)
        made._losses.load(state["losses"])
        made._seen_bits = [bits.numpy().copy() for bits in state["seen_bits"]]
        made._correct_bits = [bits.numpy().copy() for bits in state["correct_bits"]]
        made._history.load(state["history"])
        if "position" in state:
            made._allocate(where := torch.device(device))
            made._position, made._staged, made._staged_labels = (copied(state[name], where) for name in STAGED)
            made._means.load(state["means"], made.epochs)
            made._written = state["written"]
        vars(self).update(vars(made))
