"""Batches of one difficulty each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from dataaudit.common import checks
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import IntArray
from dataaudit.curriculum.epoch_position import ResumableSampler, as_numbers, check_seed, check_whole
from dataaudit.curriculum.sampling import uniforms
from dataaudit.errors import DataError

ORDERS = ("shuffled", "easy_first", "hard_first")
SETTINGS = ("version", "scores", "batch_size", "levels", "order", "drop_last", "seed")


class LevelBatchSampler(ResumableSampler[list[int]]):
    """Batches each from one level of difficulty, for a ``DataLoader(dataset, batch_sampler=...)``.

    Every example comes once in a pass. The batches of an epoch are a function of the scores, the settings, the seed and
    the epoch, whatever the number of workers and ranks.

    Parameters
    ----------
    scores
        Array [n], higher = more regular, such as ``audit.scores["consensus"]``. Examples without a score (NaN) are a
        level of their own, after the hardest.
    batch_size
        Examples of a batch; the last of a level may have fewer.
    levels
        Number of levels, of equally many examples that have a score (to one); equal scores are cut by position.
    order
        Of the batches: "shuffled", "easy_first" or "hard_first" (level by level; last those without a score, or
        first).
    drop_last
        Whether to leave out a level's last batch where it has fewer examples. ``accelerate`` in several processes
        needs it: it takes a batch of fewer for the end of the pass.
    seed
        0 to below 2**64; members of a level are shuffled among its batches in every epoch.
    num_replicas, rank
        Number of ranks W and this one: it gets the batches r, r + W, r + 2 W, ...; from its beginning the sequence
        goes on until all ranks have equally many.

    Attributes
    ----------
    level
        Of each example, int64 [n]: 0 the most regular, `levels` where there is no score.
    epoch
        Number of the epoch.

    Raises
    ------
    SettingError
        If a setting is not as described.
    DataError
        If scores are not one number an example, fewer have one than there are levels, or there is no batch.

    Notes
    -----
    Batches of like difficulty as in the mini-batch curricula that Hacohen and Weinshall, *On the power of curriculum
    learning in training deep networks* (ICML 2019), start from. Memory: 8 bytes an example, and 24 more as a pass
    begins.

    Examples
    --------
    >>> sampler = LevelBatchSampler([0.9, 0.1, 0.8, 0.2, 0.7, float("nan")], batch_size=2, levels=2, order="easy_first")
    >>> [sorted(batch) for batch in sampler]
    [[0, 2], [4], [1, 3], [5]]
    """

    def __init__(
        self,
        scores: Any,
        batch_size: int,
        *,
        levels: int = 5,
        order: Literal["shuffled", "easy_first", "hard_first"] = "shuffled",
        drop_last: bool = False,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(num_replicas, rank, False)
        self.batch_size = check_whole("batch_size", batch_size, 1)
        self.levels = check_whole("levels", levels, 1)
        self.seed = check_seed(seed)
        checks.choice(f"order={order!r}", order, ORDERS, "a known order of batches")
        self.order, self.drop_last = order, checks.flag("drop_last", drop_last, "pass drop_last=True for full batches")
        values = as_numbers("scores", scores, "pass a column of audit.scores")
        scored = int(np.isfinite(values).sum())
        if values.ndim != 1 or np.isinf(values).any() or scored < self.levels:
            raise DataError(
                f"scores of shape {values.shape}, {scored} of them finite",
                f"shape (n,), never infinite, at least levels={self.levels} that are no NaN",
                ["pass a column of audit.scores", *([f"pass levels={scored}"] if 0 < scored < self.levels else [])],
            )
        ranked = np.lexsort((-values, np.isnan(values)))
        self.level: IntArray = np.full(len(values), self.levels, np.int64)
        for number, members in enumerate(np.array_split(ranked[:scored], self.levels)):
            self.level[members] = number
        sizes = np.bincount(self.level)
        self._sizes = sizes // self.batch_size if drop_last else -(-sizes // self.batch_size)
        if self._sizes.sum() == 0:
            raise DataError(
                f"levels of at most {sizes.max()} examples for full batches of {self.batch_size}",
                "one full batch at least",
                [f"pass batch_size={sizes.max()} or less", "pass drop_last=False", "pass fewer levels"],
            )
        self._fingerprint = fingerprint_of(values)

    @property
    def _count(self) -> int:
        """Number of batches of all ranks."""
        return int(self._sizes.sum())

    @property
    def sampler(self) -> LevelBatchSampler:
        """Itself: ``accelerate``, in several processes, sets the epoch of a batch sampler's `sampler`."""
        return self

    def __iter__(self) -> Iterator[list[int]]:
        """One pass: batches of positions in the data set."""
        n, count = len(self.level), self._count
        keys = uniforms(self.seed, self.epoch, n + count)
        members = np.lexsort((keys[:n], self.level))
        ends = np.cumsum(np.bincount(self.level))
        level = np.repeat(np.arange(len(self._sizes)), self._sizes)
        number = np.arange(count) - np.repeat(np.cumsum(self._sizes) - self._sizes, self._sizes)
        starts = np.concatenate(([0], ends[:-1]))[level] + number * self.batch_size
        stops = np.minimum(starts + self.batch_size, ends[level])
        leading = {"shuffled": np.zeros(count), "easy_first": level, "hard_first": -level}[self.order]
        sequence = np.lexsort((keys[n:], leading))
        batches = (sequence[position] for position in self._positions())
        return (members[starts[batch] : stops[batch]].tolist() for batch in batches)

    def _settings(self) -> dict[str, Any]:
        own = (1, self._fingerprint, self.batch_size, self.levels, self.order, self.drop_last, self.seed)
        return dict(zip(SETTINGS, own, strict=True))
