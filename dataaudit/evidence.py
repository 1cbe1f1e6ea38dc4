"""What scorers look at, each part computed once however many scorers need it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dataaudit.density.base import DensityNeed, DensitySums
from dataaudit.errors import ModelError, SettingError
from dataaudit.holdout.plan import stratified_folds
from dataaudit.progress import progress_bar
from dataaudit.types import IntArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataaudit._holdout import HoldoutWork
    from dataaudit.data.examples import Examples
    from dataaudit.density.engines import DensityEngine
    from dataaudit.dynamics.recorder import Recorder
    from dataaudit.dynamics.summary import Dynamics, Predictions
    from dataaudit.holdout.summary import HoldoutScores
    from dataaudit.learners.base import Fitted, Learner
    from dataaudit.representations.base import Represented
    from dataaudit.representations.collect import TorchModel, Wanted

FOLDS = 3
EVALUATION_ROWS = 4096


class Need(StrEnum):
    """A part of the evidence that a scorer asks for."""

    DYNAMICS = "dynamics"
    """Training dynamics: one training run."""
    PREDICTIONS = "predictions"
    """One evaluation pass of the trained model."""
    HELDOUT = "heldout"
    """Predictions of models that did not train on the example: a seeded 3-fold run."""
    HOLDOUT = "holdout"
    """Runs on random subsets of one ratio."""
    HOLDOUT_INTEGRAL = "holdout_integral"
    """Runs on random subsets of several ratios."""


@dataclass(frozen=True)
class Evidence:
    """Everything the scorers of one call asked for; parts nobody asked for are None.

    Attributes
    ----------
    labels
        Given labels, int64 [n].
    class_names
        Names of the classes [C].
    dynamics, predictions, heldout
        See `dataaudit.dynamics.summary`.
    densities
        Kernel sums by what was asked for.
    holdout, holdout_integral
        Estimates from holdout runs of one subset ratio, and averaged over several.
    """

    labels: IntArray
    class_names: tuple[str, ...]
    dynamics: Dynamics | None = None
    predictions: Predictions | None = None
    heldout: Predictions | None = None
    densities: Mapping[DensityNeed, DensitySums] = field(default_factory=dict)
    holdout: HoldoutScores | None = None
    holdout_integral: HoldoutScores | None = None

    def has(self, need: Need | DensityNeed) -> bool:
        """Whether that part is there."""
        if isinstance(need, DensityNeed):
            return need in self.densities
        return getattr(self, need.value) is not None


@dataclass
class Timer:
    """Seconds spent in every stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the block to stage `name`, also when it is left by an exception."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def predict(
    fitted: Fitted,
    rows: IntArray,
    labels: IntArray,
    recorder: Recorder,
    progress: bool,
    text: str = "predicting",
) -> None:
    """Show `recorder` the predictions of `fitted` for `rows`, block by block."""
    with progress_bar(text, len(rows), progress) as advance:
        for start in range(0, len(rows), EVALUATION_ROWS):
            block = rows[start : start + EVALUATION_ROWS]
            recorder.evaluate(block, fitted.logits(block), labels[block])
            advance(len(block))


def heldout_predictions(
    learner: Learner, labels: IntArray, classes: int, seed: int, progress: bool, folds: int = FOLDS
) -> Predictions | None:
    """Out-of-sample predictions by k-fold training from scratch, with fold and training seed `seed`."""
    from dataaudit.dynamics.recorder import Recorder

    learner = learner.from_scratch()
    fold = stratified_folds(labels, folds, seed)
    recorder = Recorder(len(labels), classes, history_bytes=0)
    for number in range(folds):
        fitted = learner.fit(np.flatnonzero(fold != number), seed, None, progress)
        predict(fitted, np.flatnonzero(fold == number), labels, recorder, progress)
    return recorder.predictions()


def collect(
    needs: Collection[Need | DensityNeed],
    labels: IntArray,
    class_names: tuple[str, ...],
    *,
    examples: Examples | None,
    learner: Learner | None,
    recorder: Recorder,
    recorded: bool,
    trained: bool,
    engine: DensityEngine | None,
    seed: int,
    progress: bool,
    timer: Timer,
    folds: int = FOLDS,
    holdout: HoldoutWork | None = None,
    fingerprint: str = "",
) -> Evidence:
    """Compute every need once.

    Parameters
    ----------
    needs
        Union of the scorers' needs.
    labels, class_names
        Of the data set.
    examples
        The data set, for densities; None where a recorder is all there is.
    learner
        What trains; None when everything was recorded beforehand.
    recorder
        Takes the dynamics and the final predictions.
    recorded
        Whether `recorder` arrived full, from the caller's own loop.
    trained
        Whether the model as passed is the trained one, so that predictions are its own.
    engine
        What computes densities; None where none is needed.
    seed, progress, timer
        As in `dataaudit.score`.
    folds
        Of held-out predictions.
    holdout, fingerprint
        Holdout runs where any are needed, and the data set they belong to.

    Raises
    ------
    ModelError
        If a need cannot be met: no learner, one without epochs, or no such representation.
    SettingError
        If a density is asked for at an epoch that this training does not have.
    """
    crowds = _Crowds([need for need in needs if isinstance(need, DensityNeed)], labels, engine, seed, progress, timer)
    keeps = recorded or trained
    if Need.DYNAMICS in needs and not recorded:
        learner = _needed(learner, Need.DYNAMICS)
        if learner.epochs == 0:
            raise ModelError(
                f"{learner.description['model']}, which trains without epochs",
                "a torch module, a boosting model with staged predictions or a model with partial_fit",
                "ask for 'heldout_confidence', or leave scorers='auto'",
            )
    if crowds.of_model:
        learner = _needed(learner, crowds.of_model[0])
        crowds.check(learner, 0 if keeps else learner.epochs)
    crowds.of_inputs(examples)
    rows = np.arange(len(labels), dtype=np.int64)
    fitted = None
    dynamics_needed = Need.DYNAMICS in needs and not recorded
    if dynamics_needed or (crowds.of_model and not keeps):
        learner = _needed(learner, Need.DYNAMICS)
        with timer.stage("train"):
            fitted = learner.fit(rows, seed, recorder if dynamics_needed else None, progress, crowds.watch)
    dynamics = recorder.dynamics() if Need.DYNAMICS in needs else None
    if Need.DYNAMICS in needs and dynamics is None:
        raise ModelError(
            "a Recorder without a complete epoch",
            "training dynamics",
            "call recorder.end_epoch() after an epoch",
        )
    predictions = recorder.predictions() if Need.PREDICTIONS in needs and recorded else None
    if Need.PREDICTIONS in needs and predictions is None:
        learner = _needed(learner, Need.PREDICTIONS)
        if fitted is None and not keeps:
            with timer.stage("train"):
                fitted = learner.fit(rows, seed, None, progress)
        with timer.stage("evaluate"):
            predict(fitted or learner.untrained(), rows, labels, recorder, progress)
            predictions = recorder.predictions()
    if crowds.of_model:
        learner = _needed(learner, crowds.of_model[0])
        crowds.take(fitted or learner.untrained(), None)
    heldout = None
    if Need.HELDOUT in needs:
        learner = _needed(learner, Need.HELDOUT)
        with timer.stage("holdout"):
            heldout = heldout_predictions(learner, labels, len(class_names), seed, progress, folds)
    if holdout is not None:
        with timer.stage("holdout"):
            holdout.carry_out(fingerprint)
    found = {} if holdout is None else holdout.found()
    return Evidence(labels, class_names, dynamics, predictions, heldout, crowds.found, **found)


