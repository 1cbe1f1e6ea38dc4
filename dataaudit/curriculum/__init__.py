"""Scores drive training: strategies that turn scores into weights, and samplers that draw by weights.

Importing this package loads NumPy only; the samplers, in `dataaudit.curriculum.samplers` and
`dataaudit.curriculum.difficulty_batches`, load torch.
"""

from __future__ import annotations

from dataaudit.curriculum.base import ScoredExamples, Strategy
from dataaudit.curriculum.pacing import EasyToHard, HardToEasy
from dataaudit.curriculum.selection import Balanced, DownweightSuspects, DropLeastRegular
from dataaudit.curriculum.selfpaced import SelfPaced, SmallLoss
from dataaudit.curriculum.weights import REGISTRY, catalogue, resolve, weights

__all__ = [
    "REGISTRY",
    "Balanced",
    "DownweightSuspects",
    "DropLeastRegular",
    "EasyToHard",
    "HardToEasy",
    "ScoredExamples",
    "SelfPaced",
    "SmallLoss",
    "Strategy",
    "catalogue",
    "resolve",
    "weights",
]
