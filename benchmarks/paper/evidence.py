"""What items share, made once: the C-scores to compare with, and recorded training runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import counts
from benchmarks.paper.setting import Data, Setting
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.summary import unpack
from dataaudit.holdout.settings import GRID
from dataaudit.learners.base import Fitted
from dataaudit.learners.devices import resolve_device
from dataaudit.learners.torch import TorchLearner

AT_ONE_RATIO = ("c_score", "holdout_probability")
STEPS = 4
"""Steps of training by which its cost is estimated."""


@dataclass(frozen=True, eq=False)
class Truth:
    """C-scores [n] of the rows that were trained on, and where they come from."""

    values: Array
    source: str
    reliability: float | None = None

    @property
    def known(self) -> Array:
        """Rows that have one."""
        return np.isfinite(self.values)


@lru_cache(maxsize=8)
def part(setting: Setting, data: Data) -> Data:
    """Rows that training runs and densities take: fewer where C-scores have to be estimated first."""
    scored = data.published is not None or counts.committed(data) is not None
    return data.first(setting.sizes.examples if scored else setting.sizes.held)


@lru_cache(maxsize=8)
def truth(setting: Setting, data: Data) -> Truth:
    """C-scores of the rows of `part`: published ones, or our own integral over nine subset ratios."""
    rows = part(setting, data)
    if rows.published is not None:
        return Truth(rows.published, "the published C-scores")
    found = counts_of(setting, data)
    return Truth(found.integral[: len(rows)], found.source, found.reliability())


@lru_cache(maxsize=8)
def counts_of(setting: Setting, data: Data) -> counts.Counts:
    """Counts of holdout runs: of all rows where they are committed, otherwise of those that these sizes allow."""
    ready = None if setting.full else counts.committed(data)
    return counts.of(setting, data if ready is not None else data.first(setting.sizes.held))


@lru_cache(maxsize=8)
def at_one_ratio(setting: Setting, data: Data) -> dataaudit.Audit | None:
    """C-scores and mean probabilities at one subset ratio, by the runs that `truth` is made of.

    None where it is made of none: published scores and committed counts hold no probabilities.
    """
    if data.published is not None or (not setting.full and counts.committed(data) is not None):
        return None
    return counts.held_out(setting, data.first(setting.sizes.held), list(AT_ONE_RATIO))


@dataclass(frozen=True, eq=False)
class Recording:
    """What a training run showed after each of its epochs."""

    correct: Array
    """Classified correctly, bool [epochs, n]."""
    confidence: Array
    """Probability of the label, float16 [epochs, n]."""
    largest: Array
    """Largest probability, float16 [epochs, n]."""
    test_accuracy: Array
    """After each epoch [epochs]; NaN without a test part."""

    @property
    def epochs(self) -> int:
        return len(self.correct)


def recorded(
    setting: Setting,
    data: Data,
    name: str,
    rows: Data,
    network: Callable[[], Any],
    recipe: dataaudit.Recipe,
    seed: int = 0,
) -> Recording:
    """Training run on `rows`, recorded; kept in the folder of `data` under `name`."""

    def make() -> dict[str, Array]:
        examples = as_examples((rows.inputs, rows.labels))
        learner = TorchLearner(network, examples, recipe, resolve_device(setting.device))
        learner.check(seed)
        recorder = Recorder(len(rows), len(rows.classes), history_bytes=8 * len(rows) * recipe.epochs)
        accuracy: list[float] = []
        watch = None if data.test is None else _tester(learner, data.test, rows, accuracy)
        learner.fit(np.arange(len(rows)), setting.seed + seed, recorder, False, watch)
        seen = recorder.dynamics()
        assert seen is not None
        return {
            "correct": np.stack([unpack(bits, len(rows)) for bits in seen.correct_bits]),
            "confidence": seen.confidence_by_epoch,
            "largest": seen.max_confidence_by_epoch,
            "test_accuracy": np.array(accuracy or [np.nan] * recipe.epochs),
        }

    return Recording(**setting.kept(data, name, make))


def _tester(
    learner: TorchLearner, test: tuple[Array, Array], rows: Data, accuracy: list[float]
) -> Callable[[int, Fitted], None]:
    examples = as_examples(test)

    def look(epoch: int, fitted: Any) -> None:
        logits = fitted.on(examples).logits(np.arange(len(test[1])))
        accuracy.append(float((logits.argmax(1).cpu().numpy() == test[1]).mean()))

    return look


def spearman(one: Array, other: Array) -> float:
    """Spearman's correlation of the rows in which both are known; NaN where either is constant."""
    both = np.isfinite(one) & np.isfinite(other)
    return _pearson(rankdata(one[both]), rankdata(other[both]))


def _pearson(one: Array, other: Array) -> float:
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def bootstrap(measure: Callable[[Array], float], n: int, seed: int = 0, draws: int = 200) -> tuple[float, float, float]:
    """Value and 95 % interval of `measure(rows)` over resampled rows."""
    rng = np.random.default_rng(seed)
    found = [measure(rng.integers(n, size=n)) for _ in range(draws)]
    # Scores that are all alike have no correlation in any draw.
    lower, upper = np.nanpercentile(found, [2.5, 97.5]) if np.isfinite(found).any() else (np.nan, np.nan)
    return measure(np.arange(n)), float(lower), float(upper)


def agreement(values: Array, truth: Array) -> tuple[float, float, float]:
    """Spearman's correlation of the rows in which both are known, and its 95 % interval over resampled rows."""
    return bootstrap(lambda rows: spearman(values[rows], truth[rows]), len(truth))


def holdout_seconds(setting: Setting, data: Data) -> float:
    """Processor seconds of the holdout runs of all ratios; 0 where they are committed."""
    if not setting.full and counts.committed(data) is not None:
        return 0.0
    rows = data.first(setting.sizes.held)
    return setting.sizes.runs * sum(GRID) * training_seconds(setting, data, setting.network(data), len(rows))


def training_seconds(
    setting: Setting, data: Data, learner: tuple[Callable[[], Any], dataaudit.Recipe], examples: int
) -> float:
    """Processor seconds of a training run on so many examples, from a few steps of one thread on this machine.

    Several threads wait for one another by turning, which costs processor time that tells nothing.
    """
    network, recipe = learner
    few = data.first(max(recipe.batch_size * STEPS, len(data.classes)))
    short = replace(recipe, epochs=1)
    fit = TorchLearner(network, as_examples((few.inputs, few.labels)), short, resolve_device(setting.device))
    fit.check(setting.seed)
    rows = np.arange(len(few))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fit.fit(rows, setting.seed, None, False)  # Memory is claimed, and is not timed.
        before = time.process_time()
        fit.fit(rows, setting.seed, None, False)
        taken = time.process_time() - before
    finally:
        torch.set_num_threads(threads)
    return taken / len(few) * examples * recipe.epochs
