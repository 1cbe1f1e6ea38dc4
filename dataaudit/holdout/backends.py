"""Backends that carry out holdout runs: those that come with the library and those that packages register."""

from __future__ import annotations

from dataaudit.holdout.base import HoldoutBackend
from dataaudit.holdout.joblib import Joblib
from dataaudit.holdout.ray import Ray
from dataaudit.holdout.serial import Serial
from dataaudit.holdout.settings import REGISTRY

__all__ = ["HoldoutBackend", "Joblib", "Ray", "Serial", "describe", "names"]

names, describe = REGISTRY.names, REGISTRY.describe


def __dir__() -> list[str]:
    return __all__