class _Crowds:
    """Densities asked for, computed as soon as their representation exists, which is then let go."""

    def __init__(
        self,
        needs: Sequence[DensityNeed],
        labels: IntArray,
        engine: DensityEngine | None,
        seed: int,
        progress: bool,
        timer: Timer,
    ) -> None:
        self.of_model = [need for need in needs if need.space != "input"]
        self._of_inputs = [need for need in needs if need.space == "input"]
        self._labels, self._engine, self._seed = labels, engine, seed
        self._progress, self._timer = progress, timer
        self.found: dict[DensityNeed, DensitySums] = {}

    @property
    def watch(self) -> Any:
        """What looks at the model after every epoch; None where nothing is asked for before the last."""
        chosen = {need.epoch for need in self.of_model} - {None}
        if not chosen:
            return None

        def look(epoch: int, fitted: Fitted) -> None:
            if epoch in chosen:
                self.take(fitted, epoch)

        return look

    def check(self, learner: Learner, epochs: int) -> None:
        """Raise unless the model has every representation, and training has every epoch, asked for."""
        from dataaudit.representations.collect import readers

        if not hasattr(learner, "module"):
            raise ModelError(
                f"a {learner.description['model']}, for a density of {self.of_model[0].space!r}",
                "a torch module, whose layers can be read",
                "ask for 'density/input', or pass a torch module",
            )
        late = sorted({need.epoch for need in self.of_model if need.epoch is not None and need.epoch > epochs})
        if late:
            raise SettingError(
                f"a density after epoch {late[0]}",
                f"epochs 1 to {epochs}" if epochs else "the end of training, for nothing is trained here",
                "leave epochs=None, or raise the recipe's epochs",
            )
        wanted = self._wanted(self.of_model)
        readers(cast("TorchModel", learner.untrained()), wanted, len(self._labels), self._seed)

    @staticmethod
    def _wanted(needs: Sequence[DensityNeed]) -> list[Wanted]:
        from dataaudit.representations.collect import Wanted

        return list(dict.fromkeys(Wanted(need.space, need.layer, need.loss) for need in needs))

    def of_inputs(self, examples: Examples | None) -> None:
        """Compute the densities of inputs."""
        if not self._of_inputs:
            return
        if examples is None:
            raise ModelError(
                "no data set, for a density of inputs", "the inputs", "use dataaudit.score(None, dataset, ...)"
            )
        from dataaudit.representations.input import input_rows

        with self._timer.stage("represent"):
            represented, described = input_rows(examples)
        for need in self._of_inputs:
            self._add(need, represented, described)

    def take(self, fitted: Fitted, epoch: int | None) -> None:
        """Compute the densities of the model as it is after `epoch` (None: at the end)."""
        from dataaudit.representations.collect import Wanted, represent

        now = [need for need in self.of_model if need.epoch == epoch]
        if not now:
            return
        with self._timer.stage("represent"):
            made = represent(cast("TorchModel", fitted), self._wanted(now), self._labels, self._seed, self._progress)
        for need in now:
            self._add(need, *made[Wanted(need.space, need.layer, need.loss)])

    def _add(self, need: DensityNeed, represented: Represented, described: dict[str, Any]) -> None:
        from dataaudit.density.compute import density_sums

        assert self._engine is not None
        with self._timer.stage("density"):
            self.found[need] = density_sums(
                need, represented, described, self._labels, self._engine, self._seed, self._progress
            )


def _needed(learner: Learner | None, need: Need | DensityNeed) -> Learner:
    if learner is None:
        what = f"the density of {need.space!r}" if isinstance(need, DensityNeed) else need.value
        raise ModelError(
            f"no model, for scores that need {what}",
            "a torch module or factory, a scikit-learn classifier, or a Recorder that holds them",
            "pass a model, or precomputed=recorder with evaluate() called for predictions",
        )
    return learner
