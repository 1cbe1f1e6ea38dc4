"""Data set and model of one call: adapted, checked and looked at once, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data import as_examples
from dataaudit.data.derived import inspect_usable
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import TABLE, TEXT, Inspection, inspect
from dataaudit.dynamics.batches import check_task
from dataaudit.dynamics.callback import RecordingCallback
from dataaudit.dynamics.part import RecordedRows
from dataaudit.dynamics.recorder import Recorder
from dataaudit.embedding.embedded import EmbeddedExamples
from dataaudit.errors import DataAuditError, DataError, ModelError, SettingError
from dataaudit.learners.adapt import as_learner, trains_on_device
from dataaudit.learners.base import Learner
from dataaudit.pipeline.looks import FreshStart, Layers
from dataaudit.pipeline.request import Request
from dataaudit.representations.input import preparation_of
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION, Classification


@dataclass(frozen=True)
class Subject:
    """Data set and model, or record, that is audited.

    Attributes
    ----------
    labels
        Given labels, int64 [n]; -1 where a record is all there is, and a row was never seen.
    class_names
        Names of the classes [C].
    examples, inspection
        The data set and what one pass over its inputs showed; None where a record is all there is, or all that can be
        read.
    learner
        The model with its way of training; None without one.
    recorder
        The record of the caller's own loop, or None.
    known_share
        Share of the labels that the model gives as it was passed, where that shows training on them; None elsewhere.
    notes
        For a reader of the audit.
    refused
        Why the model of a callback's Trainer cannot be asked; None where it can, or there is none.
    seed
        As in `dataaudit.score`.
    """

    labels: IntArray
    class_names: tuple[str, ...]
    examples: Examples | None = None
    inspection: Inspection | None = None
    learner: Learner | None = None
    recorder: Recorder | RecordedRows | None = None
    known_share: float | None = None
    notes: tuple[str, ...] = ()
    refused: DataAuditError | None = None
    seed: int = 0

    @property
    def task(self) -> Task:
        """Kind of labels."""
        if self.recorder is not None:
            return self.recorder.task
        return CLASSIFICATION if self.examples is None else self.examples.task

    @property
    def identity(self) -> Any:
        """Names of the rows, a pandas Index [n]; None where there are only positions."""
        return None if self.examples is None else self.examples.identity

    @property
    def vectors(self) -> bool:
        """True if inputs are rows of numbers, and no token ids: among them are neighbours and left-out predictions.

        Without a model those of a table are, whatever its columns hold: they are prepared.
        """
        if self.inspection is None or (self.learner is not None and self.learner.reads_tokens):
            return False
        alone = self.learner is None and self.recorder is None
        return self.inspection.vectors or (alone and self.inspection.dtype == TABLE)

    @property
    def texts(self) -> bool:
        """True if inputs are texts."""
        return self.inspection is not None and self.inspection.dtype == TEXT

    @property
    def flat(self) -> bool:
        """True if an input is one row of a table or an array."""
        seen = self.inspection
        return seen is not None and len(seen.shape) == 1 and seen.dtype != TEXT

    @cached_property
    def layers(self) -> Layers:
        """Layers of the model, where there is one."""
        assert self.learner is not None
        return Layers(self.learner, len(self.labels), self.seed)

    @cached_property
    def fresh(self) -> FreshStart:
        """The model, where there is one, as it starts afresh."""
        assert self.learner is not None
        return FreshStart(self.learner, self.known_share, self.seed)

    @property
    def trained_before(self) -> bool:
        """True if the model, if there is one, was trained before the call."""
        return self.recorder is not None or self.known_share is not None


def adapt(request: Request, keeps_inputs: bool) -> Subject:
    """Adapt data set and model to each other.

    Parameters
    ----------
    request
        The call.
    keeps_inputs
        Whether inputs are written to ``cache=``, which takes no missing values.

    Raises
    ------
    DataError, ModelError, SettingError
        If one of them cannot be used, or a record is not of this data set.
    """
    if request.dataset is None:
        assert request.recorder is not None
        return _of_record(request.recorder)
    examples = as_examples(
        request.dataset,
        split=request.split,
        label=request.label,
        inputs=request.inputs,
        key=request.key,
        exclude=request.exclude,
        transform=request.transform,
        resize=request.resize,
        unlabelled=request.unlabelled,
        lenient=request.drops,
        folder=request.cache,
        progress=request.progress,
        raw=request.embed is not None,
    )
    if not isinstance(examples.task, Classification):
        raise DataError(
            f"a data set of the task {examples.task.name!r}",
            "one class an example, which is what score() trains on",
            f"train with a Recorder(task={examples.task.name!r}), and pass it as model= without dataset=",
        )
    if request.embed is not None:
        from dataaudit.embedding.embedded import embedding

        examples = embedding(examples, request.embed, request.processor, request.device, request.drops)
    recorder = None if request.recorder is None else check_recorded(request.recorder, examples)
    learner, notes, refused = _learner(request, examples)
    if isinstance(examples, EmbeddedExamples):
        with request.timer.stage("embed"):
            examples = examples.complete(request.drops, request.progress, request.cache)
    with request.timer.stage("inspect"):
        # Without a model missing values are no fault, but there is no use for rows that hold some.
        allow_missing = (not request.drops if learner is None else learner.allows_missing) and not keeps_inputs
        examples, inspection, unread = _inspected(request, examples, allow_missing)
        if request.drops and learner is not None:
            learner = learner.on(examples)
            learner.check(request.seed)
        known = None if learner is None or recorder is not None else learner.already_fits(request.seed)
    # Refused, if need be, before anything else.
    steps = preparation_of(examples) if learner is None and recorder is None else None
    return Subject(
        examples.labels,
        examples.class_names,
        examples,
        inspection,
        learner,
        recorder,
        known,
        (*notes, *unread, *(() if steps is None else (steps.note,))),
        refused,
        request.seed,
    )


def _inspected(
    request: Request, examples: Examples, allow_missing: bool
) -> tuple[Examples, Inspection | None, tuple[str, ...]]:
    """The data set without rows that are dropped, findings about its inputs, and notes.

    Beside a record, which needs none, inputs may be of any kind.
    """
    if request.drops:
        return *inspect_usable(examples, allow_missing), ()
    try:
        return examples, inspect(examples, allow_missing), ()
    except DataError as error:
        if request.recorder is None:
            raise
        return examples, None, (f"scores of the inputs are left out: {error.arrived}; {error.action}",)


def _learner(request: Request, examples: Examples) -> tuple[Learner | None, tuple[str, ...], DataAuditError | None]:
    """The model, bound to the data set; beside a record the one that the loop trained, notes, and why there is none."""
    if request.recorder is None:
        return _checked(request, examples, request.model), (), None
    if request.trained is not None or not isinstance(request.model, RecordingCallback):
        learner = _checked(request, examples, request.trained, True)
        if learner is not None and learner.fresh:
            raise ModelError("a model factory as trained=", "the module that your loop trained", "pass trained= it")
        return learner, (), None
    if request.model.trained is None:
        return None, (BROKEN_OFF,), None
    try:
        return _checked(request, examples, request.model.trained, True), (), None
    except (DataError, ModelError, SettingError) as error:
        if request.processor is not None or str(request.device) != "auto":
            raise
        # It was not requested: the record does without, until a score needs it.
        return None, (f"the Trainer's model is not asked for predictions: {error.arrived}; {error.action}",), error


def _checked(request: Request, examples: Examples, model: Any, trained: bool = False) -> Learner | None:
    device, processor = request.device, request.processor
    if request.embed is not None:
        # The processor, and the device of what trains on none, are those of the model that makes vectors.
        device, processor = (device if trains_on_device(model) else "auto"), None
    learner = as_learner(model, examples, request.way, device, processor)
    if learner is not None:
        learner.comes_trained = trained
    # Rows that are dropped are not known yet.
    if learner is not None and not request.drops:
        learner.check(request.seed)
    return learner


BROKEN_OFF = "training was broken off before its end: the Trainer's model is not asked for predictions"
NO_DATA_SET = (
    "without the data set classes have no names, and neighbours among the inputs have no say in the consensus: pass it "
    "as the second argument"
)


def nothing_recorded() -> DataError:
    """Error of a record without content."""
    return DataError(
        "a Recorder without a complete epoch or an evaluation pass",
        "something recorded",
        "call recorder.update() and recorder.end_epoch() in the training loop first",
    )


def _of_record(recorder: Recorder) -> Subject:
    if recorder.epochs == 0 and recorder.predictions() is None:
        raise nothing_recorded()
    names = tuple(map(str, range(recorder.outcomes)))
    notes = [NO_DATA_SET]
    if not isinstance(recorder.task, Classification):
        notes.append(f"rows are units of the task {recorder.task.name!r}, whose aggregate() makes scores of examples")
    return Subject(recorder.labels.copy(), names, recorder=recorder, notes=tuple(notes))


def check_recorded(recorder: Recorder, examples: Examples) -> Recorder | RecordedRows:
    """The record of the rows of `examples`; a `DataError` unless the recorder holds something, of these labels.

    It may be of all rows of the caller's data set, some of which have no label.
    """
    check_task(examples.task, recorder.task.name)
    if recorder.epochs == 0 and recorder.predictions() is None:
        raise nothing_recorded()
    classes = len(examples.class_names)
    total = len(examples) + len(examples.dropped)
    if recorder.n not in (total, len(examples)) or recorder.classes != classes:
        raise DataError(
            f"a Recorder of {recorder.n} examples and {recorder.classes} classes",
            f"{len(examples)} examples and {classes} classes, as in the data set",
            "pass dataset= what the loop trained on",
        )
    rows = np.setdiff1d(np.arange(recorder.n), examples.dropped if recorder.n == total else ())
    found = recorder if len(rows) == recorder.n else RecordedRows(recorder, rows)
    differ = np.flatnonzero((found.labels >= 0) & (found.labels != examples.labels))
    if len(differ):
        raise DataError(
            f"{len(differ)} recorded labels that differ from the data set, the first in row {rows[differ[0]]}",
            "the labels that the loop trained on, as positions in the class names",
            "call recorder.update() with positions in this data set as indices",
        )
    return found
