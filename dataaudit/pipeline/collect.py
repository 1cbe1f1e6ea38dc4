"""Collect what the scorers of one call need, each part once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dataaudit.common.timing import Timer
from dataaudit.common.types import IntArray
from dataaudit.density.base import DensityNeed
from dataaudit.errors import ModelError
from dataaudit.evidence.agreement import measured, under_view
from dataaudit.evidence.base import BROUGHT, EPOCHS, LEFT_OUT, SAME, STAGES, Evidence, Need
from dataaudit.evidence.trained import TrainedModel
from dataaudit.neighbours.base import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.pipeline.cross_validation import FOLDS, draws_of, heldout_predictions
from dataaudit.pipeline.evaluations import Evaluations, Show, own_generator, show_all
from dataaudit.pipeline.repeats import Shown, further
from dataaudit.pipeline.ridge_loo import leaves_out, left_out_predictions
from dataaudit.pipeline.spaces import SpaceCollector
from dataaudit.pipeline.underway import Underway
from dataaudit.representations.input import InputRows

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.density.protocol import DensityEngine
    from dataaudit.dynamics.recorder import Recorder
    from dataaudit.dynamics.summary import Predictions
    from dataaudit.learners.base import Fitted, Learner, Watch
    from dataaudit.neighbours.protocol import NeighbourSearch
    from dataaudit.pipeline.holdout_runs import HoldoutWork
    from dataaudit.representations.store import RowStore


def collect(
    needs: Collection[Need | DensityNeed | NeighbourNeed | NeighbourLabelsNeed],
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
        Training runs that are recorded; see `dataaudit.pipeline.repeats`.
    underway
        Told of each part as soon as it is complete.

    Raises
    ------
    ModelError
        If a need cannot be met: no learner, one without epochs, or no such representation.
    SettingError
        If a density is asked for at an epoch that this training does not have.
    """
    crowds = SpaceCollector(
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
    examples = crowds.stored(examples, learner is None and Need.CROSS_VALIDATION in needs and heldout is None)
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
        ways["dynamics"] = STAGES if learner is not None and learner.staged else EPOCHS
    dynamics_needed = Need.DYNAMICS in needs and not recorded
    if dynamics_needed or evaluating is not None or (crowds.of_model and not keeps):
        learner = _needed(learner, Need.DYNAMICS)
        watch = _watching([crowds.watch, None if evaluating is None else evaluating.watch])
        underway.trains = learner.readable
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
        underway.trains = learner.readable
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
    if Need.CROSS_VALIDATION in needs and heldout is None:
        alpha = None if learner is None else learner.ridge_alpha
        with timer.stage("holdout"):
            if inputs is not None and folds is None and leaves_out(learner, len(labels)):
                heldout = left_out_predictions(inputs, alpha, labels, len(class_names))
                ways["heldout"] = LEFT_OUT
            else:
                learner = _needed(learner, Need.CROSS_VALIDATION)
                draws = draws_of(learner, len(labels)) if folds is None else 1
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
    if Need.RIDGE_LOO in needs:
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


def _needed(learner: Learner | None, need: Need | DensityNeed | NeighbourNeed | NeighbourLabelsNeed) -> Learner:
    if learner is None:
        what = need.value if isinstance(need, Need) else f"the representation {need.space.name!r}"
        raise ModelError(
            f"no model, for scores that need {what}",
            "a torch module or factory, a scikit-learn classifier, or a Recorder that holds them",
            "pass a model, or precomputed=recorder with evaluate() called for predictions",
        )
    return learner
