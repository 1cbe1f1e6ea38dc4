"""Calls of the library of many kinds, each with a digest of its result, for threads and for settings of a process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.naive_bayes import GaussianNB
from torch import nn

import dataaudit
from benchmarks.common import Array
from benchmarks.faults.material import CLASSES, FEATURES, ROWS, data, record, score

Result = dict[str, Array]

RECIPE = dataaudit.Recipe(epochs=2, batch_size=16, precision="float32")


def _network() -> nn.Module:
    """Of float32 by name: a network that leaves its type open is one of the caller's, and other sums are right then."""
    first = nn.Linear(FEATURES, 16, dtype=torch.float32)
    return nn.Sequential(first, nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, CLASSES, dtype=torch.float32))


@cache
def _module(seed: int) -> nn.Module:
    """A module that was made before a caller's settings."""
    model = _network()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(seed)
        for weights in model.parameters():
            weights.copy_(0.3 * torch.randn(weights.shape, generator=generator))
    return model


def _columns(audit: dataaudit.Audit) -> Result:
    return {**audit.columns, "labels": audit.labels, "suggested": audit.suggested}


def network(seed: int) -> Result:
    """Training of a network that draws its weights, its order and its dropout."""
    return _columns(score(_network, data(seed), "mean_margin", recipe=RECIPE, seed=seed))


def module(seed: int) -> Result:
    """Training of a module, with densities and neighbours in its layers."""
    return _columns(score(_module(seed), data(seed), recipe=RECIPE, seed=seed))


def trees(seed: int) -> Result:
    """A classifier of scikit-learn that draws at random, cross-validated."""
    return _columns(score(ExtraTreesClassifier(5), data(seed), seed=seed))


def probe(seed: int) -> Result:
    """A linear probe."""
    return _columns(score(dataaudit.LinearProbe(), data(seed), seed=seed))


def neighbours(seed: int) -> Result:
    """Nearest neighbours, in closed form."""
    return _columns(score(dataaudit.NearestNeighbours(), data(seed), seed=seed))


def inputs(seed: int) -> Result:
    """Inputs alone: ridge regression, densities and neighbours."""
    return _columns(score(None, data(seed), seed=seed))


def runs(seed: int) -> Result:
    """Holdout runs."""
    return _columns(score(GaussianNB(), data(seed), "c_score", holdout=dataaudit.Holdout(runs=4), seed=seed))


def drawn_runs(seed: int) -> Result:
    """Holdout runs of a network."""
    holdout = dataaudit.Holdout(runs=2)
    return _columns(score(_network, data(seed), "c_score", holdout=holdout, recipe=RECIPE, seed=seed))


def recording(seed: int) -> Result:
    """A recorder in a loop of the caller's own, its state taken and restored, and scored."""
    made, fresh = dataaudit.Recorder(ROWS, CLASSES), dataaudit.Recorder(ROWS, CLASSES)
    for epoch in range(2):
        record(made, seed, epoch)
        made.end_epoch()
    fresh.load_state_dict(made.state_dict())
    return _columns(score(fresh, data(seed), seed=seed))


def saving(seed: int) -> Result:
    """An audit that is saved, loaded, shown and drawn from."""
    audit = score(GaussianNB(), data(seed), seed=seed)
    folder = Path(tempfile.mkdtemp())
    try:
        again = dataaudit.Audit.load(audit.save(folder / "audit"))
        audit.report(folder / "page.html")
    finally:
        shutil.rmtree(folder)
    sampler = dataaudit.CurriculumSampler(np.linspace(0, 1, ROWS), seed=seed)
    shown = again.suspects(5).index.to_numpy()
    return {**_columns(again), "shown": shown, "drawn": np.array(list(sampler))}


CALLS: dict[str, Callable[[int], Result]] = {
    "network": network,
    "module": module,
    "trees": trees,
    "linear probe": probe,
    "neighbours": neighbours,
    "inputs": inputs,
    "holdout runs": runs,
    "runs of a network": drawn_runs,
    "recorder": recording,
    "save and load": saving,
}


def differs(found: Result, expected: Result, tolerance: float = 0.0) -> str:
    """Name of the first result that is another; "" if none is."""
    if found.keys() != expected.keys():
        return ", ".join(map(str, found.keys() ^ expected.keys()))
    return next((name for name in expected if not _equal(found[name], expected[name], tolerance)), "")


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if not tolerance:
        return bool(one.tobytes() == other.tobytes())
    return bool(np.allclose(one, other, tolerance, tolerance, equal_nan=True))
