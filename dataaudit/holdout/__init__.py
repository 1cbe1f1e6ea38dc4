"""Ground truth: models trained on random subsets, and their predictions of the examples they did not see."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Holdout": "dataaudit.holdout.settings",
    "Joblib": "dataaudit.holdout.joblib",
    "Plan": "dataaudit.holdout.plan",
    "Ray": "dataaudit.holdout.ray",
    "Run": "dataaudit.holdout.plan",
    "Serial": "dataaudit.holdout.serial",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'dataaudit.holdout' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
