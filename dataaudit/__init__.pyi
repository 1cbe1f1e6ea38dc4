# Made of the table in __init__.py by tests/test_public_names.py.
from dataaudit import curriculum as strategies
from dataaudit import errors as errors
from dataaudit import exports as exports
from dataaudit import scores as scorers
from dataaudit import tasks as tasks
from dataaudit import testing as testing
from dataaudit.audit.base import Audit as Audit
from dataaudit.common.versions import show_versions as show_versions
from dataaudit.curriculum.difficulty_batches import LevelBatchSampler as LevelBatchSampler
from dataaudit.curriculum.samplers import CurriculumSampler as CurriculumSampler
from dataaudit.curriculum.samplers import DistributedCurriculumSampler as DistributedCurriculumSampler
from dataaudit.curriculum.selfpaced import SelfPaced as SelfPaced
from dataaudit.curriculum.selfpaced import SmallLoss as SmallLoss
from dataaudit.data.preprocessor import preprocessor as preprocessor
from dataaudit.density import engines as engines
from dataaudit.dynamics.processes import gather_recorder as gather_recorder
from dataaudit.dynamics.recorder import Recorder as Recorder
from dataaudit.embedding.embed import embed as embed
from dataaudit.holdout import backends as backends
from dataaudit.holdout.settings import Holdout as Holdout
from dataaudit.learners import named_networks as networks
from dataaudit.learners import recipes as recipes
from dataaudit.learners.linear_probe import LinearProbe as LinearProbe
from dataaudit.learners.nearest import NearestNeighbours as NearestNeighbours
from dataaudit.learners.recipes import Recipe as Recipe
from dataaudit.neighbours import search as searches
from dataaudit.pipeline.interrupted import Interrupted as Interrupted
from dataaudit.pipeline.score import score as score
from dataaudit.review.decisions import Decisions as Decisions
from dataaudit.scores.density import Density as Density
from dataaudit.scores.neighbours import NeighbourCScore as NeighbourCScore

__version__: str

__all__ = [
    "Audit",
    "CurriculumSampler",
    "Decisions",
    "Density",
    "DistributedCurriculumSampler",
    "Holdout",
    "Interrupted",
    "LevelBatchSampler",
    "LinearProbe",
    "NearestNeighbours",
    "NeighbourCScore",
    "Recipe",
    "Recorder",
    "SelfPaced",
    "SmallLoss",
    "__version__",
    "backends",
    "embed",
    "engines",
    "errors",
    "exports",
    "gather_recorder",
    "networks",
    "preprocessor",
    "recipes",
    "score",
    "scorers",
    "searches",
    "show_versions",
    "strategies",
    "tasks",
    "testing",
]
