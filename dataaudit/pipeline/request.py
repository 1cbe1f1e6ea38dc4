"""Arguments of one call of `dataaudit.score`, each checked by itself; nothing is read yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataaudit.common import checks
from dataaudit.common.timing import Timer
from dataaudit.density.base import DensityEngine
from dataaudit.dynamics.callback import RecordingCallback
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import SettingError
from dataaudit.holdout.settings import Holdout
from dataaudit.learners.adapt import resolve_recipe
from dataaudit.neighbours.base import NeighbourSearch
from dataaudit.scores.base import Scorer
from dataaudit.scores.saved import check_names

if TYPE_CHECKING:
    from dataaudit.learners.recipes import Automatic, Recipe


OF_A_DATA_SET = (
    "trained",
    "predictions",
    "split",
    "label",
    "inputs",
    "key",
    "exclude",
    "transform",
    "resize",
    "unlabelled",
    "processor",
    "cache",
    "embed",
)
"""Arguments that say nothing without one."""


@dataclass(frozen=True)
class Request:
    """Arguments of `dataaudit.score`, which documents them."""

    model: Any
    dataset: Any
    scorers: str | Scorer | Sequence[str | Scorer]
    split: str | None = None
    label: str | None = None
    inputs: str | list[str] | None = None
    key: str | None = None
    exclude: str | list[str] | None = None
    transform: Callable[[Any], Any] | None = None
    resize: int | tuple[int, int] | None = None
    unlabelled: Any = None
    processor: Any = None
    on_bad_rows: str = "raise"
    recipe: str | Recipe | Automatic | None = None
    device: str = "auto"
    engine: str | DensityEngine = "auto"
    search: str | NeighbourSearch = "auto"
    seed: int = 0
    progress: bool = True
    holdout: Holdout | None = None
    trained: Any = None
    predictions: Any = None
    known_scores: Mapping[str, Any] | None = None
    cache: str | Path | None = None
    repeats: int = 1
    embed: Any = None
    timer: Timer = field(default_factory=Timer, init=False)

    @property
    def recorder(self) -> Recorder | None:
        """The record that stands where the model stands; None for a model."""
        return self.model.recorder if isinstance(self.model, RecordingCallback) else _recorder(self.model)

    @cached_property
    def way(self) -> Recipe | Automatic | None:
        """The recipe, by name or as it is; None for the learner's own choice."""
        return resolve_recipe(self.recipe)

    @property
    def drops(self) -> bool:
        """True if rows that cannot be used are left out."""
        return self.on_bad_rows == "drop"

    def check(self) -> None:
        """Raise `SettingError` unless every argument that no other room checks is allowed, and goes with the others."""
        seeds = "a whole number from 0 to 2**63 - 1"
        checks.whole("seed", self.seed, 0, "pass seed=0", most=2**63 - 1, expected=seeds)
        checks.flag("progress", self.progress, "pass progress=False for silence")
        if self.holdout is not None and not isinstance(self.holdout, Holdout):
            raise SettingError(
                f"holdout={self.holdout!r}", "a dataaudit.Holdout or None", "pass holdout=dataaudit.Holdout(runs=200)"
            )
        if self.cache is not None and (not isinstance(self.cache, (str, Path)) or not str(self.cache)):
            raise SettingError(f"cache={self.cache!r}", "the path of a folder, or None", "pass cache='folder'")
        checks.whole("repeats", self.repeats, 1, "pass repeats=1")
        _ = self.way
        self._check_known_scores()
        self._check_bad_rows()
        self._check_recording()

    def _check_known_scores(self) -> None:
        given = self.known_scores
        if given is None:
            return
        if isinstance(given, Mapping) and given and all(isinstance(name, str) for name in given):
            check_names(given)
            return
        raise SettingError(
            "known_scores={}" if isinstance(given, Mapping) and not given else f"known_scores={type(given).__name__}",
            'a mapping such as {"c_score": "scores.npz"}, or None',
            "pass known_scores= names of our scores, with a file or an array for each",
        )

    def _check_bad_rows(self) -> None:
        if not isinstance(self.on_bad_rows, str) or self.on_bad_rows not in ("raise", "drop"):
            raise SettingError(f"on_bad_rows={self.on_bad_rows!r}", "'raise' or 'drop'", "pass on_bad_rows='drop'")
        beside = {
            "a Recorder": self.recorder,
            "predictions=": self.predictions,
            "known_scores=": self.known_scores,
        }
        given = [name for name, value in beside.items() if value is not None]
        if self.drops and given:
            raise SettingError(
                f"on_bad_rows='drop' beside {given[0]}",
                "rows that are those of what was computed elsewhere",
                "leave on_bad_rows='raise', and leave the rows out of both beforehand",
            )

    def _check_recording(self) -> None:
        if self.recorder is None:
            if self.trained is not None:
                raise SettingError(
                    f"trained={type(self.trained).__name__} beside a model",
                    "a Recorder, or a callback that records, where the model stands",
                    ["drop trained=", "pass model= what was trained"],
                )
            if self.dataset is None:
                raise SettingError(
                    "no data set",
                    "a labelled data set, which only a Recorder can do without",
                    "pass dataset=, such as (inputs, labels)",
                )
            return
        if self.recipe is not None:
            raise SettingError("a recipe beside a Recorder", "one or the other: nothing is trained", "drop recipe=")
        given = [name for name in OF_A_DATA_SET if getattr(self, name) is not None]
        given += ["device"] if str(self.device) != "auto" else []
        if self.dataset is None and given:
            raise SettingError(
                f"{given[0]}= without a data set",
                "the data set that the loop trained on",
                ["pass dataset=", f"drop {', '.join(f'{name}=' for name in given)}"],
            )


def _recorder(model: Any) -> Recorder | None:
    return model if isinstance(model, Recorder) else None
