"""Checks of a training loop's batches and of records that are merged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataaudit.common.types import AnyArray, BoolArray, IntArray
from dataaudit.errors import DataError, rows
from dataaudit.tasks.base import EL2N, Task

WHOLE = frozenset({torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool})
"""Types of indices and labels."""

TWO_LABELS = -2
"""Stands for the label of a row that had two in one epoch."""


def refuse_shapes(index: Tensor, logits: Tensor, label: Tensor, classes: int, label_shape: tuple[int, ...]) -> None:
    """Raise for a batch whose shapes do not belong together."""
    labels = f"(b, {', '.join(map(str, label_shape))})" if label_shape else "(b,)"
    raise DataError(
        f"indices {tuple(index.shape)}, logits {tuple(logits.shape)}, labels {tuple(label.shape)}",
        f"shapes (b,), (b, {classes}), {labels}",
        "pass one index, one row of logits and one label for every example of the batch",
    )


def check_range(what: str, values: Tensor, end: int) -> None:
    """Raise unless all `values` lie in 0..end-1."""
    # Looking at values on a CUDA device would wait for it; there an index out of range fails by itself.
    if values.device.type != "cpu":
        return
    low, high = (int(value) for value in torch.aminmax(values))
    if low < 0 or high >= end:
        action = f"count from 0 in every {what}, or make the Recorder with {'n' if what == 'index' else 'classes'}="
        raise DataError(f"{what} {low if low < 0 else high}", f"0..{end - 1}", action)


def check_epoch(seen: BoolArray, values: AnyArray, labels: IntArray, known: IntArray, epoch: int) -> None:
    """Raise if measurements [u, 7] of the units `seen` [u] are not finite, or labels differ from the `known`."""
    # A sum that is finite clears all rows at once; one that is not may only have overflowed.
    bad = np.empty(0, np.int64)
    if not np.isfinite(values[:, :EL2N].sum()):
        bad = np.flatnonzero(seen & ~np.isfinite(values[:, :EL2N]).all(axis=1))
    if len(bad):
        raise DataError(
            f"NaN or infinite logits in {rows(bad)} (epoch {epoch})",
            "finite logits",
            "lower the learning rate, by which training diverged, or mend the inputs of these rows",
        )
    check_one_label(np.flatnonzero(seen & (labels == TWO_LABELS)), f"epoch {epoch}")
    check_labels(seen, labels, known, "earlier epochs")


def check_one_label(changed: IntArray, where: str) -> None:
    """Raise if there are rows whose label `changed` within a pass."""
    if len(changed):
        raise DataError(
            f"two labels within {where} for {rows(np.unique(changed))}",
            "the same label for a row in every batch",
            "check that indices are positions in the whole data set, not in the batch or the shard",
        )


def check_labels(rows_given: BoolArray, labels: IntArray, known: IntArray, where: str) -> None:
    """Raise if a row's label differs from the one known before (-1: none yet)."""
    moved = np.flatnonzero(rows_given & (known >= 0) & (known != labels))
    if len(moved):
        raise DataError(
            f"another label than in {where} for {rows(moved)}",
            "the same label for a row in every pass",
            "check that indices are positions in the whole data set, not in the batch or the shard",
        )


def check_partners(mine: tuple[int, int, int], theirs: tuple[int, int, int], still_open: bool, alike: bool) -> None:
    """Raise unless two records have the same (n, classes, epochs), no open epoch, and are `alike` in what they sum."""
    if mine != theirs or still_open:
        raise DataError(
            f"recorders of (n, classes, epochs) {mine} and {theirs}" + (", with an epoch still open" * still_open),
            "the same n, classes and complete epochs in every process",
            "call end_epoch() in every process before merging"
            if still_open
            else "make every Recorder with the same n and classes, and close the same epochs",
        )
    if not alike:
        raise DataError(
            "a record of all classes and one of each example's likeliest",
            "the same dense_elements in every process",
            "make every Recorder with the same arguments",
        )


def check_task(task: Task, other: str) -> None:
    """Raise unless another record is of a `task` of the same name."""
    if task.name != other:
        raise DataError(f"a record of the task {other!r}", f"one of {task.name!r}", "make the Recorder with that task=")


def check_disjoint(mine: Sequence[NDArray[np.uint8]], theirs: Sequence[NDArray[np.uint8]], n: int) -> None:
    """Raise if a row was seen by both processes in the same epoch; bits [ceil(n / 8)] by epoch."""
    for epoch, (left, right) in enumerate(zip(mine, theirs, strict=True), 1):
        if (left & right).any():
            both = np.flatnonzero(np.unpackbits(np.bitwise_and(left, right), count=n))
            raise DataError(
                f"{rows(both)} seen by both processes in epoch {epoch}",
                "every row seen by one process an epoch",
                "close epochs by end_epoch(group=...), or shard without padding (DistributedSampler(drop_last=True))",
            )


def last_seen(bits: Sequence[NDArray[np.uint8]], n: int) -> IntArray:
    """Number, from 1, of the last epoch in which each row was seen, int64 [n], 0 for never; bits as above."""
    last = np.zeros(n, np.int64)
    for epoch, seen in enumerate(bits, 1):
        last[np.unpackbits(seen, count=n).astype(bool)] = epoch
    return last
