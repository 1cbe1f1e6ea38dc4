"""Blocks of pairs and their order: arithmetic alone, for the engine and for simulations of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import IntArray

SQUARE = 8
"""Ranges along a side of the squares in which blocks are taken: 64 blocks of a square read 16 ranges."""
AHEAD = 8
"""Tasks beyond the oldest unfinished one that may be started, for each that runs at a time."""


@dataclass(frozen=True)
class BlockSchedule:
    """Rows cut into ranges; each unordered pair of ranges, a range with itself too, is a task.

    Tasks are numbered in an order that depends on nothing else: by squares of `SQUARE` by `SQUARE` ranges, so that
    those that run at one time share what they read. Sums are added in the order of the numbers. The last range may have
    fewer than `block_rows` rows.

    >>> schedule = BlockSchedule(rows=10, block_rows=4)
    >>> [schedule.ranges_of(task) for task in range(schedule.tasks)]
    [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    >>> schedule.slice_of(2), schedule.pairs(2), schedule.pairs(5)
    (slice(8, 10, None), 8, 1)
    """

    rows: int
    block_rows: int

    def __post_init__(self) -> None:
        checks.whole("rows", self.rows, 0, "leave out rows=")
        checks.whole("block_rows", self.block_rows, 1, "leave out block_rows=")

    @property
    def ranges(self) -> int:
        """Number of ranges."""
        return -(-self.rows // self.block_rows)

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return self.ranges * (self.ranges + 1) // 2

    @cached_property
    def order(self) -> IntArray:
        """Ranges (a, b), a <= b, of every task, int64 [tasks, 2]."""
        a, b = (part.astype(np.int64) for part in np.triu_indices(self.ranges))
        return np.stack([a, b], 1)[np.lexsort((b, a, b // SQUARE, a // SQUARE))]

    def ranges_of(self, task: int) -> tuple[int, int]:
        """Ranges (a, b) of a task, a <= b."""
        a, b = self.order[task].tolist()
        return a, b

    @property
    def columns(self) -> IntArray:
        """Rows of both ranges of every task, int64 [tasks]."""
        sizes = np.array([self.size(number) for number in range(self.ranges)], np.int64)
        a, b = self.order.T
        columns: IntArray = sizes[a] + np.where(a == b, 0, sizes[b])
        return columns

    def slice_of(self, number: int) -> slice:
        """Rows of a range."""
        return slice(number * self.block_rows, min((number + 1) * self.block_rows, self.rows))

    def size(self, number: int) -> int:
        """Number of rows of a range."""
        rows = self.slice_of(number)
        return int(rows.stop - rows.start)

    def pairs(self, task: int) -> int:
        """Unordered pairs of different rows that a task computes."""
        a, b = self.ranges_of(task)
        return self.size(a) * (self.size(a) - 1) // 2 if a == b else self.size(a) * self.size(b)

    @property
    def all_pairs(self) -> int:
        """Unordered pairs of different rows."""
        return self.rows * (self.rows - 1) // 2

    @property
    def all_read(self) -> int:
        """Rows that all tasks read together, where each reads its own: every range once for each range."""
        return self.rows * self.ranges
