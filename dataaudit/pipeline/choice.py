"""Choice of scorers and of the evidence that the consensus is taken over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dataaudit import scores
from dataaudit.errors import ModelError, SettingError
from dataaudit.evidence.base import SPACE_NEEDS, Need
from dataaudit.learners.weights import RESET
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.pipeline.evidence_sources.call import no_model
from dataaudit.pipeline.evidence_sources.ridge_loo import narrow, no_vectors
from dataaudit.pipeline.request import Request
from dataaudit.pipeline.subject import Subject, nothing_recorded
from dataaudit.representations.spaces import Space
from dataaudit.scores import Scorer
from dataaudit.scores.base import needs_of
from dataaudit.tasks.base import Task

FEW = 10000
"""Most examples, of inputs that are vectors, for which models with epochs are also trained on folds."""

Needs = set[Any]
"""`Need`, `SPACE_NEEDS`, and what further sources of evidence are asked for; hashable."""


def names_of(scorers: Sequence[Scorer]) -> list[str]:
    """Names of scorers."""
    return [scorer.name for scorer in scorers]


def of_inputs(scorers: Sequence[Scorer]) -> Needs:
    """Needs that lie among the inputs."""
    return {need for need in needs_of(scorers) if isinstance(need, SPACE_NEEDS) and not need.space.of_model}


def check_model(request: Request, chosen: Sequence[Scorer] | None) -> None:
    """Raise `ModelError` if scorers are named that need a model, and there is neither model nor record."""
    without = {Need.CONSENSUS, Need.CROSS_VALIDATION, Need.RIDGE_LOO}
    for need in needs_of(chosen or ()) - without if request.model is None else ():
        if need.space.of_model if isinstance(need, SPACE_NEEDS) else isinstance(need, Need):
            raise no_model("model=None")


def check_predictions(request: Request, chosen: Sequence[Scorer] | None) -> None:
    """Raise `SettingError` for ``predictions=`` that no named scorer reads."""
    if request.predictions is None or chosen is None:
        return
    if needs_of(chosen) & {Need.CROSS_VALIDATION, Need.CONSENSUS}:
        return
    raise SettingError(
        f"predictions= for scorers {names_of(chosen)}, none of which reads them",
        "a score of held-out predictions",
        ["pass scorers='heldout_confidence'", "leave scorers='auto'"],
    )


def choose_scorers(
    request: Request, subject: Subject, chosen: Sequence[Scorer] | None, known: Mapping[str, Scorer], consensus: Needs
) -> tuple[Scorer, ...]:
    """Choose the scorers of one call.

    Parameters
    ----------
    request, subject
        The call.
    chosen
        Scorers by name or instance; None for "auto": what the model or record supports.
    known
        Scores that were computed elsewhere, which take the place of ours.
    consensus
        Evidence of the consensus.
    """
    if chosen is not None:
        named = [known.get(scorer.name, scorer) for scorer in chosen]
        return (*named, *(scorer for name, scorer in known.items() if name not in names_of(named)))
    needs: set[Need] = {Need.SUBSET_RUNS} if request.holdout is not None else set()
    if request.predictions is not None:
        needs.add(Need.CROSS_VALIDATION)
    if request.model is not None or not known or needs:
        needs |= _supported(subject)
        needs |= {Need.CONSENSUS, *({Need.CROSS_VALIDATION} & consensus)} if consensus else set()
    supported = [known.get(scorer.name, scorer) for scorer in scores.supported(needs, subject.task)]
    if not supported and not known:
        raise no_vectors(subject) if request.model is None else nothing_recorded()
    return (*supported, *(scorer for name, scorer in known.items() if name not in names_of(supported)))


def check_fed(scorers: Sequence[Scorer], task: Task) -> None:
    """Raise `SettingError` for scores of evidence that units of a task cannot have."""
    starved = [scorer.name for scorer in scorers if not scores.fed(scorer, task)]
    if starved:
        fed = [name for name in scores.REGISTRY.builtin_names() if scores.fed(scores.REGISTRY.get(name), task)]
        raise SettingError(
            f"scorers {starved} for the task {task.name!r}",
            f"scores that it feeds: {', '.join(fed)}",
            "leave scorers='auto'",
        )


def _supported(subject: Subject) -> set[Need]:
    """Evidence of a model or record that scorers="auto" looks at."""
    learner, recorder = subject.learner, subject.recorder
    if recorder is not None:
        needs = {Need.DYNAMICS} if recorder.epochs else set()
        return needs | ({Need.PREDICTIONS} if learner is not None or recorder.predictions() is not None else set())
    if learner is None:
        return set()
    if subject.trained_before:
        return {Need.PREDICTIONS}
    evaluated = {Need.EVALUATIONS} if learner.evaluations else set()
    return {Need.DYNAMICS, Need.PREDICTIONS} | evaluated if learner.epochs else {Need.CROSS_VALIDATION}


def notes_of_trained(subject: Subject, chosen: Sequence[Scorer] | None) -> list[str]:
    """Note that a model was passed trained; dynamics named beside one raise `ModelError`."""
    if subject.known_share is None:
        return []
    already = f"already classifies {subject.known_share:.1%} of these labels correctly"
    named = [scorer.name for scorer in chosen or () if Need.DYNAMICS in scorer.needs]
    if named:
        raise ModelError(
            f"a model that {already}, for {', '.join(named)}",
            "a model that has not been trained on these labels",
            RESET,
        )
    if chosen is None or Need.PREDICTIONS in needs_of(chosen):
        return [
            f"the model as passed {already}: it was not trained, so no learning speed is told, and its own predictions "
            "are scored, which repeat what it learned; for label errors pass it as it was before that training"
        ]
    if any(isinstance(need, SPACE_NEEDS) and need.space.of_model for need in needs_of(chosen)):
        return [f"the model as passed {already}: it was not trained"]
    return []


def consensus_needs(subject: Subject, brought: bool, notes: list[str]) -> Needs:
    """Choose what the consensus is taken over: all that model and data allow at the cost of one training run.

    Small data sets of vectors or table rows, which train in seconds, get held-out predictions as well, if every fold
    leaves two classes to train on, and vectors of numbers those of a ridge regression besides. A source that the model
    does not allow is left out, and noted.

    Parameters
    ----------
    subject
        Data set and model.
    brought
        Whether the caller brings held-out predictions.
    notes
        A note on each source that is left out is added.
    """
    if subject.known_share is not None:
        # Its own predictions are scored: of other sources, only what the caller brings counts.
        return {Need.CROSS_VALIDATION} if brought else set()
    needs = _of_training(subject, notes)
    alone = subject.learner is None and subject.recorder is None
    if brought or (alone and (subject.vectors or subject.texts)):
        needs.add(Need.CROSS_VALIDATION)
    # Words of texts say much, cost little, and were never trained on.
    if _linear_view(subject) or (subject.texts and Need.CROSS_VALIDATION not in needs):
        needs.add(Need.RIDGE_LOO)
    if subject.learner is not None and subject.learner.reads_tokens:
        notes.append("inputs are token ids, which are no vectors: their neighbours are no part of the consensus")
    if subject.vectors or subject.texts:
        needs.add(NeighbourLabelsNeed(Space("input")))
    elif subject.learner is not None and subject.learner.readable:
        hidden = Space("hidden")
        if _allowed(lambda: subject.layers.check([hidden]), "neighbours", notes):
            needs.add(NeighbourLabelsNeed(hidden))
    return needs


def _of_training(subject: Subject, notes: list[str]) -> Needs:
    """Evidence of a training run or a record, and predictions of folds where these are quick."""
    learner = subject.learner
    if subject.recorder is not None:
        return {Need.DYNAMICS} if subject.recorder.epochs else set()
    if learner is None:
        return set()
    needs: Needs = {Need.DYNAMICS if learner.epochs else Need.CROSS_VALIDATION}
    if learner.evaluations:
        needs.add(Need.EVALUATIONS)
    if _quick(subject) and _allowed(subject.fresh.check, "held-out predictions", notes):
        needs.add(Need.CROSS_VALIDATION)
    return needs


def _quick(subject: Subject) -> bool:
    """True if training on folds, or a regression on all columns, takes seconds."""
    return subject.flat and len(subject.labels) <= FEW and int((np.bincount(subject.labels) > 1).sum()) > 1


def _linear_view(subject: Subject) -> bool:
    """True if a ridge regression joins: a second, linear view of numbers costs little, unless the model is one."""
    alone = subject.learner is None and subject.recorder is None
    if alone or subject.inspection is None or not subject.vectors or not _quick(subject):
        return False
    linear = subject.learner is not None and subject.learner.ridge_alpha is not None
    return not linear and narrow(subject.inspection, len(subject.labels))


def _allowed(check: Callable[[], Any], source: str, notes: list[str]) -> bool:
    """True if a source that was not requested by name can be had; a note says why not."""
    try:
        check()
    except ModelError as error:
        notes.append(f"{source} are no part of the consensus: {error.arrived}; {error.action}")
        return False
    return True


def check_consensus(subject: Subject, consensus: Needs) -> None:
    """Raise `ModelError` if a consensus is requested and there is nothing to take it over."""
    if consensus:
        return
    if subject.known_share is not None:
        raise ModelError(
            "a consensus beside a model that was trained on these labels before",
            "training dynamics, or predictions of models that did not train on the example",
            [*RESET, "pass predictions= with those of models that did not train on the example"],
        )
    if subject.recorder is None:
        raise no_vectors(subject)
    raise ModelError(
        "a consensus from a Recorder without a complete epoch, and no inputs that are vectors of numbers or texts",
        "something that says what class an example is of",
        ["call recorder.end_epoch() after an epoch", "pass inputs that are texts or vectors of numbers (embeddings)"],
    )
