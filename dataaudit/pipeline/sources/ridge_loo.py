"""Ridge regression on the inputs that leaves out one example at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.dynamics.outcomes import PredictionTable
from dataaudit.dynamics.summary import Predictions
from dataaudit.evidence.base import LEFT_OUT, Need
from dataaudit.learners.base import Learner
from dataaudit.learners.features import all_features
from dataaudit.learners.leave_one_out import leave_one_out, row_blocks, within_rows
from dataaudit.pipeline.sources.base import Run, Source
from dataaudit.pipeline.sources.call import Call
from dataaudit.pipeline.sources.space_collector import Inputs
from dataaudit.representations.input import InputRows

SHARPNESS = 10.0
ABSENT = -50.0
"""Logit of a class that no example carries."""
LARGEST_TABLE = 2048
"""Most rows of the table that leaving out one at a time decomposes, the fewer of features and examples; beyond, folds
are quicker."""


def leaves_out(learner: Learner | None, n: int) -> bool:
    """True if held-out predictions come from leaving out one example at a time."""
    if learner is None:
        return True
    if learner.ridge_alpha is None:
        return False
    features = np.asarray(learner.examples.read(np.zeros(1, np.int64)))
    return min(features.size, n) <= LARGEST_TABLE


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
    inputs
        Rows to regress on.
    alpha
        Penalty of the model of the call, where it is a ridge regression; None to choose one.
    part
        Field of `Evidence` that the predictions are for: "heldout", or "left_out" beside a model that is none.
    name
        Source of the consensus that they are.
    """

    def __init__(self, run: Run, inputs: Inputs, alpha: float | None, part: str, name: str) -> None:
        self._run, self._inputs, self._alpha, self._part, self._name = run, inputs, alpha, part, name
        self._parts: dict[str, Any] = {}

    def collect(self) -> None:
        """Decompose the table once."""
        with self._run.timer.stage("holdout"):
            predictions = left_out_predictions(self._inputs.rows, self._alpha, self._run.labels, self._run.classes)
        self._parts = {self._part: predictions, "methods": {self._name: LEFT_OUT}}

    def parts(self) -> dict[str, Any]:
        """The predictions."""
        return self._parts


def in_place_of_folds(call: Call) -> bool:
    """True if held-out predictions come from leaving out one example at a time, and not from folds."""
    if Need.CROSS_VALIDATION not in call.needs or call.request.predictions is not None or call.inputs is None:
        return False
    folds = None if call.request.holdout is None else call.request.holdout.folds
    # A model that was trained on all rows cannot be held out from them.
    learner = None if call.subject.recorder is not None else call.subject.learner
    return folds is None and leaves_out(learner, len(call.run.labels))


def make(call: Call) -> Iterator[Source]:
    """Sources of predictions by ridge regression: held-out ones, and those beside a model that is none."""
    learner, inputs = call.subject.learner, call.inputs
    if inputs is not None and in_place_of_folds(call):
        alpha = None if learner is None or call.subject.recorder is not None else learner.ridge_alpha
        yield RidgeLeaveOneOut(call.run, inputs, alpha, "heldout", "heldout")
    if Need.RIDGE_LOO in call.needs:
        assert inputs is not None
        name = "ridge" if Need.CROSS_VALIDATION in call.needs else "heldout"
        yield RidgeLeaveOneOut(call.run, inputs, None, "left_out", name)
