"""Contract suites: subclass one, return your part, and pytest checks the laws it must keep.

::

    from dataaudit.testing import ScorerContract

    class TestMyScorer(ScorerContract):
        def scorer(self):
            return MyScorer()
"""

from __future__ import annotations

from dataaudit.testing.backends import BackendContract
from dataaudit.testing.data import ExamplesContract
from dataaudit.testing.learners import LearnerContract
from dataaudit.testing.pairs import EngineContract, SearchContract
from dataaudit.testing.scorers import ScorerContract, example_evidence
from dataaudit.testing.strategies import StrategyContract, example_scores
from dataaudit.testing.tasks import TaskContract

__all__ = [
    "BackendContract",
    "EngineContract",
    "ExamplesContract",
    "LearnerContract",
    "ScorerContract",
    "SearchContract",
    "StrategyContract",
    "TaskContract",
    "example_evidence",
    "example_scores",
]
