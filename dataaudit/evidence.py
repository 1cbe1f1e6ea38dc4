"""What scorers look at, each part computed once however many scorers need it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from dataaudit.agreement import Agreement, measured, under_view
from dataaudit.crowds import Crowds
from dataaudit.density.base import DensityNeed, DensitySums
from dataaudit.errors import ModelError
from dataaudit.evaluations import Evaluations, Show, own_generator, show_all
from dataaudit.folds import FOLDS, draws_of, heldout_predictions
from dataaudit.left_out import leaves_out, left_out_predictions
from dataaudit.neighbours.around import AroundNeed
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.repeats import Shown, further
from dataaudit.representations.input import InputRows
from dataaudit.shares import Averaged, Believed, ClassBeliefs
from dataaudit.timing import Timer
from dataaudit.trained import TrainedModel
from dataaudit.types import IntArray
from dataaudit.underway import Underway

if TYPE_CHECKING:
    from dataaudit._holdout import HoldoutWork
    from dataaudit.data.examples import Examples
    from dataaudit.density.engines import DensityEngine
    from dataaudit.dynamics.recorder import Recorder
    from dataaudit.dynamics.summary import Dynamics, Predictions
    from dataaudit.holdout.summary import HoldoutScores
    from dataaudit.learners.base import Fitted, Learner, Watch
    from dataaudit.neighbours.around import Around
    from dataaudit.neighbours.protocol import NeighbourSearch
    from dataaudit.representations.store import RowStore

LEFT_OUT, BROUGHT = "ridge regression, each left out", "brought along"
STAGES, EPOCHS = "boosting stages", "epochs"
SAME = "each the same"
"""How sources come about, in `Evidence.ways`."""


class Need(StrEnum):
    """A part of the evidence that a scorer asks for."""

    DYNAMICS = "dynamics"
    """Training dynamics: one training run."""
    PREDICTIONS = "predictions"
    """One evaluation pass of the trained model."""
    EVALUATIONS = "evaluations"
    """Evaluation passes after the last epochs of a training run, of examples as they are and mirrored."""
    HELDOUT = "heldout"
    """Predictions of models that did not train on the example: three folds, or leave-one-out in closed form."""
    LEFT_OUT = "left_out"
    """Predictions of ridge regression on the inputs, each example's from all the others, beside a model's."""
    BELIEFS = "beliefs"
    """Probabilities of the classes by all that says something: dynamics, held-out predictions, neighbours."""
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
    evaluations
        Means over the evaluation passes of the last epochs, where the recipe makes any; see `Dynamics`.
    agreement
        How many labels the model agrees with, trained on them and not.
    passes
        What the training run of a torch model on all rows cost: 1 a training pass, a third an evaluation.
    densities, neighbours
        Kernel sums and neighbour graphs by what was asked for.
    left_out
        Predictions of ridge regression on the inputs, beside a model that is none.
    holdout, holdout_integral
        Estimates from holdout runs of one subset ratio, and averaged over several.
    around
        Labels of the nearest neighbours.
    beliefs
        Probabilities of the classes by all sources together.
    model
        What was trained on all rows, or can be, for rows not seen; no scorer reads it.
    ways
        How sources came about, by name: "dynamics", "heldout", "ridge"; JSON values. "repeats" where further training
        runs were no others.
    """

    labels: IntArray
    class_names: tuple[str, ...]
    dynamics: Dynamics | None = None
    predictions: Predictions | None = None
    heldout: Predictions | None = None
    left_out: Predictions | None = None
    densities: Mapping[DensityNeed, DensitySums] = field(default_factory=dict)
    neighbours: Mapping[NeighbourNeed, Neighbours] = field(default_factory=dict)
    holdout: HoldoutScores | None = None
    holdout_integral: HoldoutScores | None = None
    around: Around | None = None
    beliefs: Believed | None = None
    model: TrainedModel | None = None
    ways: Mapping[str, str] = field(default_factory=dict)
    evaluations: Dynamics | None = None
    agreement: Agreement | None = None
    passes: float | None = None

    @property
    def run(self) -> ClassBeliefs | None:
        """Probabilities of the classes by the training run: every pass by what it says, whatever kind it is of."""
        parts = [part for part in (self.dynamics, self.evaluations) if part is not None]
        if not parts:
            return None
        weights = tuple(float((part.epoch_weights**2).sum()) for part in parts)
        if not any(weights):
            weights = tuple(float(part.epochs) for part in parts)
        return Averaged(tuple(part.informed for part in parts), weights)

    def has(self, need: Need | DensityNeed | NeighbourNeed | AroundNeed) -> bool:
        """Whether that part is there."""
        if isinstance(need, AroundNeed):
            return self.around is not None
        if isinstance(need, NeighbourNeed):
            return need in self.neighbours
        if isinstance(need, DensityNeed):
            return need in self.densities
        return getattr(self, need.value) is not None


