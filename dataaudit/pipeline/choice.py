"""What scorers="auto" stands for, and whether the model as passed is the trained one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dataaudit import scores
from dataaudit.common.types import IntArray
from dataaudit.data.inspection import TEXT, Inspection
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import ModelError
from dataaudit.evidence.base import Need
from dataaudit.learners.base import Learner
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.pipeline.ridge_loo import LARGEST_TABLE
from dataaudit.pipeline.spaces import check_readable
from dataaudit.representations.spaces import Space
from dataaudit.scores import Scorer

TRAINED = (
    "the model as passed already classifies {share:.1%} of these labels correctly, so learning-speed scores "
    "would mean nothing: it was not trained, its own predictions are scored"
)


def is_trained(learner: Learner | None, chosen: Sequence[Scorer] | None, seed: int, notes: list[str]) -> bool:
    """Whether the model as passed already fits the data; dynamics asked for by name then raise."""
    share = learner.already_fits(seed) if learner is not None else None
    if share is None:
        return False
    named = [scorer.name for scorer in chosen or () if Need.DYNAMICS in scorer.needs]
    if named:
        raise ModelError(
            f"a model that already classifies {share:.1%} of these labels correctly, for {', '.join(named)}",
            "a model that has not been trained on these labels",
            'pass a factory such as lambda: MyModel(), or recipe=Recipe(init="reset")',
        )
    if chosen is None or any(Need.PREDICTIONS in scorer.needs for scorer in chosen):
        notes.append(TRAINED.format(share=share))
    elif any(not isinstance(need, Need) and need.space.of_model for scorer in chosen for need in scorer.needs):
        notes.append(
            f"the model as passed already classifies {share:.1%} of these labels correctly: it was not trained"
        )
    return True


WIDEST = 4096
"""Most features of inputs that are taken as vectors: neighbours and left-out predictions are sought among them."""


FEW = 10000
"""Most examples, of inputs that are vectors, for which models with epochs are also trained on folds."""


def belief_needs(
    learner: Learner | None,
    recorded: Recorder | None,
    trained: bool,
    heldout: bool,
    inspection: Inspection | None,
    labels: IntArray,
    seed: int,
    notes: list[str],
) -> set[Need | NeighbourLabelsNeed]:
    """What the consensus is taken over: all that model and data allow at the cost of one training run.

    Small data sets of vectors or table rows, which train in seconds, get held-out predictions as well, if every fold
    leaves two classes to train on, and vectors of numbers those of a ridge regression besides. What the model does not
    allow is left out, and noted.

    Parameters
    ----------
    learner, recorded, trained
        The model, the caller's recorder, and whether the model as passed is the trained one.
    heldout
        Whether the caller brings held-out predictions.
    inspection
        Shape and type of the inputs; None without a data set.
    labels
        Given labels, int64 [n].
    seed
        As in `dataaudit.score`.
    notes
        A note on each source that is left out is added.
    """
    found: set[Need | NeighbourLabelsNeed] = set()
    vectors = inspection is not None and inspection.vectors and inspection.shape[0] <= WIDEST
    if recorded is not None:
        found |= {Need.DYNAMICS} if recorded.epochs else set()
    elif trained:
        # Its own predictions are scored: of other sources, only what the caller brings counts.
        return {Need.CROSS_VALIDATION} if heldout else found
    elif learner is not None:
        found.add(Need.DYNAMICS if learner.epochs else Need.CROSS_VALIDATION)
        if learner.evaluations:
            found.add(Need.EVALUATIONS)
        flat = inspection is not None and len(inspection.shape) == 1 and inspection.dtype != TEXT
        quick = flat and len(labels) <= FEW and (np.bincount(labels) > 1).sum() > 1
        if quick and _allowed(lambda: learner.from_scratch().check(seed), "held-out predictions", notes):
            found.add(Need.CROSS_VALIDATION)
            # A second, linear view of numbers costs little; a ridge regression is one already.
            linear = learner.ridge_alpha is not None
            width = inspection.shape[0] if inspection is not None else 0
            if vectors and not linear and min(width, len(labels)) <= LARGEST_TABLE:
                found.add(Need.RIDGE_LOO)
    texts = inspection is not None and inspection.dtype == TEXT
    if heldout or (learner is None and recorded is None and (vectors or texts)):
        found.add(Need.CROSS_VALIDATION)
    if texts and Need.CROSS_VALIDATION not in found:
        # Their words say much, cost little, and were never trained on.
        found.add(Need.RIDGE_LOO)
    if vectors or texts:
        found.add(NeighbourLabelsNeed(Space("input")))
    elif learner is not None and learner.readable:
        hidden = NeighbourLabelsNeed(Space("hidden"))
        model = learner
        if _allowed(lambda: check_readable(model, [hidden], len(labels), seed), "neighbours", notes):
            found.add(hidden)
    return found


def _allowed(check: Callable[[], Any], source: str, notes: list[str]) -> bool:
    """Whether a source that nobody asked for by name can be had; a note says why not."""
    try:
        check()
    except ModelError as error:
        notes.append(f"{source} are no part of the consensus: {error.arrived}; {error.action}")
        return False
    return True


def no_vectors(inspection: Inspection) -> str:
    """Why inputs are not taken as vectors of numbers."""
    if inspection.vectors:
        return f"vectors of {inspection.shape[0]} numbers, more than {WIDEST}"
    return "no vectors of numbers, or hold missing ones"


def check_believing(found: set[Need | NeighbourLabelsNeed], trained: bool, recorded: Recorder | None) -> None:
    """Raise a `ModelError` if a consensus is asked for and there is nothing to take it over."""
    if found:
        return
    if trained:
        raise ModelError(
            "a consensus beside a model that was trained on these labels before",
            "training dynamics, or predictions of models that did not train on the example",
            'pass a factory or an unfitted model, or precomputed={"probabilities": array}',
        )
    raise ModelError(
        f"a consensus from {'no model' if recorded is None else 'a Recorder without a complete epoch'}, and no inputs "
        "that are vectors of numbers or texts",
        "something that says what class an example is of",
        "pass a model, a Recorder that has seen an epoch, or inputs that are texts or vectors of numbers (embeddings)",
    )


def automatic(
    learner: Learner | None,
    recorded: Recorder | None,
    trained: bool,
    more: set[Need],
    saved: Mapping[str, Scorer],
) -> list[Scorer]:
    """What scorers="auto" stands for: what the model supports, `more` evidence that there is, and saved scores."""
    needs: set[Need] = more | (automatic_needs(learner, recorded, trained) if learner or recorded else set())
    found = [saved.get(scorer.name, scorer) for scorer in scores.supported(needs)]
    return [*found, *(scorer for name, scorer in saved.items() if name not in {scorer.name for scorer in found})]


def automatic_needs(learner: Learner | None, recorder: Recorder | None, trained: bool) -> set[Need]:
    """Evidence of a model or recorder that scorers='auto' looks at."""
    if recorder is not None:
        needs = {Need.DYNAMICS} if recorder.epochs else set()
        if learner is not None or recorder.predictions() is not None:
            needs.add(Need.PREDICTIONS)
        return needs
    assert learner is not None
    if trained:
        return {Need.PREDICTIONS}
    evaluated = {Need.EVALUATIONS} if learner.evaluations else set()
    return {Need.DYNAMICS, Need.PREDICTIONS} | evaluated if learner.epochs else {Need.CROSS_VALIDATION}
