"""Contract suites: subclass one, return your part, and pytest checks the laws it must keep.

::

    from dataaudit.testing import ScorerContract

    class TestMyScorer(ScorerContract):
        def scorer(self):
            return MyScorer()

Names are resolved when they are first used: a worker process that is sent a job of one suite loads none of the others.
"""

from __future__ import annotations

from dataaudit.common.lazy import resolver

_PUBLIC = {
    "BackendContract": "dataaudit.testing.backends:BackendContract",
    "EngineContract": "dataaudit.testing.pairs:EngineContract",
    "ExamplesContract": "dataaudit.testing.data:ExamplesContract",
    "ExportContract": "dataaudit.testing.exports:ExportContract",
    "LearnerContract": "dataaudit.testing.learners:LearnerContract",
    "ScorerContract": "dataaudit.testing.scorers:ScorerContract",
    "SearchContract": "dataaudit.testing.pairs:SearchContract",
    "StrategyContract": "dataaudit.testing.strategies:StrategyContract",
    "TaskContract": "dataaudit.testing.tasks:TaskContract",
    "example_evidence": "dataaudit.testing.scorers:example_evidence",
    "example_export": "dataaudit.testing.exports:example_export",
    "example_scores": "dataaudit.testing.strategies:example_scores",
}
"""Public name -> "module:attribute", of which tests/test_public_names.py makes `__init__.pyi`."""

__all__ = [*_PUBLIC]

__getattr__ = resolver(__name__, _PUBLIC)


def __dir__() -> list[str]:
    return sorted(__all__)
