"""Training runs on all examples: dynamics, evaluation passes, predictions, and what lies in the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from typing import Any

from dataaudit.common.timing import Timer
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import ModelError
from dataaudit.evidence.agreement import under_view
from dataaudit.evidence.base import EPOCHS, SAME, STAGES, Need
from dataaudit.evidence.trained import TrainedModel
from dataaudit.learners.base import Fitted, Learner, Watch
from dataaudit.pipeline.evidence_sources.base import Record, Run, Source
from dataaudit.pipeline.evidence_sources.call import Call, no_model
from dataaudit.pipeline.evidence_sources.cross_validation import fold_seed
from dataaudit.pipeline.evidence_sources.evaluations import Evaluations, Show, own_generator, show_all, spent
from dataaudit.pipeline.evidence_sources.repeats import Shown, check_repeats
from dataaudit.pipeline.evidence_sources.space_collector import SpaceCollector
from dataaudit.scores.base import Scorer


class TrainingRun:
    """One training run on all examples.

    Parameters
    ----------
    run
        The call; its seed is this run's own.
    learner
        What trains.
    spaces
        Collects from the layers.
    needs
        Whether, among others, training passes are recorded, the last epochs evaluated, and the trained model asked for
        predictions.
    history
        Whether per-epoch matrices are kept.
    """

    def __init__(
        self, run: Run, learner: Learner, spaces: SpaceCollector, needs: Set[Any], history: bool = True
    ) -> None:
        self._run, self._learner, self.spaces = run, learner, spaces
        self._dynamics, self._predictions = Need.DYNAMICS in needs, Need.PREDICTIONS in needs
        options = {} if history else {"history_bytes": 0}
        self.recorder = Recorder(len(run.labels), run.classes, task=run.task, **options)
        self._evaluating: Evaluations | None = None
        if Need.EVALUATIONS in needs:
            counts = learner.epochs, learner.evaluations
            self._evaluating = Evaluations(run.labels, run.classes, *counts, learner.views, run.task)
        self._looks = 0
        self.fitted: Fitted | None = None

    @property
    def epochs(self) -> int:
        """Complete epochs, recorded or looked at; all of them once the model is trained."""
        trained = 0 if self.fitted is None else self._learner.epochs
        return max(trained, self.recorder.epochs, 0 if self._evaluating is None else self._evaluating.epochs)

    def collect(self) -> None:
        """Train, and look at the model as it is at the end in one pass for all who want to see it."""
        run, evaluating = self._run, self._evaluating
        watches = [self.spaces.watch, None if evaluating is None else evaluating.watch]
        recorder = self.recorder if self._dynamics else None
        with run.timer.stage("train"):
            self.fitted = self._learner.fit(run.rows, run.seed, recorder, run.progress, _together(watches))
        shows: list[Show] = [self.recorder.evaluate] if self._predictions else []
        shows += [evaluating.show] if evaluating is not None else []
        with own_generator(run.seed):
            seen = self.spaces.take(self.fitted, None, shows)
            if not seen and shows:
                with run.timer.stage("evaluate"):
                    show_all(self.fitted, run.labels, shows, run.progress)
            self._looks = int(seen or bool(shows))
            if evaluating is not None:
                with run.timer.stage("evaluate"):
                    evaluating.finish(self.fitted)

    @property
    def looks(self) -> int:
        """Complete evaluations of all examples."""
        last = self._looks if self._evaluating is None else self._evaluating.passes
        return last + self.spaces.further

    def shown(self) -> Shown:
        """Evidence that is complete."""
        dynamics = self.recorder.dynamics() if self._dynamics else None
        evaluations = None if self._evaluating is None else self._evaluating.complete()
        looks = self.looks
        return Shown(dynamics, evaluations, self.spaces.neighbour_labels, spent(self.epochs, looks), looks)

    def predictions(self) -> dict[str, Any]:
        """Predictions of the trained model, unless the pass was interrupted."""
        predictions = self.recorder.predictions() if self._predictions else None
        return {} if predictions is None or (predictions.predicted < 0).any() else {"predictions": predictions}


class Training(Source):
    """One or more training runs, and whether the model memorises labels.

    Parameters
    ----------
    run
        The call.
    learner
        What trains.
    spaces
        Collects from the layers.
    needs
        As in `TrainingRun`.
    repeats
        Number of runs; per-epoch matrices, layers and predictions are those of the first.
    """

    trains = True

    def __init__(self, run: Run, learner: Learner, spaces: SpaceCollector, needs: Set[Any], repeats: int) -> None:
        self._run, self._learner, self._spaces = run, learner, spaces
        self._needs, self._repeats = needs, repeats
        self._first = TrainingRun(run, learner, spaces, needs)
        self._further: list[Shown] = []
        self._begun = self._looked = False
        self._augmented: float | None = None

    @property
    def epochs(self) -> int:
        """Complete epochs of the first run."""
        return self._first.epochs

    def check(self) -> None:
        """Raise unless this model has the epochs, evaluations and layers that are requested."""
        if Need.DYNAMICS in self._needs and self._learner.epochs == 0:
            raise ModelError(
                f"{self._learner.description['model']}, which trains without epochs",
                "a torch module, a boosting model with staged predictions or a model with partial_fit",
                ["pass scorers='heldout_confidence'", "leave scorers='auto'"],
            )
        if Need.EVALUATIONS in self._needs and not self._learner.evaluations:
            torch = self._learner.readable
            raise no_evaluations("pass recipe=Recipe(evaluations=3)" if torch else "pass model= a torch module")
        if self._spaces.needs:
            self._spaces.check(self._learner.epochs)

    def collect(self) -> None:
        """Train as often as requested, then show the first model views that it was not trained on."""
        run, learner = self._run, self._learner
        self._begun = True
        self._first.collect()
        if self._repeats > 1:
            with run.timer.stage("train"):
                for number in range(1, self._repeats):
                    self._further.append(self._another(number))
        if Need.DYNAMICS in self._needs:
            with run.timer.stage("evaluate"), own_generator(run.seed):
                view = learner.unseen_view(run.seed)
                if view is not None:
                    self._augmented = under_view(self._first.fitted, run.labels, view, run.seed)
        self._looked = True

    def _another(self, number: int) -> Shown:
        own = replace(self._run, seed=fold_seed(self._run.seed, number), timer=Timer())
        needs = self._needs - {Need.PREDICTIONS}
        one = TrainingRun(own, self._learner, self._spaces.of_another_run(own), needs, history=False)
        one.collect()
        return one.shown()

    def parts(self) -> dict[str, Any]:
        """Evidence that is complete, of all runs."""
        if not self._begun:
            return {}
        run, shown, fitted = self._run, self._first.shown(), self._first.fitted
        methods = {"dynamics": STAGES if self._learner.staged else EPOCHS} if Need.DYNAMICS in self._needs else {}
        if self._further:
            if all(one.same_as(shown) for one in self._further):
                methods["repeats"] = SAME
            shown = shown.with_(self._further, run.labels)
        return {
            **self._spaces.parts(),
            **self._first.predictions(),
            "dynamics": shown.dynamics,
            "evaluations": shown.evaluations,
            "neighbour_labels": shown.neighbour_labels,
            "passes": shown.passes if self._learner.readable else None,
            "model": None if fitted is None else self._model(fitted),
            "augmented": self._augmented,
            "looked": self._looked,
            "methods": methods,
        }

    def _model(self, fitted: Fitted) -> TrainedModel:
        return TrainedModel(self._learner, self._run.seed, fitted, False, self._spaces.hidden)

    def record(self, scorers: Sequence[Scorer]) -> Record:
        """Record of densities and neighbours, of how many models were trained, and how often all were evaluated."""
        runs = int(self._first.fitted is not None) + len(self._further)
        looks = self._first.looks + sum(one.looks for one in self._further)
        settings: dict[str, Any] = {"fits": {"training": runs}, "evaluation_passes": looks}
        if self._further:
            settings["repeats"] = runs
        return Record(settings, []).with_(self._spaces.record(scorers))


def no_evaluations(trained_so: str) -> ModelError:
    """Error of a score that reads evaluations where there are none."""
    return ModelError(
        "a run without evaluations after its last epochs",
        "a training run of a torch module, by a recipe with evaluations",
        [trained_so, "leave scorers='auto'"],
    )


def _together(watches: Sequence[Watch | None]) -> Watch | None:
    """One callback after every epoch for several; None without any."""
    eyes = [watch for watch in watches if watch is not None]
    if not eyes:
        return None

    def look(epoch: int, fitted: Fitted) -> None:
        for eye in eyes:
            eye(epoch, fitted)

    return look


def make(call: Call) -> Iterator[Source]:
    """Source of training runs."""
    subject, needs = call.subject, call.needs
    learner = subject.learner
    trains = not subject.trained_before and bool(needs & {Need.DYNAMICS, Need.EVALUATIONS})
    check_repeats(call.request.repeats, learner if subject.recorder is None else None, trains)
    if subject.trained_before or not (trains or Need.PREDICTIONS in needs or call.inside.needs):
        return
    if learner is None:
        raise no_model("model=None")
    yield Training(call.run, learner, call.inside, needs, int(call.request.repeats))
