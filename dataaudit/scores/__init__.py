"""Scores: those that come with the library and those that packages register, by name."""

from __future__ import annotations

from collections.abc import Sequence

from dataaudit.common.registry import Registry
from dataaudit.errors import SettingError
from dataaudit.evidence.base import Need, field_of
from dataaudit.representations.spaces import SPACES
from dataaudit.scores.base import Scorer, Scores
from dataaudit.scores.density import Density
from dataaudit.scores.neighbours import NeighbourCScore
from dataaudit.scores.quality import LabelQuality
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION

__all__ = ["Density", "LabelQuality", "NeighbourCScore", "Scorer", "Scores", "describe", "names"]

_DYNAMICS = "dataaudit.scores.dynamics"
_PREDICTIONS = "dataaudit.scores.predictions"
_HOLDOUT = "dataaudit.scores.holdout"

REGISTRY = Registry(
    "scorer",
    {
        "consensus": "dataaudit.scores.consensus:consensus",
        "label_quality": "dataaudit.scores.quality:label_quality",
        "el2n": f"{_DYNAMICS}:el2n",
        "augmented_el2n": f"{_DYNAMICS}:augmented_el2n",
        "mean_margin": f"{_DYNAMICS}:mean_margin",
        "mean_confidence": f"{_DYNAMICS}:mean_confidence",
        "variability": f"{_DYNAMICS}:variability",
        "learning_speed": f"{_DYNAMICS}:learning_speed",
        "cumulative_loss": f"{_DYNAMICS}:cumulative_loss",
        "first_learned": f"{_DYNAMICS}:first_learned",
        "forgetting": f"{_DYNAMICS}:forgetting",
        "confidence": f"{_PREDICTIONS}:confidence",
        "max_confidence": f"{_PREDICTIONS}:max_confidence",
        "heldout_confidence": f"{_PREDICTIONS}:heldout_confidence",
        "c_score": f"{_HOLDOUT}:c_score",
        "c_score_integral": f"{_HOLDOUT}:c_score_integral",
        "holdout_probability": f"{_HOLDOUT}:holdout_probability",
        **{
            f"{score}/{space}": f"dataaudit.scores.density:{score}/{space}"
            for space in SPACES
            for score in ("density", "class_density", "relative_density", "parzen")
        },
        **{
            f"knn_c_score/{space}": f"dataaudit.scores.neighbours:knn_c_score/{space}"
            for space, kind in SPACES.items()
            if kind.searchable
        },
    },
    group="dataaudit.scorers",
)

_LEADERS = ("consensus", "label_quality", "el2n", "c_score", "heldout_confidence", "confidence")
"""Default score: the first of these that was computed, by benchmarks/peers/label_errors.py."""


names, describe = REGISTRY.names, REGISTRY.describe


def resolve(scorers: str | Scorer | Sequence[str | Scorer]) -> list[Scorer] | None:
    """Scorers by name or instance, in the order given; None for "auto".

    Raises
    ------
    SettingError
        If a name is unknown, an object is no scorer, a name comes twice, or there is none at all.
    """
    if isinstance(scorers, str) and scorers == "auto":
        return None
    requested = [scorers] if isinstance(scorers, (str, Scorer)) else scorers
    if not isinstance(requested, (list, tuple)):
        raise SettingError(
            f"scorers={scorers!r}",
            "'auto', a name, a scorer, or a list of them",
            ["pass scorers='auto'", "pass scorers=['consensus']"],
        )
    expected = "a name or an object with name, summary, needs and score()"
    resolved: list[Scorer] = [REGISTRY.resolve(scorer, Scorer, f"scorer {scorer!r}", expected) for scorer in requested]
    names = [scorer.name for scorer in resolved]
    twice = {name for name in names if names.count(name) > 1}
    if twice or not resolved:
        raise SettingError(
            f"scorers {names}",
            "at least one, each name once",
            ["pass scorers='auto'", *(["leave the repeats out"] if twice else [])],
        )
    return resolved


def supported(needs: set[Need], task: Task = CLASSIFICATION) -> list[Scorer]:
    """Built-in scorers that need nothing beyond `needs`, and nothing that a task cannot feed."""
    built_in = [REGISTRY.get(name) for name in REGISTRY.builtin_names()]
    return [scorer for scorer in built_in if set(scorer.needs) <= needs and fed(scorer, task)]


def fed(scorer: Scorer, task: Task) -> bool:
    """True if units of a task can have all that a scorer needs."""
    return all(task.feeds(field_of(need)) for need in scorer.needs)


def leading(names: Sequence[str]) -> str:
    """Name of the score that ranks by default among those computed."""
    return next((name for name in _LEADERS if name in names), names[0])


def __dir__() -> list[str]:
    return __all__
