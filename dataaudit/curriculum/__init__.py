"""Training strategies, which turn scores into weights: those that come with the library and those packages register.

Importing this package loads NumPy only; the samplers, in `dataaudit.curriculum.samplers` and
`dataaudit.curriculum.difficulty_batches`, load torch.
"""

from __future__ import annotations

from dataaudit.curriculum.base import ScoredExamples, Strategy
from dataaudit.curriculum.pacing import EasyToHard, HardToEasy
from dataaudit.curriculum.selection import Balanced, DownweightSuspects, DropLeastRegular
from dataaudit.curriculum.selfpaced import SelfPaced, SmallLoss
from dataaudit.curriculum.weights import REGISTRY

__all__ = [
    "Balanced",
    "DownweightSuspects",
    "DropLeastRegular",
    "EasyToHard",
    "HardToEasy",
    "ScoredExamples",
    "SelfPaced",
    "SmallLoss",
    "Strategy",
    "describe",
    "names",
]

names, describe = REGISTRY.names, REGISTRY.describe


def __dir__() -> list[str]:
    return __all__
