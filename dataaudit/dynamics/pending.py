"""Batches copied into one block, so that few operations work on many rows instead of many on few."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK_ELEMENTS = 2**18
"""Logits in a block (1 MiB); a single larger batch is a block of its own."""


class Pending:
    """Block of (index, logits, label) rows that waits to be worked through: `classes` logits and a label each."""

    def __init__(self, classes: int, label_shape: tuple[int, ...]) -> None:
        self._classes, self._label_shape = classes, label_shape
        self._buffers: tuple[Tensor, Tensor, Tensor] | None = None
        self._capacity = 0
        self.rows = 0

    def add(self, index: Tensor, logits: Tensor, label: Tensor) -> bool:
        """Copy a batch in, for the caller may reuse its tensors; False where the block has no room for it.

        An empty block grows to hold any batch.
        """
        rows = len(logits)
        end = self.rows + rows
        if end > self._capacity or self._buffers is None:
            if self.rows:
                return False
            self._capacity = max(rows, BLOCK_ELEMENTS // self._classes, 1)
            # Indices and labels stay where they come from: copying them to a CUDA device would take a call a batch.
            self._buffers = (
                torch.empty(self._capacity, dtype=torch.int64, device=index.device),
                torch.empty(self._capacity, self._classes, dtype=torch.float32, device=logits.device),
                torch.empty((self._capacity, *self._label_shape), dtype=torch.int64, device=label.device),
            )
        indices, values, labels = self._buffers
        indices.narrow(0, self.rows, rows).copy_(index)
        values.narrow(0, self.rows, rows).copy_(logits)
        labels.narrow(0, self.rows, rows).copy_(label)
        self.rows = end
        return True

    def take(self) -> tuple[Tensor, Tensor, Tensor]:
        """Views of all rows, valid until the next `add`; the block is empty afterwards."""
        assert self._buffers is not None
        index, logits, label = self._buffers
        rows, self.rows = self.rows, 0
        return index[:rows], logits[:rows], label[:rows]

    def clear(self) -> None:
        """Forget the rows."""
        self.rows = 0
