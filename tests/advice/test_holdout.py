"""Refusals of holdout runs: whatever they advise works when it is followed."""

import threading

import joblib
import numpy as np
import pytest

from dataaudit import Holdout
from dataaudit.holdout.base import Outcome
from dataaudit.holdout.execute import Execution
from dataaudit.holdout.joblib import Joblib, _packed
from dataaudit.holdout.plan import Plan
from dataaudit.holdout.store import Store
from dataaudit.tasks.classification import CLASSIFICATION

LABELS = np.arange(12) % 2
BELONGS = {"plan": "p" * 32, "data": "d" * 32, "recipe": "r" * 32, "about": {}}


class Pairs(type(CLASSIFICATION)):
    """A task of two labels an example."""

    label_shape = (2,)


class Trains:
    def __init__(self, fails=False, held=None):
        self.fails, self.held = fails, held

    def __call__(self, train, held_out, seed):
        if self.fails:
            raise ValueError("no solution")
        return Outcome(np.ones(len(held_out), bool), np.ones(len(held_out), np.float32))


def executed(fit_predict):
    Execution(fit_predict, Plan(LABELS, 0), Holdout(runs=12), (0.7,), False, {}).carry_out()


def planned(labels, holdout):
    return holdout.plan(labels, 0)


def sent(model, backend="joblib"):
    return _packed(model) if backend == "joblib" else model


def within(context, backend="joblib"):
    """The check of a backend within a context of joblib's."""
    with joblib.parallel_config(context):
        return Joblib().check() if backend == "joblib" else Holdout(backend=backend)


def begun(url="runs", data="d" * 32):
    Store("runs").open(BELONGS)
    Store(url).open(BELONGS | {"data": data})


CASES = {
    "no ratio": (Holdout, {"ratio": 1.0}),
    "no ratios": (Holdout, {"ratios": "all"}),
    "a ratio that is none": (Holdout, {"ratios": [0.5, 1.5]}),
    "a ratio twice": (Holdout, {"ratios": [0.5, 0.5]}),
    "no runs": (Holdout, {"runs": 0}),
    "one fold": (Holdout, {"folds": 1}),
    "no budget": (Holdout, {"runs": "auto", "budget": 1}),
    "none at once": (Holdout, {"at_once": 0}),
    "no flag": (Holdout, {"stratify": 1}),
    "no reliability": (Holdout, {"runs": "auto", "reliability": 1.0}),
    "a target of runs that are fixed": (Holdout, {"runs": 10, "budget": 50, "reliability": 0.9}),
    "options of no store": (
        Holdout,
        {"storage_options": {"anon": True}},
        {"a URL": {"store": "memory://runs"}},
    ),
    "folds beside another design": (Holdout, {"folds": 3, "stratify": True, "runs": "auto"}),
    "runs that are no multiple of the folds": (Holdout, {"folds": 3, "runs": 10}),
    "two designs": (Holdout, {"stratify": True, "balanced": True}),
    "no store": (Holdout, {"store": ""}),
    "no backend": (Holdout, {"backend": "loky"}, {"choose from": {"backend": "joblib"}}),
    "a store in memory for other processes": (Holdout, {"backend": "joblib", "store": "memory://runs"}),
    "fewer rows than folds": (
        planned,
        {"labels": LABELS[:3], "holdout": Holdout(folds=5)},
        {"more examples": {"labels": LABELS}},
    ),
    "folds of pairs": (Plan, {"labels": LABELS, "seed": 0, "design": "folds", "task": Pairs()}),
    "no processes": (Joblib, {"n_jobs": 0}),
    "threads": (within, {"context": "threading"}, {"joblib.parallel_config": {"context": "loky"}}),
    "a model that cannot be sent": (
        sent,
        {"model": Trains(held=threading.Lock())},
        {"drop locks": {"model": Trains()}},
    ),
    "a model that never trains": (
        executed,
        {"fit_predict": Trains(fails=True)},
        {"traceback": {"fit_predict": Trains()}},
    ),
    "a store of another data set": (
        begun,
        {"data": "e" * 32},
        {"another folder": {"url": "others"}, "begun with": {"data": "d" * 32}},
    ),
}

ELSEWHERE = {"holdout/execute.py: _map": "only a full disk shows it: tests/holdout/test_faults.py"}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("holdout") == set(ELSEWHERE)
