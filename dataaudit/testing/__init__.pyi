# Made of the table in __init__.py by tests/test_public_names.py.
from dataaudit.testing.backends import BackendContract as BackendContract
from dataaudit.testing.data import ExamplesContract as ExamplesContract
from dataaudit.testing.exports import ExportContract as ExportContract
from dataaudit.testing.exports import example_export as example_export
from dataaudit.testing.learners import LearnerContract as LearnerContract
from dataaudit.testing.pairs import EngineContract as EngineContract
from dataaudit.testing.pairs import SearchContract as SearchContract
from dataaudit.testing.scorers import ScorerContract as ScorerContract
from dataaudit.testing.scorers import example_evidence as example_evidence
from dataaudit.testing.strategies import StrategyContract as StrategyContract
from dataaudit.testing.strategies import example_scores as example_scores
from dataaudit.testing.tasks import TaskContract as TaskContract

__all__ = [
    "BackendContract",
    "EngineContract",
    "ExamplesContract",
    "ExportContract",
    "LearnerContract",
    "ScorerContract",
    "SearchContract",
    "StrategyContract",
    "TaskContract",
    "example_evidence",
    "example_export",
    "example_scores",
]
