"""Subsets that runs train on: a pure function of a few numbers, so that any run can be repeated anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from dataaudit.common import checks, digests
from dataaudit.common.types import BoolArray, IntArray
from dataaudit.errors import SettingError
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION

Design = Literal["random", "stratified", "balanced", "nested", "folds"]


class Run(NamedTuple):
    """One training run: its subset ratio, and its number among the runs of that ratio, from 0."""

    ratio: float
    number: int


def stratified_folds(labels: IntArray, folds: int, seed: int | Sequence[int]) -> IntArray:
    """Fold 0..folds-1 of every row, int64 [n]: each class is shuffled and dealt out in turn.

    The deal goes on from class to class, so that fold sizes differ by at most one.

    >>> np.bincount(stratified_folds(np.array([0] * 4 + [1] * 3), 3, seed=0)).tolist()
    [3, 2, 2]
    """
    by_class = _shuffled_by_class(labels, np.random.default_rng(seed))
    assigned = np.empty(len(labels), np.int64)
    assigned[by_class] = np.arange(len(labels)) % folds
    return assigned


def _shuffled_by_class(labels: IntArray, rng: np.random.Generator) -> IntArray:
    shuffled = rng.permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


@dataclass(frozen=True)
class Plan:
    """Subsets and seeds of all runs.

    With ``t = round(ratio * n)`` examples to train on (at least 1, at most n - 1) and ``rng(...)`` for
    ``numpy.random.default_rng([...])``, run `number` trains on

    - random: ``rng(seed, ratio in millionths, number).permutation(n)[:t]`` (the paper's algorithm 1);
    - stratified: t examples, evenly spaced from a random start in an order sorted by class and shuffled within:
      every class keeps its share to within one example;
    - balanced: all but the next n - t examples of a sequence of permutations, whose joints are arranged so that no
      run meets an example twice: after any number of runs, holdout counts differ by at most one;
    - nested: the first t of a permutation that all ratios share, ``rng(seed, number // 2).permutation(n)``, read
      backwards by odd runs: what a learner that reuses work between subsets asks for;
    - folds: all folds but one; ``number // folds`` counts repetitions, each with a stratified deal of its own.

    Labels, int64 [n], are looked at by "stratified" and "folds" alone, which need one class an example.
    """

    labels: IntArray
    seed: int
    design: Design = "random"
    folds: int = 0
    task: Task = CLASSIFICATION
    _joints: dict[int, tuple[int, IntArray]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.design in ("stratified", "folds") and self.task.label_shape:
            raise SettingError(
                f"the design {self.design!r} for the task {self.task.name!r}",
                "one class an example, which it deals out",
                "pass design='balanced'",
            )

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.labels)

    def size(self, ratio: float) -> int:
        """Number of examples to train on, t."""
        return min(max(round(ratio * self.n), 1), self.n - 1)

    def train(self, run: Run) -> IntArray:
        """Rows that `run` trains on, int64, rising."""
        return np.flatnonzero(~self.held_out(run))

    def held_out(self, run: Run) -> BoolArray:
        """Rows that `run` holds out, bool [n]."""
        if self.design == "folds":
            repetition, fold = divmod(run.number, self.folds)
            return np.asarray(stratified_folds(self.labels, self.folds, [self.seed, repetition]) == fold)
        if self.design == "balanced":
            held = np.zeros(self.n, bool)
            held[self._next(run)] = True
            return held
        held = np.ones(self.n, bool)
        held[self.order(run)[: self.size(run.ratio)]] = False
        return held

    def order(self, run: Run) -> IntArray:
        """Permutation of the rows, int64 [n], whose first ones `run` trains on ("random", "stratified", "nested")."""
        if self.design == "nested":
            order = np.random.default_rng([self.seed, run.number // 2]).permutation(self.n)
            return order[::-1] if run.number % 2 else order
        rng = np.random.default_rng([self.seed, _millionths(run.ratio), run.number])
        if self.design == "random":
            return rng.permutation(self.n)
        by_class = _shuffled_by_class(self.labels, rng)
        turned = np.roll(by_class, int(rng.integers(self.n)))
        steps = np.arange(self.n + 1) * self.size(run.ratio) // self.n
        chosen = np.diff(steps) > 0
        return np.concatenate([turned[chosen], turned[~chosen]])

    def training_seed(self, run: Run) -> int:
        """Seed of initialisation and order, of its own for every run, 0 to 2**32 - 1."""
        sequence = np.random.SeedSequence([self.seed, _millionths(run.ratio), run.number, 1])
        return int(sequence.generate_state(1)[0])

    def _next(self, run: Run) -> IntArray:
        """Rows that a balanced run holds out, in the order of the sequence."""
        count = self.n - self.size(run.ratio)
        first = run.number * count
        number, offset = divmod(first, self.n)
        here = self._permutation(run.ratio, number, count)[offset : offset + count]
        if len(here) == count:
            return here
        return np.concatenate([here, self._permutation(run.ratio, number + 1, count)[: count - len(here)]])

    def _permutation(self, ratio: float, index: int, count: int) -> IntArray:
        """Permutation `index` of a balanced sequence; each depends on the one before, and the last is kept."""
        key = _millionths(ratio)
        number, order = self._joints.get(key, (-1, np.empty(0, np.int64)))
        if number > index:
            number, order = -1, np.empty(0, np.int64)
        while number < index:
            number += 1
            drawn = np.random.default_rng([self.seed, key, number]).permutation(self.n)
            begun = -(number * self.n) % count if number else 0
            # The run that began in the last permutation takes its first rows here: none that it has already.
            taken = np.zeros(self.n, bool)
            taken[order[self.n - (count - begun) :] if begun else order[:0]] = True
            head = np.flatnonzero(~taken[drawn])[:begun]
            rest = np.ones(self.n, bool)
            rest[head] = False
            order = np.concatenate([drawn[head], drawn[rest]])
        self._joints[key] = (number, order)
        return order

    def describe(self) -> dict[str, Any]:
        """Identity of the plan, as JSON values; numbers of runs and ratios may differ."""
        identity: dict[str, Any] = {"n": self.n, "seed": self.seed, "design": self.design}
        if self.design == "folds":
            identity["folds"] = self.folds
        if self.task.name != CLASSIFICATION.name:
            identity["task"] = self.task.name
        if self.design in ("stratified", "folds"):
            identity["labels"] = digests.digest(np.ascontiguousarray(self.labels).data)
        return identity

    @property
    def fingerprint(self) -> str:
        """Digest of `describe`, 32 hexadecimal digits."""
        return digests.digest(json.dumps(self.describe(), sort_keys=True).encode())


def _millionths(ratio: float) -> int:
    return round(ratio * 1_000_000)


def check_ratio(ratio: Any, action: str = "pass ratio=0.7") -> float:
    """Return `ratio` as a float rounded to millionths, or raise `SettingError` unless it lies inside (0, 1)."""
    expected = "the share of the examples to train on, between 0 and 1 (both excluded)"
    number = checks.number("ratio", ratio, 5e-7, 1 - 5e-7, "neither", expected, action)
    return round(float(number), 6)
