"""Plan of one call: scorers, the sources of what they need, and all checks; nothing is trained yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataaudit import scores
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.density.base import DensityNeed
from dataaudit.density.engines import resolve as resolve_engine
from dataaudit.density.protocol import DensityEngine
from dataaudit.errors import ModelError
from dataaudit.evidence.base import Need
from dataaudit.holdout.settings import Holdout
from dataaudit.neighbours.base import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.neighbours.protocol import NeighbourSearch
from dataaudit.neighbours.search import resolve as resolve_search
from dataaudit.pipeline import choice
from dataaudit.pipeline.request import Request
from dataaudit.pipeline.sources.base import Run, Source
from dataaudit.pipeline.sources.cross_validation import CrossValidation
from dataaudit.pipeline.sources.predictions import BroughtPredictions, predictions_of
from dataaudit.pipeline.sources.recording import Recording
from dataaudit.pipeline.sources.repeats import check_repeats
from dataaudit.pipeline.sources.ridge_loo import RidgeLeaveOneOut, leaves_out
from dataaudit.pipeline.sources.spaces import Inputs, InputSpaces, SpaceCollector, Tools
from dataaudit.pipeline.sources.subset_runs import KINDS, SubsetRuns, check_holdout
from dataaudit.pipeline.sources.training import Training, no_evaluations
from dataaudit.pipeline.subject import Subject, adapt
from dataaudit.representations.store import RowStore
from dataaudit.scores import Scorer
from dataaudit.scores.holdout import c_score, holdout_probability
from dataaudit.scores.saved import saved_scores


@dataclass(frozen=True)
class Plan:
    """What one call is going to do.

    Attributes
    ----------
    scorers
        Scores to compute.
    sources
        Where their evidence comes from, in the order in which it is collected.
    run
        Labels, seed, notes.
    subject
        Data set and model.
    store
        Folder of representations; None without one.
    """

    scorers: tuple[Scorer, ...]
    sources: tuple[Source, ...]
    run: Run
    subject: Subject
    store: RowStore | None

    def close(self) -> None:
        """Let others have the folder."""
        if self.store is not None:
            self.store.close()


def make_plan(request: Request) -> Plan:
    """Resolve and check everything, look at the inputs once, and train nothing."""
    request.check()
    chosen = scores.resolve(request.scorers)
    # Scores that were computed elsewhere need nothing.
    ours = None if chosen is None else [scorer for scorer in chosen if scorer.name not in (request.known_scores or ())]
    choice.check_model(request, ours)
    choice.check_predictions(request, ours)
    check_holdout(request.holdout, [c_score, holdout_probability] if ours is None else ours)
    engine, search = _computing(request, ours or ())
    subject = adapt(request, request.cache is not None and bool(choice.of_inputs(ours or ())))
    notes = [*subject.notes, *choice.check_trained(subject, ours)]
    run = Run(subject.labels, subject.class_names, int(request.seed), request.progress, request.timer, notes)
    known = saved_scores(request.known_scores or {}, scores.REGISTRY.names(), run.labels, run.class_names, notes)
    consensus = choice.consensus_needs(subject, request.predictions is not None, run.seed, notes)
    choice.check_held_out(request, subject, ours, consensus)
    scorers = choice.choose_scorers(request, subject, chosen, known, consensus)
    needs = choice.needs_of(scorers)
    if Need.CONSENSUS in needs:
        choice.check_consensus(subject, consensus)
        needs |= consensus
    graphs = (engine is not None and engine.depth > 0) or any(isinstance(need, NeighbourLabelsNeed) for need in needs)
    if search is None and graphs:
        search = resolve_search("auto")
    tools = Tools(engine, search, _store(request, subject))
    plan = Plan(scorers, tuple(_sources(request, subject, run, scorers, needs, tools)), run, subject, tools.store)
    try:
        for source in plan.sources:
            source.check()
    except BaseException:
        plan.close()
        raise
    return plan


def _computing(request: Request, chosen: Sequence[Scorer]) -> tuple[DensityEngine | None, NeighbourSearch | None]:
    """Engine and search, where one is named or needed."""
    kinds = {type(need) for need in choice.needs_of(chosen)}
    engine = resolve_engine(request.engine) if DensityNeed in kinds or request.engine != "auto" else None
    search = resolve_search(request.search) if NeighbourNeed in kinds or request.search != "auto" else None
    return engine, search


def _store(request: Request, subject: Subject) -> RowStore | None:
    if request.cache is None or subject.inspection is None:
        return None
    learner = subject.learner
    model = None if learner is None else fingerprint_of([learner.identity, int(request.seed)])
    return RowStore(request.cache, subject.inspection.fingerprint, model)


def _sources(
    request: Request, subject: Subject, run: Run, scorers: Sequence[Scorer], needs: choice.Needs, tools: Tools
) -> list[Source]:
    """Sources of what is needed, in the order in which they are collected."""
    spaces = [need for need in needs if not isinstance(need, Need)]
    among = SpaceCollector(run, [need for need in spaces if not need.space.of_model], tools)
    inside = SpaceCollector(run, [need for need in spaces if need.space.of_model], tools)
    # Rows are written to a folder where they are looked at, not for a model that reads them anyway.
    reads = bool(among.needs) or subject.learner is None
    inputs = None
    if subject.examples is not None:
        inputs = Inputs(run, subject.examples, among, tools.store if reads else None)
    found: list[Source] = []
    if request.predictions is not None:
        found.append(BroughtPredictions(predictions_of(request.predictions, run.labels, run.class_names)))
    if among.needs:
        found.append(InputSpaces(among, inputs))
    found += _of_model(request, subject, run, needs, inside)
    found += _held_out(request, subject, run, needs, inputs)
    if needs & KINDS:
        found.append(_subset_runs(request, subject, run, scorers))
    return found


def _of_model(
    request: Request, subject: Subject, run: Run, needs: choice.Needs, spaces: SpaceCollector
) -> list[Source]:
    """Training runs, or what is there of a model that was trained before."""
    dynamics, evaluations, predictions = (need in needs for need in (Need.DYNAMICS, Need.EVALUATIONS, Need.PREDICTIONS))
    learner, trains = subject.learner, not subject.as_passed and (dynamics or evaluations)
    check_repeats(request.repeats, learner if subject.recorder is None else None, trains)
    if not (dynamics or evaluations or predictions or spaces.needs):
        return []
    if subject.as_passed:
        if evaluations:
            raise no_evaluations()
        return [Recording(run, subject.recorder, learner, spaces, dynamics=dynamics, predictions=predictions)]
    if learner is None:
        raise choice.no_model("model=None")
    return [
        Training(
            run,
            learner,
            spaces,
            dynamics=dynamics,
            evaluations=evaluations,
            predictions=predictions,
            repeats=int(request.repeats),
        )
    ]


def _held_out(request: Request, subject: Subject, run: Run, needs: choice.Needs, inputs: Inputs | None) -> list[Source]:
    """Predictions of models that did not train on the example, by folds or by leaving out one at a time."""
    learner, found = subject.learner, list[Source]()
    held_out = Need.CROSS_VALIDATION in needs
    folds = None if request.holdout is None else request.holdout.folds
    if held_out and request.predictions is None:
        if inputs is not None and folds is None and leaves_out(learner, len(run.labels)):
            alpha = None if learner is None else learner.ridge_alpha
            found.append(RidgeLeaveOneOut(run, inputs, alpha, "heldout", "heldout"))
        elif learner is None or subject.recorder is not None:
            raise choice.no_model("a Recorder" if subject.recorder is not None else "model=None")
        else:
            found.append(CrossValidation(run, learner, subject.fits, folds))
    if Need.RIDGE_LOO in needs:
        assert inputs is not None
        found.append(RidgeLeaveOneOut(run, inputs, None, "left_out", "ridge" if held_out else "heldout"))
    return found


def _subset_runs(request: Request, subject: Subject, run: Run, scorers: Sequence[Scorer]) -> SubsetRuns:
    learner, examples, inspection = subject.learner, subject.examples, subject.inspection
    if learner is None or subject.recorder is not None or examples is None or inspection is None:
        raise ModelError(
            "a Recorder" if subject.recorder is not None else "no model",
            "a model to train from scratch, for scores by holdout",
            'pass the model and no Recorder, or known_scores={"c_score": file}',
        )
    holdout = request.holdout or Holdout()
    return SubsetRuns(run, holdout, scorers, learner, subject.fits, examples, inspection.fingerprint)
