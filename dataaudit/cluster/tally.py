"""Sums of blocks, added in the order of their tasks: equal bits whoever computed them, and whenever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataaudit.cluster.folder import BlockFolder
from dataaudit.cluster.schedule import BlockSchedule
from dataaudit.common.types import FloatArray

MARGIN = 2**20
"""Bytes of blocks beside twice the sums that wait in the folder before they are added up there."""


class Tally:
    """Sums float64 [2, n] over all others and over those of the same label, as far as blocks have come.

    Blocks whose turn it is not yet stay in `folder`, or in memory. `advance` is called with shares of the pairs that
    add up to 1; `margin` is in bytes, as `MARGIN`.
    """

    def __init__(
        self,
        schedule: BlockSchedule,
        folder: BlockFolder | None,
        advance: Callable[[float], Any],
        margin: int = MARGIN,
    ) -> None:
        self._schedule, self._folder, self._advance, self._margin = schedule, folder, advance, margin
        self._held: dict[int, FloatArray] = {}
        self._bytes = 0
        self.sums, self.done = np.zeros((2, schedule.rows)), 0
        if folder is not None:
            self.sums, self.done = folder.begin(schedule.rows, schedule.columns)
        self._share(sum(map(schedule.pairs, range(self.done))))
        later = range(self.done, schedule.tasks)
        self.missing = [task for task in later if folder is None or task not in folder]
        self.resumed = schedule.tasks - len(self.missing)
        self._add()

    def put(self, task: int, block: FloatArray) -> None:
        """Keep the sums of a task, [2, rows of a and then of b]."""
        if self._folder is not None:
            self._folder.write(task, block)
        self._held[task] = block
        self._add()

    def _add(self) -> None:
        """Add all blocks whose turn it is."""
        while self.done < self._schedule.tasks:
            block = self._held.pop(self.done, None)
            if block is None:
                if self._folder is None or self.done not in self._folder:
                    return
                block = self._folder.read(self.done)
            a, b = self._schedule.ranges_of(self.done)
            size = self._schedule.size(a)
            self.sums[:, self._schedule.slice_of(a)] += block[:, :size]
            if a != b:
                self.sums[:, self._schedule.slice_of(b)] += block[:, size:]
            self._share(self._schedule.pairs(self.done))
            self.done += 1
            self._bytes += block.nbytes
            last = self.done == self._schedule.tasks
            if self._folder is not None and (last or self._bytes > 2 * self.sums.nbytes + self._margin):
                self._folder.add_up(self.sums, self.done)
                self._bytes = 0

    def _share(self, pairs: int) -> None:
        if self._schedule.all_pairs:
            self._advance(pairs / self._schedule.all_pairs)
