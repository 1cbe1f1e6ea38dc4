"""Audit labelled data sets: which examples are wrong, odd or hard.

>>> import dataaudit
>>> callable(dataaudit.score)
True

Names are resolved when they are first used, so that importing this package loads none of its dependencies.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataaudit import curriculum as curriculum
    from dataaudit import errors as errors
    from dataaudit import holdout as holdout
    from dataaudit.audit.base import Audit as Audit
    from dataaudit.curriculum.difficulty_batches import LevelBatchSampler as LevelBatchSampler
    from dataaudit.curriculum.samplers import CurriculumSampler as CurriculumSampler
    from dataaudit.curriculum.samplers import DistributedCurriculumSampler as DistributedCurriculumSampler
    from dataaudit.curriculum.selfpaced import SelfPaced as SelfPaced
    from dataaudit.curriculum.selfpaced import SmallLoss as SmallLoss
    from dataaudit.curriculum.weights import catalogue as strategies
    from dataaudit.data.preprocessor import preprocessor as preprocessor
    from dataaudit.dynamics.processes import gather_recorder as gather_recorder
    from dataaudit.dynamics.recorder import Recorder as Recorder
    from dataaudit.embedding.embed import embed as embed
    from dataaudit.holdout.settings import Holdout as Holdout
    from dataaudit.learners import networks as networks
    from dataaudit.learners import recipes as recipes
    from dataaudit.learners.linear_probe import LinearProbe as LinearProbe
    from dataaudit.learners.nearest import NearestNeighbours as NearestNeighbours
    from dataaudit.learners.recipes import Recipe as Recipe
    from dataaudit.pipeline.interrupted import Interrupted as Interrupted
    from dataaudit.pipeline.score import score as score
    from dataaudit.scores import catalogue as scorers
    from dataaudit.scores.density import Density as Density
    from dataaudit.scores.neighbours import NeighbourCScore as NeighbourCScore
    from dataaudit.scores.quality import LabelQuality as LabelQuality

    __version__: str

_PUBLIC = {
    "Audit": "dataaudit.audit.base:Audit",
    "CurriculumSampler": "dataaudit.curriculum.samplers:CurriculumSampler",
    "Density": "dataaudit.scores.density:Density",
    "DistributedCurriculumSampler": "dataaudit.curriculum.samplers:DistributedCurriculumSampler",
    "Holdout": "dataaudit.holdout.settings:Holdout",
    "Interrupted": "dataaudit.pipeline.interrupted:Interrupted",
    "LabelQuality": "dataaudit.scores.quality:LabelQuality",
    "LevelBatchSampler": "dataaudit.curriculum.difficulty_batches:LevelBatchSampler",
    "LinearProbe": "dataaudit.learners.linear_probe:LinearProbe",
    "NearestNeighbours": "dataaudit.learners.nearest:NearestNeighbours",
    "NeighbourCScore": "dataaudit.scores.neighbours:NeighbourCScore",
    "Recipe": "dataaudit.learners.recipes:Recipe",
    "Recorder": "dataaudit.dynamics.recorder:Recorder",
    "SelfPaced": "dataaudit.curriculum.selfpaced:SelfPaced",
    "SmallLoss": "dataaudit.curriculum.selfpaced:SmallLoss",
    "curriculum": "dataaudit.curriculum",
    "embed": "dataaudit.embedding.embed:embed",
    "errors": "dataaudit.errors",
    "gather_recorder": "dataaudit.dynamics.processes:gather_recorder",
    "holdout": "dataaudit.holdout",
    "networks": "dataaudit.learners.networks",
    "preprocessor": "dataaudit.data.preprocessor:preprocessor",
    "recipes": "dataaudit.learners.recipes",
    "score": "dataaudit.pipeline.score:score",
    "scorers": "dataaudit.scores:catalogue",
    "strategies": "dataaudit.curriculum.weights:catalogue",
}

__all__ = [
    "Audit",
    "CurriculumSampler",
    "Density",
    "DistributedCurriculumSampler",
    "Holdout",
    "Interrupted",
    "LabelQuality",
    "LevelBatchSampler",
    "LinearProbe",
    "NearestNeighbours",
    "NeighbourCScore",
    "Recipe",
    "Recorder",
    "SelfPaced",
    "SmallLoss",
    "__version__",
    "curriculum",
    "embed",
    "errors",
    "gather_recorder",
    "holdout",
    "networks",
    "preprocessor",
    "recipes",
    "score",
    "scorers",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("dataaudit")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'dataaudit' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    found: Any = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted(__all__)
