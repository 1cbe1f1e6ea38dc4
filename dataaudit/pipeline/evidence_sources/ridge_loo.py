"""Ridge regression on the inputs that leaves out one example at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.columns import listed
from dataaudit.data.inspection import Inspection
from dataaudit.dynamics.outcomes import PredictionTable
from dataaudit.dynamics.summary import Predictions
from dataaudit.errors import InPython, ModelError
from dataaudit.evidence.base import LEFT_OUT, Need
from dataaudit.learners.base import Learner
from dataaudit.learners.features import all_features
from dataaudit.learners.leave_one_out import leave_one_out, row_blocks, within_rows
from dataaudit.pipeline.evidence_sources.base import Run, Source
from dataaudit.pipeline.evidence_sources.call import Call, no_model
from dataaudit.pipeline.evidence_sources.space_collector import Inputs
from dataaudit.pipeline.subject import Subject
from dataaudit.representations.input import InputRows

SHARPNESS = 10.0
ABSENT = -50.0
"""Logit of a class that no example carries."""
LARGEST_TABLE = 2048
"""Most rows of the table that leaving out one at a time decomposes, the fewer of features and examples; beyond, folds
are quicker."""


OTHER_MODEL = InPython("pass a model that takes them, such as HistGradientBoostingClassifier()")

SHOWN = 20
"""Most columns that an error lists as a remedy."""


def narrow(seen: Inspection, n: int) -> bool:
    """True if a regression on all columns of `n` examples takes seconds."""
    return min(math.prod(seen.shape), n) <= LARGEST_TABLE


def no_vectors(subject: Subject) -> ModelError:
    """Error of held-out predictions where there is nothing to make them from."""
    who = "ridge regression" if subject.learner is not None else "model=None"
    who = who if subject.recorder is None else "a Recorder"
    seen = subject.inspection
    if subject.examples is None or seen is None:
        return no_model(f"{who} and no data set that can be read, for held-out predictions")
    source, needed = subject.examples.source, "inputs that are texts, or vectors of numbers without gaps"
    if seen.others:
        named = [name for name in subject.examples.columns if name not in seen.others]
        return ModelError(
            f"{who} for a table with columns that are no numbers: {listed(seen.others)}",
            needed,
            [
                *([f"name the columns of numbers: inputs={named!r}"] if named and len(named) <= SHOWN else []),
                *([f"leave the others out: exclude={list(seen.others)!r}"] if named else []),
                InPython("pass a pipeline that starts with dataaudit.preprocessor(dataset, label)"),
            ],
        )
    if seen.gaps:
        return ModelError(
            f"{who} for {source} inputs with missing values in {seen.gaps}",
            needed,
            ["fill them"] if subject.recorder is not None else ["pass on_bad_rows='drop'", "fill them", OTHER_MODEL],
        )
    return no_model(f"{who} for {source} inputs of shape {seen.shape} each, which are no vectors")


def left_out_predictions(inputs: InputRows, alpha: float | None, labels: IntArray, classes: int) -> Predictions:
    """Predictions of ridge regression on the inputs, each example's from all the others, in closed form.

    Logits are ten times the outputs, which estimate the probabilities; another factor would be another exponent in the
    consensus, of which benchmarks/peers/constants.py tries several. Without `alpha`, the penalty is chosen by the
    squared error.
    """
    # A probe, which has one, takes columns of tables as they are.
    given = within_rows(all_features(inputs.examples) if alpha is not None else inputs.level[0])
    outputs = leave_one_out(lambda rows: given[rows], labels, classes, alpha)
    table = PredictionTable(labels, classes)
    absent = np.bincount(labels, minlength=classes) == 0
    for block in row_blocks(len(labels), classes):
        logits = SHARPNESS * outputs(block)
        logits[:, absent] = ABSENT
        table.add(np.arange(block.start, block.stop), logits)
    return table.result()


class RidgeLeaveOneOut(Source):
    """Predictions of ridge regression on the inputs, each example's from all the others.

    Parameters
    ----------
    run
        The call.
    subject, inputs
        Data set and model, and the rows to regress on.
    alpha
        Penalty of the model of the call, where it is a ridge regression; None to choose one.
    part
        Field of `Evidence` that the predictions are for: "heldout", or "left_out" beside a model that is none.
    name
        Source of the consensus that they are.
    """

    def __init__(
        self, run: Run, subject: Subject, inputs: Inputs | None, alpha: float | None, part: str, name: str
    ) -> None:
        self._run, self._subject, self._inputs = run, subject, inputs
        self._alpha, self._part, self._name = alpha, part, name
        self._parts: dict[str, Any] = {}

    def check(self) -> None:
        """Raise `ModelError` unless inputs are vectors or texts; a model that is such a regression knows better."""
        if self._alpha is None and not (self._subject.vectors or self._subject.texts):
            raise no_vectors(self._subject)

    def collect(self) -> None:
        """Decompose the table once."""
        assert self._inputs is not None
        with self._run.timer.stage("holdout"):
            predictions = left_out_predictions(self._inputs.rows, self._alpha, self._run.labels, self._run.classes)
        self._parts = {self._part: predictions, "methods": {self._name: LEFT_OUT}}

    def parts(self) -> dict[str, Any]:
        """The predictions."""
        return self._parts


def in_place_of_folds(call: Call) -> bool:
    """True if held-out predictions come from leaving out one example at a time, and not from folds."""
    request, seen, learner = call.request, call.subject.inspection, _held_out(call.subject)
    if Need.CROSS_VALIDATION not in call.needs or request.predictions is not None or call.inputs is None:
        return False
    if request.holdout is not None and request.holdout.folds is not None:
        return False
    if learner is None:
        return True
    return learner.ridge_alpha is not None and seen is not None and narrow(seen, len(call.run.labels))


def _held_out(subject: Subject) -> Learner | None:
    """The model, but for one that was trained on all rows, which cannot be held out from them."""
    return None if subject.recorder is not None else subject.learner


def make(call: Call) -> Iterator[Source]:
    """Sources of predictions by ridge regression: held-out ones, and those beside a model that is none."""
    run, subject, inputs = call.run, call.subject, call.inputs
    if in_place_of_folds(call):
        learner = _held_out(subject)
        alpha = None if learner is None else learner.ridge_alpha
        yield RidgeLeaveOneOut(run, subject, inputs, alpha, "heldout", "heldout")
    if Need.RIDGE_LOO in call.needs:
        name = "ridge" if Need.CROSS_VALIDATION in call.needs else "heldout"
        yield RidgeLeaveOneOut(run, subject, inputs, None, "left_out", name)
