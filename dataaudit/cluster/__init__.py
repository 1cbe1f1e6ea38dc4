"""All pairs of rows on a Ray cluster: blocks of pairs, workers that compute them, a folder that keeps them."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "BlockSchedule": "dataaudit.cluster.schedule",
    "RayEngine": "dataaudit.cluster.engine",
    "RaySearch": "dataaudit.cluster.search",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'dataaudit.cluster' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