def collect(
    needs: Collection[Need | DensityNeed | NeighbourNeed | AroundNeed],
    labels: IntArray,
    class_names: tuple[str, ...],
    *,
    examples: Examples | None,
    learner: Learner | None,
    recorder: Recorder,
    recorded: bool,
    trained: bool,
    engine: DensityEngine | None,
    search: NeighbourSearch | None = None,
    seed: int,
    progress: bool,
    timer: Timer,
    folds: int | None = None,
    holdout: HoldoutWork | None = None,
    fingerprint: str = "",
    heldout: Predictions | None = None,
    store: RowStore | None = None,
    repeats: int = 1,
    underway: Underway | None = None,
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
    engine, search
        What computes densities, and what finds neighbours; None where none are needed.
    seed, progress, timer
        As in `dataaudit.score`.
    folds
        Of held-out predictions; by default 3, and none for ridge regression, which leaves out one at a time.
    holdout, fingerprint
        Holdout runs where any are needed, and the data set they belong to.
    heldout
        Out-of-sample predictions, where the caller has them.
    store
        Where representations are kept, and inputs that lie in no array; in memory if None.
    repeats
        Training runs that are recorded; see `dataaudit.repeats`.
    underway
        Told of each part as soon as it is complete.

    Raises
    ------
    ModelError
        If a need cannot be met: no learner, one without epochs, or no such representation.
    SettingError
        If a density is asked for at an epoch that this training does not have.
    """
    crowds = Crowds(
        [need for need in needs if not isinstance(need, Need)],
        labels,
        len(class_names),
        engine,
        search,
        seed,
        progress,
        timer,
        store,
    )
    underway = underway or Underway()
    underway.crowds, ways = crowds, underway.ways
    if heldout is not None:
        underway.heldout, ways["heldout"] = heldout, BROUGHT
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
    examples = crowds.stored(examples, learner is None and Need.HELDOUT in needs and heldout is None)
    inputs = None if examples is None else InputRows(examples)
    crowds.of_inputs(inputs)
    rows = np.arange(len(labels), dtype=np.int64)
    fitted, evaluating = None, None
    if Need.EVALUATIONS in needs:
        learner = _needed(learner, Need.EVALUATIONS)
        if keeps or not learner.evaluations:
            raise ModelError(
                "a run without evaluations after its last epochs",
                "a training run of a torch module, by a recipe with evaluations",
                "pass recipe=Recipe(evaluations=...), or leave scorers='auto'",
            )
        evaluating = Evaluations(labels, len(class_names), learner.epochs, learner.evaluations, learner.views)
        underway.evaluating = evaluating
    if Need.DYNAMICS in needs:
        ways["dynamics"] = STAGES if getattr(learner, "staged", False) else EPOCHS
    dynamics_needed = Need.DYNAMICS in needs and not recorded
    if dynamics_needed or evaluating is not None or (crowds.of_model and not keeps):
        learner = _needed(learner, Need.DYNAMICS)
        watch = _watching([crowds.watch, None if evaluating is None else evaluating.watch])
        underway.trains = hasattr(learner, "module")
        with timer.stage("train"):
            fitted = learner.fit(rows, seed, recorder if dynamics_needed else None, progress, watch)
    dynamics = recorder.dynamics() if Need.DYNAMICS in needs else None
    if Need.DYNAMICS in needs and dynamics is None:
        raise ModelError(
            "a Recorder without a complete epoch",
            "training dynamics",
            "call recorder.end_epoch() after an epoch",
        )
    predictions = recorder.predictions() if Need.PREDICTIONS in needs and recorded else None
    predicting = Need.PREDICTIONS in needs and predictions is None
    if predicting and fitted is None and not keeps:
        learner = _needed(learner, Need.PREDICTIONS)
        underway.trains = hasattr(learner, "module")
        with timer.stage("train"):
            fitted = learner.fit(rows, seed, None, progress)
    # Whoever looks at the model as it is at the end does so in one pass.
    shows: list[Show] = [recorder.evaluate] if predicting else []
    shows += [evaluating.show] if evaluating is not None else []
    last = fitted
    if last is None and (shows or crowds.of_model):
        last = _needed(learner, Need.PREDICTIONS if predicting else crowds.of_model[0]).untrained()
    evaluations = None
    with own_generator(seed):
        if last is not None and not crowds.take(last, None, shows) and shows:
            with timer.stage("evaluate"):
                show_all(last, labels, shows, progress)
        underway.looks = int(bool(shows or crowds.of_model))
        if evaluating is not None and last is not None:
            with timer.stage("evaluate"):
                evaluations = evaluating.finish(last)
    predictions = recorder.predictions() if predicting else predictions
    run = Shown(dynamics, evaluations, crowds.around)
    if learner is not None and repeats > 1:
        with timer.stage("train"):
            evaluates = evaluating is not None
            near = crowds.of_another_run
            for one in further(learner, labels, len(class_names), seed, repeats, evaluates, progress, near):
                underway.runs.append(one)
        if all(one.same_as(run) for one in underway.runs):
            ways["repeats"] = SAME
        run = run.with_(underway.runs, labels)
        dynamics, evaluations = (run.dynamics if dynamics_needed else None), run.evaluations
    if Need.HELDOUT in needs and heldout is None:
        probe = getattr(learner, "probe", None)
        with timer.stage("holdout"):
            if inputs is not None and folds is None and leaves_out(probe, learner, len(labels)):
                heldout = left_out_predictions(inputs, probe, labels, len(class_names))
                ways["heldout"] = LEFT_OUT
            else:
                learner = _needed(learner, Need.HELDOUT)
                draws = draws_of(learner, labels, len(class_names)) if folds is None else 1
                heldout = heldout_predictions(learner, labels, len(class_names), seed, progress, folds or FOLDS, draws)
                ways["heldout"] = f"{folds or FOLDS} folds, drawn {draws} time{'s' if draws > 1 else ''}"
        underway.heldout = heldout
    augmented = None
    if dynamics_needed and fitted is not None and learner is not None:
        with timer.stage("evaluate"), own_generator(seed):
            view = learner.unseen_view(seed)
            augmented = None if view is None else under_view(fitted, labels, view, seed)
        underway.augmented, underway.looked = augmented, True
    left_out = None
    if Need.LEFT_OUT in needs:
        assert inputs is not None
        with timer.stage("holdout"):
            left_out = left_out_predictions(inputs, None, labels, len(class_names))
        name = "heldout" if heldout is None else "ridge"
        underway.left_out, ways[name] = left_out, LEFT_OUT
    if holdout is not None:
        with timer.stage("holdout"):
            holdout.carry_out(fingerprint)
    found = {} if holdout is None else holdout.found()
    model = None if learner is None else TrainedModel(learner, seed, fitted, keeps)
    return Evidence(
        labels,
        class_names,
        dynamics,
        predictions,
        heldout,
        left_out,
        crowds.densities,
        crowds.neighbours,
        around=run.around,
        model=model,
        evaluations=evaluations,
        passes=None if learner is None else underway.passes(learner.epochs),
        agreement=measured(labels, dynamics, predictions, heldout, augmented),
        ways=ways,
        **found,
    )


def _watching(watches: Sequence[Watch | None]) -> Watch | None:
    """One who looks after every epoch, for all who do; None without any."""
    eyes = [watch for watch in watches if watch is not None]
    if not eyes:
        return None

    def look(epoch: int, fitted: Fitted) -> None:
        for eye in eyes:
            eye(epoch, fitted)

    return look


def _needed(learner: Learner | None, need: Need | DensityNeed | NeighbourNeed | AroundNeed) -> Learner:
    if learner is None:
        what = need.value if isinstance(need, Need) else f"the representation {need.space!r}"
        raise ModelError(
            f"no model, for scores that need {what}",
            "a torch module or factory, a scikit-learn classifier, or a Recorder that holds them",
            "pass a model, or precomputed=recorder with evaluate() called for predictions",
        )
    return learner
