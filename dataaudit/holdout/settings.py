"""Settings of holdout runs, and the registry of backends that carry them out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.registry import Registry
from dataaudit.common.types import IntArray
from dataaudit.errors import SettingError
from dataaudit.holdout.base import HoldoutBackend
from dataaudit.holdout.plan import Design, Plan, check_ratio
from dataaudit.holdout.store import Store
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION

REGISTRY = Registry(
    "backend",
    {name: f"dataaudit.holdout.{name}:{name.title()}" for name in ("serial", "joblib", "ray")},
    group="dataaudit.backends",
)

RATIO, RELIABILITY, BUDGET = 0.7, 0.95, 2000
GRID = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FIRST = 20
"""Runs before the first look at the reliability, for runs="auto"."""


@dataclass(frozen=True)
class Holdout:
    """Models trained from scratch on random subsets, to predict the other examples (the paper's algorithm 1).

    Parameters
    ----------
    ratio
        Share of the examples that each run trains on, for "c_score" and "holdout_probability"; in (0, 1).
    runs
        Number of runs (of each ratio), or "auto": as many as `reliability` takes, `budget` at most. 200, or one
        for each fold, if None.
    ratios
        Subset ratios whose mean is "c_score_integral".
    folds
        k-fold cross-validation instead of random subsets, stratified; every k runs hold each example out once. Also
        the folds of "heldout_confidence".
    stratify
        Whether every subset keeps each class's share (to within one example).
    balanced
        Whether holdout counts of examples differ by at most one.
    backend
        "serial" (this process), "joblib" (processes, or joblib's context), "ray", or a `HoldoutBackend`.
    store
        Folder or URL (fsspec: "s3://...", "memory://...") that keeps a record of each run. A later call with the
        same data, recipe and plan makes only the runs that are missing.
    storage_options
        For the URL's file system.
    reliability
        Target of runs="auto": split-half reliability of the score, in (0, 1).
    budget
        Most runs (of each ratio) for runs="auto".
    at_once
        Runs of one ratio that are trained at once, as one network of batched products: of torch modules of arrays whose
        layers `torch.func.vmap` takes. "auto": 32 on CUDA of networks of at most two million parameters, otherwise 1.
        Runs keep their subsets, initial weights and order; their predictions differ by rounding, and by what dropout
        draws.

    Notes
    -----
    A subset may miss a class: the run counts, its examples of that class are then wrong, and the audit says in how
    many runs that was so (``stratify=True`` avoids it where classes have enough examples). A subset of one class
    alone predicts that class; no model is trained.

    A run that fails is tried again when the others are done. If it fails again its traceback is in the audit's
    settings, with a warning, and the others count.

    Raises
    ------
    SettingError
        If a setting is not as described.

    Examples
    --------
    >>> Holdout(ratio=0.5, runs=100).design
    'random'
    """

    ratio: float = RATIO
    runs: int | str | None = None
    ratios: Sequence[float] = GRID
    folds: int | None = None
    stratify: bool = False
    balanced: bool = False
    backend: str | HoldoutBackend = "serial"
    store: str | PathLike[str] | None = None
    storage_options: Mapping[str, Any] | None = None
    reliability: float = RELIABILITY
    budget: int = BUDGET
    at_once: int | str = "auto"
    carrier: HoldoutBackend = field(init=False, repr=False, compare=False)
    """Backend itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", check_ratio(self.ratio))
        if isinstance(self.ratios, str) or not isinstance(self.ratios, Sequence) or not self.ratios:
            raise SettingError(f"ratios={self.ratios!r}", "a list of subset ratios", "pass ratios=[0.3, 0.7]")
        ratios = tuple(sorted(check_ratio(ratio, "pass ratios=[0.3, 0.7]") for ratio in self.ratios))
        if len(set(ratios)) < len(ratios):
            raise SettingError(f"ratios={self.ratios!r}", "each ratio once", f"pass ratios={sorted(set(ratios))}")
        object.__setattr__(self, "ratios", ratios)
        for name, low, usual in (("folds", 2, 5), ("runs", 1, 200), ("budget", 2, BUDGET)):
            value = getattr(self, name)
            if value is not None and not (name == "runs" and isinstance(value, str) and value == "auto"):
                object.__setattr__(self, name, checks.whole(name, value, low, f"pass {name}={usual}"))
        if self.at_once != "auto":
            expected = "a whole number of at least 1, or 'auto'"
            number = checks.whole("at_once", self.at_once, 1, "pass at_once=8", expected=expected)
            object.__setattr__(self, "at_once", number)
        self._check_design()
        self._check_reliability()
        if self.store is not None:
            object.__setattr__(self, "store", _absolute(self.store))
        if self.storage_options is not None and self.store is None:
            raise SettingError(
                "storage_options= without store=",
                "a store that they belong to",
                "leave storage_options= out, or pass store= with a URL",
            )
        object.__setattr__(self, "carrier", self._resolve_backend())

    def _check_design(self) -> None:
        if self.folds is not None:
            usual = {"ratio": RATIO, "stratify": False, "balanced": False}
            others = [name for name, value in usual.items() if getattr(self, name) != value]
            others += ["runs"] * (self.runs == "auto")
            if others:
                raise SettingError(
                    f"folds= beside {', '.join(f'{name}={getattr(self, name)!r}' for name in others)}",
                    "folds alone: they are stratified and balanced, and fix the ratio",
                    ["leave folds= out", f"leave {' and '.join(f'{name}=' for name in others)} out"],
                )
            if self.runs is not None and int(self.runs) % self.folds:
                raise SettingError(
                    f"runs={self.runs!r} for folds={self.folds}", "a multiple of the folds", "leave runs=None"
                )
        for name in ("stratify", "balanced"):
            checks.flag(name, getattr(self, name), f"pass {name}=True")
        if self.stratify and self.balanced:
            raise SettingError("stratify and balanced", "one of them", "pass stratify=False, or balanced=False")

    def _check_reliability(self) -> None:
        checks.number("reliability", self.reliability, 0, 1, "neither", "a number in (0, 1)", "pass reliability=0.95")
        usual = {"reliability": RELIABILITY, "budget": BUDGET}
        given = [name for name, value in usual.items() if getattr(self, name) != value]
        if self.runs != "auto" and given:
            raise SettingError(
                f"{', '.join(f'{name}={getattr(self, name)!r}' for name in given)} with runs={self.runs!r}",
                "runs='auto', which is what they are for",
                ["pass runs='auto'", f"leave {' and '.join(f'{name}=' for name in given)} out"],
            )

    def _resolve_backend(self) -> HoldoutBackend:
        expected = "a name or an object with name, describe(), check() and map()"
        backend: HoldoutBackend = REGISTRY.resolve(self.backend, HoldoutBackend, f"backend={self.backend!r}", expected)
        if str(self.store).startswith("memory:") and backend.name != "serial":
            raise SettingError(
                f"store={self.store!r} for backend {backend.name!r}",
                "a store that other processes can write",
                "pass store='runs', a folder, or backend='serial'",
            )
        return backend

    @property
    def design(self) -> Design:
        """Design of the plan, for learners that train one subset at a time."""
        if self.folds is not None:
            return "folds"
        return "stratified" if self.stratify else "balanced" if self.balanced else "random"

    def plan(self, labels: IntArray, seed: int, nested: bool = False, task: Task = CLASSIFICATION) -> Plan:
        """Plan over n examples; a learner of `nested` subsets gets these, unless a design was chosen."""
        smallest = 2 if self.folds is None else self.folds
        if len(labels) < smallest:
            raise SettingError(f"{len(labels)} examples", f"at least {smallest} for this plan", "pass more examples")
        design: Design = "nested" if nested and self.design == "random" else self.design
        return Plan(np.asarray(labels), seed, design, self.folds or 0, task)

    @property
    def point(self) -> float:
        """Subset ratio of the point estimate."""
        return self.ratio if self.folds is None else round(1 - 1 / self.folds, 6)

    @property
    def record_store(self) -> Store | None:
        """Store of records."""
        return None if self.store is None else Store(str(self.store), self.storage_options)


def _absolute(store: Any) -> str:
    """Absolute path, for it to mean the same in other processes; a URL as it is."""
    if not isinstance(store, (str, PathLike)) or not fspath(store):
        raise SettingError(f"store={store!r}", "a path or a URL", "pass store='runs'")
    path = fspath(store)
    return path if "://" in path or "::" in path else os.path.abspath(os.path.expanduser(path))
