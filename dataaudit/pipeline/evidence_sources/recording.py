"""A model that was trained before: the record of the caller's own loop, the trained model, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import ModelError
from dataaudit.evidence.base import EPOCHS, Need
from dataaudit.pipeline.evidence_sources.base import Record, Run, Source
from dataaudit.pipeline.evidence_sources.call import Call
from dataaudit.pipeline.evidence_sources.evaluations import own_generator, show_all
from dataaudit.pipeline.evidence_sources.space_collector import SpaceCollector
from dataaudit.pipeline.evidence_sources.training import no_evaluations
from dataaudit.pipeline.subject import Subject
from dataaudit.scores.base import Scorer


class Recording(Source):
    """Dynamics and predictions that are there, and what the trained model says.

    Parameters
    ----------
    run
        The call.
    subject
        The record of the caller's loop, the trained model, or both.
    spaces
        Collects from the model's layers.
    needs
        Whether, among others, its dynamics and predictions are read.
    """

    def __init__(self, run: Run, subject: Subject, spaces: SpaceCollector, needs: Set[Any]) -> None:
        self._run, self._recorder, self._learner, self._spaces = run, subject.recorder, subject.learner, spaces
        predictions, self._dynamics = Need.PREDICTIONS in needs, Need.DYNAMICS in needs
        self._refused, self._predictions = subject.refused, predictions
        known = self._recorder.predictions() if predictions and self._recorder is not None else None
        # Predictions of some rows alone are asked for anew, where there is whom to ask.
        part = known is None or (self._learner is not None and bool((known.predicted < 0).any()))
        self._evaluates, self._known = predictions and part, known
        self._evaluated: Recorder | None = None
        self._looks = 0

    def check(self) -> None:
        """Raise unless the record has epochs, and the model the layers, that are requested."""
        if self._dynamics and (self._recorder is None or self._recorder.epochs == 0):
            raise ModelError(
                "a Recorder without a complete epoch", "training dynamics", "call recorder.end_epoch() after an epoch"
            )
        if self._learner is None and (self._evaluates or self._spaces.needs):
            if self._refused is not None:
                raise self._refused
            what = "predictions" if self._evaluates else f"the representation {self._spaces.needs[0].space.name!r}"
            raise ModelError(
                f"no model, for scores that need {what}",
                "the trained model" + (", or a Recorder that holds them" if self._evaluates else ""),
                [
                    "pass trained=, the module that the loop trained",
                    *(["call recorder.evaluate() for all examples"] if self._evaluates else []),
                ],
            )
        if self._learner is not None and self._spaces.needs:
            self._spaces.check(0)

    def collect(self) -> None:
        """Look at the trained model, in one pass."""
        if self._learner is None or not (self._evaluates or self._spaces.needs):
            return
        run, shows = self._run, []
        if self._evaluates:
            self._evaluated = Recorder(len(run.labels), run.classes, task=run.task, history_bytes=0)
            shows = [self._evaluated.evaluate]
        fitted = self._learner.untrained()
        with own_generator(run.seed):
            if not self._spaces.take(fitted, None, shows):
                with run.timer.stage("evaluate"):
                    show_all(fitted, run.labels, shows, run.progress)
        self._looks = 1

    def parts(self) -> dict[str, Any]:
        """Evidence that is complete."""
        parts = self._spaces.parts()
        if self._dynamics and self._recorder is not None:
            parts |= {"dynamics": self._recorder.dynamics(), "methods": {"dynamics": EPOCHS}}
        if self._predictions:
            parts["predictions"] = self._complete_predictions()
        return parts

    def _complete_predictions(self) -> Any:
        if not self._evaluates:
            return self._known
        predictions = None if self._evaluated is None else self._evaluated.predictions()
        # Predictions of some rows alone are a pass that was interrupted.
        return None if predictions is None or (predictions.predicted < 0).any() else predictions

    def record(self, scorers: Sequence[Scorer]) -> Record:
        """Record of densities and neighbours, and of how often all examples were evaluated."""
        return Record({"evaluation_passes": self._looks + self._spaces.further}, []).with_(self._spaces.record(scorers))


def make(call: Call) -> Iterator[Source]:
    """Source of a record, or of a model that was passed trained."""
    subject, needs = call.subject, call.needs
    if not subject.trained_before or not (
        needs & {Need.DYNAMICS, Need.EVALUATIONS, Need.PREDICTIONS} or call.inside.needs
    ):
        return
    if Need.EVALUATIONS in needs:
        raise no_evaluations("pass model= a torch module that is yet to be trained")
    yield Recording(call.run, subject, call.inside, needs)
