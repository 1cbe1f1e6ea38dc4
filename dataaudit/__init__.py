"""Audit labelled data sets: which examples are wrong, odd or hard.

>>> import dataaudit
>>> callable(dataaudit.score)
True
>>> dataaudit.scorers.describe()["mean_confidence"]
"mean over epochs of the label's probability (data maps)"

Names are resolved when they are first used, so that importing this package loads none of its dependencies.
"""

from __future__ import annotations

from typing import Any

from dataaudit.common.lazy import resolver

_PUBLIC = {
    "Audit": "dataaudit.audit.base:Audit",
    "CurriculumSampler": "dataaudit.curriculum.samplers:CurriculumSampler",
    "Decisions": "dataaudit.review.decisions:Decisions",
    "Density": "dataaudit.scores.density:Density",
    "DistributedCurriculumSampler": "dataaudit.curriculum.samplers:DistributedCurriculumSampler",
    "Holdout": "dataaudit.holdout.settings:Holdout",
    "Interrupted": "dataaudit.pipeline.interrupted:Interrupted",
    "LevelBatchSampler": "dataaudit.curriculum.difficulty_batches:LevelBatchSampler",
    "LinearProbe": "dataaudit.learners.linear_probe:LinearProbe",
    "NearestNeighbours": "dataaudit.learners.nearest:NearestNeighbours",
    "NeighbourCScore": "dataaudit.scores.neighbours:NeighbourCScore",
    "Recipe": "dataaudit.learners.recipes:Recipe",
    "Recorder": "dataaudit.dynamics.recorder:Recorder",
    "SelfPaced": "dataaudit.curriculum.selfpaced:SelfPaced",
    "SmallLoss": "dataaudit.curriculum.selfpaced:SmallLoss",
    "embed": "dataaudit.embedding.embed:embed",
    "gather_recorder": "dataaudit.dynamics.processes:gather_recorder",
    "preprocessor": "dataaudit.data.preprocessor:preprocessor",
    "score": "dataaudit.pipeline.score:score",
    "show_versions": "dataaudit.common.versions:show_versions",
    # Namespaces.
    "backends": "dataaudit.holdout.backends",
    "engines": "dataaudit.density.engines",
    "errors": "dataaudit.errors",
    "exports": "dataaudit.exports",
    "networks": "dataaudit.learners.named_networks",
    "recipes": "dataaudit.learners.recipes",
    "scorers": "dataaudit.scores",
    "searches": "dataaudit.neighbours.search",
    "strategies": "dataaudit.curriculum",
    "tasks": "dataaudit.tasks",
    "testing": "dataaudit.testing",
}
"""Public name -> "module:attribute", or a module. `__init__.pyi`, for type checkers and editors, is made of this table
by tests/test_public_names.py."""

__all__ = [*_PUBLIC, "__version__"]


_resolve = resolver(__name__, _PUBLIC)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("dataaudit")
    return _resolve(name)


def __dir__() -> list[str]:
    return sorted(__all__)
