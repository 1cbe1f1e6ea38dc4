"""What label-error scores are computed from, collected once: a training run of ours and cross-validation for the peers.

Each case leaves a file in the folder --cache, so that an interrupted collection goes on where it stopped.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aum import AUMCalculator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

import dataaudit
from benchmarks.common import Array
from benchmarks.peers.cases import Case
from dataaudit.data import as_examples
from dataaudit.learners.adapt import as_learner

FOLDS = 5


class Clock:
    """Wall and processor seconds of a block; the latter bear other work on the machine better."""

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = time.perf_counter() - self._start[0], time.process_time() - self._start[1]


class Watched:
    """Our recorder and the aum package's in one training run, each on its own clock."""

    def __init__(self, recorder: dataaudit.Recorder, folder: str) -> None:
        self.recorder, self.calculator = recorder, AUMCalculator(folder)
        self.aum_wall = self.aum_processor = 0.0

    def update(self, indices: Any, logits: Any, labels: Any) -> None:
        self.recorder.update(indices, logits, labels)
        with Clock() as clock:
            values = torch.as_tensor(logits).detach()
            self.calculator.update(values, torch.as_tensor(labels), torch.as_tensor(indices).tolist())
        self.aum_wall += clock.wall
        self.aum_processor += clock.processor

    def end_epoch(self) -> None:
        self.recorder.end_epoch()

    def discard_epoch(self) -> None:
        self.recorder.discard_epoch()


def probabilities(logits: Any) -> Array:
    values = np.asarray(logits.cpu() if hasattr(logits, "cpu") else logits, np.float64)
    values = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(values / values.sum(1, keepdims=True))


def cross_validated(fit: Any, labels: Array, seed: int) -> tuple[Array, Clock]:
    """Out-of-sample probabilities [n, C] of five folds."""
    found = np.zeros((len(labels), int(labels.max()) + 1))
    with Clock() as clock:
        for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels):
            found[test] = fit(train, test)
    return found, clock


def collect(case: Case, cache: Path) -> dict[str, Any]:
    """Evidence of a case, from the cache where it is there."""
    path = cache / f"{case.key}.pt"
    if path.exists():
        found: dict[str, Any] = torch.load(path, weights_only=True)
        return found
    source, given = case.source, case.given
    examples = as_examples((source.inputs, given))
    learner = as_learner(source.model, examples, None, "auto", source.processor)
    assert learner is not None
    learner.check(case.seed)
    found = {}
    everything = np.arange(len(given))
    if learner.epochs:
        recorder = dataaudit.Recorder(len(given), len(examples.class_names))
        with tempfile.TemporaryDirectory() as folder, Clock() as clock:
            both = Watched(recorder, folder)
            fitted = learner.fit(everything, case.seed, both, False)
        sums, counts = both.calculator.sums, both.calculator.counts
        found["recorder"] = recorder.state_dict()
        found["aum"] = torch.tensor([sums[i] / counts[i] for i in range(len(given))])
        found["train_wall"], found["train_processor"] = clock.wall - both.aum_wall, clock.processor - both.aum_processor
        found["aum_wall"], found["aum_processor"] = clock.wall, clock.processor
        module = getattr(fitted, "module", None)
        if isinstance(module, torch.nn.Module):
            found["module"] = module.state_dict()
    fits = {"same model": lambda train, test: probabilities(learner.fit(train, case.seed, None, False).logits(test))}
    if isinstance(source.model, dataaudit.LinearProbe):
        fits["logistic"] = lambda train, test: (
            LogisticRegression(max_iter=1000)
            .fit(source.vectors[train], given[train])
            .predict_proba(source.vectors[test])
        )
    for name, fit in fits.items():
        values, clock = cross_validated(fit, given, case.seed)
        found[f"folds {name}"] = torch.tensor(values)
        found[f"folds {name} wall"], found[f"folds {name} processor"] = clock.wall, clock.processor
    cache.mkdir(parents=True, exist_ok=True)
    torch.save(found, path)
    return found
