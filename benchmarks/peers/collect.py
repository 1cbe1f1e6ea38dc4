"""What cleanlab's scores are computed from: predictions of five folds by our own learner, kept in a folder.

A file is named by the labels, the network, the recipe and the seed, so that rows of the table that share them share it,
and an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

import dataaudit
from benchmarks.common import Array
from benchmarks.peers.cases import Case
from dataaudit.data import as_examples
from dataaudit.learners import recipes
from dataaudit.learners.adapt import as_learner
from dataaudit.learners.recipes import CropFlip

FOLDS = 5
TWELVE = dataaudit.Recipe(epochs=12, weight_decay=5e-4, learning_rate=0.1, augment=CropFlip(4, True))
"""What is usual for small images: a dozen epochs, crops and mirror images, weight decay."""


class Clock:
    """Wall and processor seconds of a block; the latter bear other work on the machine better."""

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = time.perf_counter() - self._start[0], time.process_time() - self._start[1]


@dataclass(frozen=True)
class Way:
    """How the model is trained whose predictions cleanlab gets; a recipe of None is the learner's own."""

    name: str
    network: str
    model: Any
    recipe: dataaudit.Recipe | None

    @property
    def passes(self) -> float | None:
        """Cost of the folds in passes over the rows, predicting counted as a third; None without epochs."""
        return None if self.recipe is None else (FOLDS - 1) * self.recipe.epochs + 1 / 3


@dataclass(frozen=True)
class Folds:
    """Out-of-fold probabilities float64 [n, C] and the seconds that they took."""

    probabilities: Array
    wall: float
    processor: float


def by_recipe(model: Any) -> bool:
    """Whether a recipe trains a model: torch modules and what makes them."""
    return callable(model) and not hasattr(model, "fit") and not isinstance(model, dataaudit.LinearProbe)


def ways(case: Case, chosen: dict[str, Any] | None) -> Iterator[Way]:
    """Ways to train for cleanlab; without the recipe that `score` has `chosen`, only those that need none."""
    source = case.source
    for name, model in (source.peers or {source.network: source.model}).items():
        if not by_recipe(model):
            yield Way(name, name, model, None)
            continue
        if source.images:
            yield Way("12 epochs", name, model, TWELVE)
        if chosen is not None:
            yield Way("auto", name, model, rebuilt(chosen))


def rebuilt(chosen: dict[str, Any]) -> dataaudit.Recipe:
    """Recipe from its description in an audit's settings; what is no field of a recipe is left aside."""
    names = {field.name for field in fields(dataaudit.Recipe)}
    values = {name: value for name, value in chosen.items() if name in names}
    values["milestones"] = tuple(values.get("milestones", ()))
    if isinstance(values.get("augment"), str):
        values["augment"] = augmentation(values["augment"])
    return dataaudit.Recipe(**values)


def augmentation(text: str) -> Any:
    """Augmentation of the library's own, from its repr."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    return getattr(recipes, call.func.id)(
        *(ast.literal_eval(value) for value in call.args),
        **{str(word.arg): ast.literal_eval(word.value) for word in call.keywords},
    )


def kept_at(case: Case, way: Way, cache: Path) -> Path:
    """File of the folds."""
    labels, recipe = digest(case.given.tobytes()), "own"
    if way.recipe is not None:
        # What is off is left out: a setting that recipes did not have yet was off.
        settings = {name: value for name, value in way.recipe.to_dict().items() if value}
        recipe = digest(json.dumps(settings, sort_keys=True, default=str).encode())
    name = f"{case.source.data} {len(case.given)} {labels} {way.network} {recipe} {case.seed}.npz"
    return cache / name.replace(" ", "_")


def digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=4).hexdigest()


def probabilities(logits: Any) -> Array:
    values = np.asarray(logits.cpu() if hasattr(logits, "cpu") else logits, np.float64)
    values = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(values / values.sum(1, keepdims=True))


def out_of_fold(case: Case, way: Way, cache: Path) -> Folds:
    """Predictions of five folds, from the cache where they are there; each is kept as soon as it is trained."""
    path = kept_at(case, way, cache)
    if path.exists():
        return loaded(path)
    given, seed = case.given, case.seed
    processor = case.source.processor if by_recipe(way.model) else None
    learner = as_learner(way.model, as_examples((case.source.inputs, given)), way.recipe, "auto", processor)
    assert learner is not None
    learner.check(seed)
    cache.mkdir(parents=True, exist_ok=True)
    values = np.zeros((len(given), int(given.max()) + 1))
    parts: list[Folds] = []
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(given, given)
    for fold, (train, test) in enumerate(splits):
        part = path.with_suffix(f".fold{fold}.npz")
        if not part.exists():
            with Clock() as clock:
                found = probabilities(learner.fit(train, seed, None, False).logits(test))
            keep(part, Folds(found, clock.wall, clock.processor))
        parts.append(loaded(part))
        values[test] = parts[-1].probabilities
    whole = Folds(values, sum(part.wall for part in parts), sum(part.processor for part in parts))
    keep(path, whole)
    for fold in range(FOLDS):
        path.with_suffix(f".fold{fold}.npz").unlink()
    return whole


def loaded(path: Path) -> Folds:
    with np.load(path) as found:
        return Folds(found["probabilities"], float(found["wall"]), float(found["processor"]))


def keep(path: Path, folds: Folds) -> None:
    """Write a whole file or none."""
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, probabilities=folds.probabilities, wall=folds.wall, processor=folds.processor)
    unfinished.replace(path)
