"""Per-epoch matrices within a budget of bytes: when it is used up, every second kept epoch goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import DataError

BYTES_PER_EXAMPLE = 2 * 2
MOST_EPOCHS = 4096


class History:
    """Confidence and largest confidence of n examples, for as many epochs as the budget of bytes holds.

    Epochs are kept while 4 n bytes each fit, then with twice the stride.
    """

    def __init__(self, n: int, budget: int) -> None:
        self._n = n
        self._capacity = min(MOST_EPOCHS, budget // (BYTES_PER_EXAMPLE * n))
        # Pages that are never written are never resident, so the whole budget costs nothing at first.
        self._block = np.empty((2, self._capacity, n), np.float16)
        self._epochs: list[int] = []
        self._stride = 1
        self._epoch = 0
        self._shared = False

    def append(self, seen: AnyArray, confidence: AnyArray, largest: AnyArray) -> None:
        """Add the next epoch: values [n], kept as NaN where not `seen`."""
        self._epoch += 1
        if self._capacity == 0 or self._epoch % self._stride:
            return
        if len(self._epochs) == self._capacity:
            self._thin()
            if self._epoch % self._stride:
                return
        row = len(self._epochs)
        unseen = None if seen.all() else ~seen
        for matrix, values in enumerate((confidence, largest)):
            self._block[matrix, row] = values
            if unseen is not None:
                self._block[matrix, row, unseen] = np.nan
        self._epochs.append(self._epoch)

    def _thin(self) -> None:
        self._stride *= 2
        stay = [row for row, epoch in enumerate(self._epochs) if epoch % self._stride == 0]
        block = np.empty_like(self._block) if self._shared else self._block
        for to, row in enumerate(stay):
            block[:, to] = self._block[:, row]
        self._block, self._shared = block, False
        self._epochs = [self._epochs[row] for row in stay]

    def view(self) -> tuple[IntArray, AnyArray, AnyArray]:
        """Kept epochs (from 1) [k], confidence and largest confidence, float16 [k, n], read-only views.

        Later epochs never change what was given out.
        """
        self._shared = True
        matrices = self._block[:, : len(self._epochs)].view()
        matrices.flags.writeable = False
        return np.asarray(self._epochs, np.int64), matrices[0], matrices[1]

    def merge(self, other: History) -> None:
        """Fill what this process did not see (NaN) with what the other saw."""
        if self._epochs != other._epochs or self._capacity != other._capacity:
            raise ValueError("histories of different epochs or budgets cannot be merged")
        kept = len(self._epochs)
        mine, theirs = self._block[:, :kept], other._block[:, :kept]
        block = np.empty_like(self._block)
        block[:, :kept] = np.where(np.isnan(mine), theirs, mine)
        self._block, self._shared = block, False

    def state(self) -> dict[str, Any]:
        """Tensors and numbers to save; `load` takes them."""
        return {
            "epochs": list(self._epochs),
            "stride": self._stride,
            "epoch": self._epoch,
            "capacity": self._capacity,
            "block": torch.from_numpy(self._block[:, : len(self._epochs)].copy()),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` gave; its budget comes with it."""
        self._capacity = int(state["capacity"])
        try:
            self._block = np.empty((2, self._capacity, self._n), np.float16)
        except MemoryError as error:
            raise DataError(
                f"a state with room for {self._capacity} epochs of {self._n} rows ({error})",
                "as much as there is memory for",
                "record with less history_bytes=, or load it on a larger machine",
            ) from error
        self._epochs = list(state["epochs"])
        self._block[:, : len(self._epochs)] = state["block"].numpy()
        self._stride, self._epoch, self._shared = int(state["stride"]), int(state["epoch"]), False
