"""Predictions of models that did not train on the example: by folds, drawn anew as often as is cheap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dataaudit.common.probabilities import softmax
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import IntArray
from dataaudit.dynamics.outcomes import PredictionTable
from dataaudit.dynamics.summary import Predictions
from dataaudit.errors import ModelError
from dataaudit.evidence.base import Need
from dataaudit.holdout.plan import stratified_folds
from dataaudit.learners.base import Learner
from dataaudit.pipeline.evidence_sources.base import Record, Run, Source
from dataaudit.pipeline.evidence_sources.call import WITH_DATA, Call, no_model
from dataaudit.pipeline.evidence_sources.ridge_loo import in_place_of_folds
from dataaudit.pipeline.looks import FreshStart
from dataaudit.scores.base import Scorer

FOLDS = 3
"""Few, for a model that sees fewer labels remembers fewer errors: averaged over draws of folds, three found more errors
in small tables than five or ten."""

EVALUATION_ROWS = 4096

MOST = 10
"""Draws of folds beyond which predictions hardly change."""

WORK = 1.2e8
"""Numbers that all draws together may look at, by `draws_of`."""


def draws_of(learner: Learner, n: int) -> int:
    """Number of draws of folds, from 1 to `MOST`: the same on every machine, for it looks at sizes and at no clock.

    Learners say in `work` how many numbers one training run looks at for each of the `n` examples; folds of one that
    does not say (a torch module, a search over settings, texts) are drawn once.
    """
    work = learner.work
    return 1 if work is None else int(np.clip(WORK // (n * work), 1, MOST))


def fold_seed(seed: int, number: int) -> int:
    """Seed of a draw; that of the first is the audit's own."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def heldout_predictions(
    learner: Learner, labels: IntArray, classes: int, seed: int, progress: bool, folds: int = FOLDS, draws: int = 1
) -> Predictions | None:
    """Out-of-sample predictions by k-fold training, with fold and training seed `seed`.

    Of several draws of folds, each with a seed of its own, the mean of the probabilities counts.
    """
    table = PredictionTable(labels, classes)
    if draws == 1:
        for rows, logits in _by_folds(learner, labels, folds, seed, progress):
            table.add(rows, logits)
        return table.result()
    total = np.zeros((len(labels), classes))
    with progress_bar("training on folds", draws, progress) as advance:
        for number in range(draws):
            for rows, logits in _by_folds(learner, labels, folds, fold_seed(seed, number), False):
                total[rows] += softmax(np.asarray(logits, np.float64)) / draws
            advance(1)
    for start in range(0, len(labels), EVALUATION_ROWS):
        block = np.arange(start, min(start + EVALUATION_ROWS, len(labels)))
        table.add(block, np.log(np.maximum(total[block], np.finfo(np.float64).tiny)))
    return table.result()


def _by_folds(
    learner: Learner, labels: IntArray, folds: int, seed: int, progress: bool
) -> Iterator[tuple[IntArray, Any]]:
    """Blocks of rows and the logits of a model that was trained without their fold."""
    fold = stratified_folds(labels, folds, seed)
    for number in range(folds):
        fitted = learner.fit(np.flatnonzero(fold != number), seed, None, progress)
        rows = np.flatnonzero(fold == number)
        with progress_bar("predicting", len(rows), progress) as advance:
            for start in range(0, len(rows), EVALUATION_ROWS):
                block = rows[start : start + EVALUATION_ROWS]
                yield block, fitted.logits(block)
                advance(len(block))


class CrossValidation(Source):
    """Held-out predictions by folds.

    Parameters
    ----------
    run
        The call.
    fresh
        What trains, from weights that have not seen the labels.
    folds
        Number of folds; `FOLDS`, drawn as often as `draws_of` says, if None.
    """

    trains = True

    def __init__(self, run: Run, fresh: FreshStart, folds: int | None) -> None:
        self._run, self._fresh, self._folds = run, fresh, folds
        self._parts: dict[str, Any] = {}
        self._fits = 0

    def check(self) -> None:
        """Raise `ModelError` if training cannot start afresh, or would from weights that have seen these labels."""
        self._fresh.check()
        self._fresh.check_unseen("to predict them held out")

    def collect(self) -> None:
        """Train on all folds but one, and predict that one."""
        run, learner, folds = self._run, self._fresh.learner, self._folds or FOLDS
        with run.timer.stage("holdout"):
            draws = draws_of(learner, len(run.labels)) if self._folds is None else 1
            predictions = heldout_predictions(learner, run.labels, run.classes, run.seed, run.progress, folds, draws)
        self._fits = folds * draws
        how = f"{folds} folds, drawn {draws} time{'s' if draws > 1 else ''}"
        self._parts = {"heldout": predictions, "methods": {"heldout": how}}

    def parts(self) -> dict[str, Any]:
        """The predictions."""
        return self._parts

    def record(self, scorers: Sequence[Scorer]) -> Record:
        """How many models were trained."""
        return Record({"fits": {"folds": self._fits}}, []) if self._fits else Record()


def make(call: Call) -> Iterator[Source]:
    """Source of held-out predictions by folds."""
    subject, request = call.subject, call.request
    if Need.CROSS_VALIDATION not in call.needs or request.predictions is not None or in_place_of_folds(call):
        return
    if subject.recorder is not None and subject.examples is None:
        raise ModelError(
            "a Recorder without its data set, for held-out predictions",
            "the inputs",
            WITH_DATA,
        )
    if subject.learner is None or subject.recorder is not None:
        raise no_model("a Recorder" if subject.recorder is not None else "model=None")
    folds = None if request.holdout is None else request.holdout.folds
    yield CrossValidation(call.run, subject.fresh, folds)
