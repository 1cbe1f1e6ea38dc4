"""Runs on random subsets: a learner and a data set on one side, a plan, a store and a backend on the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dataaudit.data.examples import Examples
from dataaudit.errors import ModelError, SettingError
from dataaudit.evidence.base import Need
from dataaudit.holdout.base import NestedFitPredict
from dataaudit.holdout.execute import Execution
from dataaudit.holdout.settings import Holdout
from dataaudit.learners.batched import fit_predict_of
from dataaudit.pipeline.evidence_sources.base import Record, Run, Source
from dataaudit.pipeline.evidence_sources.call import Call
from dataaudit.pipeline.looks import FreshStart
from dataaudit.scores.base import Scorer, needs_of

KINDS = {Need.SUBSET_RUNS, Need.SUBSET_RUNS_INTEGRAL}


class SubsetRuns(Source):
    """Estimates from models that were trained without the example.

    Parameters
    ----------
    run
        The call.
    holdout
        As the caller set it.
    scorers
        Scorers of the call; needs in `KINDS` count.
    fresh
        What trains, from weights that have not seen the labels.
    examples, fingerprint
        The data set.
    """

    trains = True

    def __init__(
        self,
        run: Run,
        holdout: Holdout,
        scorers: Sequence[Scorer],
        fresh: FreshStart,
        examples: Examples,
        fingerprint: str,
    ) -> None:
        self._run, self._holdout, self._fingerprint = run, holdout, fingerprint
        self._scorers, self._fresh, self._examples = scorers, fresh, examples
        ratios = {Need.SUBSET_RUNS: [holdout.point], Need.SUBSET_RUNS_INTEGRAL: list(holdout.ratios)}
        self._ratios = {need: ratios[need] for need in ratios if need in needs_of(scorers)}
        self._execution: Execution | None = None
        self._note = ""
        self._estimates: dict[int, dict[str, Any]] = {0: {}}

    def check(self) -> None:
        """Raise unless backend and store can be used and the model starts from weights that never saw the labels."""
        if self._holdout.folds is not None and Need.SUBSET_RUNS_INTEGRAL in self._ratios:
            raise SettingError(
                "folds for 'c_score_integral'",
                "random subsets of several ratios",
                ["pass holdout=Holdout(runs=200)", "pass scorers='c_score'"],
            )
        self._holdout.carrier.check()
        self._fresh.check()
        self._fresh.check_unseen("to be held out from them")
        self._execution = self._planned()
        if self._holdout.store is not None:
            self._execution.open(self._belongs())

    def _planned(self) -> Execution:
        run = self._run
        fit_predict, self._note = fit_predict_of(self._fresh.learner, self._holdout.at_once)
        return Execution(
            fit_predict=fit_predict,
            plan=self._holdout.plan(run.labels, run.seed, isinstance(fit_predict, NestedFitPredict), run.task),
            holdout=self._holdout,
            ratios=sorted({ratio for ratios in self._ratios.values() for ratio in ratios}),
            progress=self._run.progress,
            watched={
                scorer.name: (self._ratios[need], getattr(scorer, "field", "values"))
                for scorer in self._scorers
                for need in self._ratios
                if need in scorer.needs
            },
        )

    def collect(self) -> None:
        """Make or read all runs."""
        assert self._execution is not None
        with self._run.timer.stage("holdout"):
            self._execution.carry_out()

    def _belongs(self) -> dict[str, Any]:
        """Fingerprints and descriptions for a store."""
        assert self._execution is not None
        plan, description = self._execution.plan, self._fresh.learner.description
        return {
            "plan": plan.fingerprint,
            "data": self._fingerprint,
            "recipe": self._fresh.learner.identity,
            "about": {
                "plan": plan.describe(),
                "data": {"examples": len(self._examples), "classes": len(self._examples.class_names)},
                "recipe": {key: description[key] for key in ("model", "recipe", "precision")},
            },
        }

    @property
    def runs(self) -> int:
        """Complete runs."""
        return 0 if self._execution is None else sum(tally.runs for tally in self._execution.tallies.values())

    def parts(self) -> dict[str, Any]:
        """Estimates."""
        runs, execution = self.runs, self._execution
        if runs not in self._estimates and execution is not None:
            estimates = {need.value: execution.scores(ratios) for need, ratios in self._ratios.items()}
            self._estimates = {0: {}, runs: estimates}
        return self._estimates[runs]

    def record(self, scorers: Sequence[Scorer]) -> Record:
        """Plan, store and backend; how reliable the estimates are, and examples that were never held out."""
        if self._execution is None or not self.runs:
            return Record()
        estimates = self.parts()
        never = {name: int((scores.holdouts == 0).sum()) for name, scores in estimates.items()}
        reliability = {name: _or_none(scores.reliability) for name, scores in estimates.items()}
        settings = {**self._execution.describe(), "never_held_out": never, "reliability": reliability}
        recipe = self._fresh.learner.description["recipe"]
        if isinstance(recipe, dict) and "init" in recipe:
            settings["init"] = recipe["init"]
        notes = [*self._execution.notes(), *([self._note] if self._note else [])]
        notes += [f"{count} examples were never held out and have no score (NaN)" for count in never.values() if count]
        return Record({"holdout": settings, "fits": {"holdout": self.runs}}, list(dict.fromkeys(notes)))


def check_holdout(holdout: Holdout | None, scorers: Sequence[Scorer], brought: bool) -> None:
    """Raise `SettingError` unless a scorer looks at ``holdout=``; none looks at folds if predictions are `brought`."""
    needs = needs_of(scorers)
    if holdout is None or needs & KINDS:
        return
    if Need.CROSS_VALIDATION not in needs:
        raise SettingError(
            f"holdout= for scorers {[scorer.name for scorer in scorers]}, none of which is estimated by holdout",
            "a score that is",
            ["pass scorers='c_score'", "drop holdout="],
        )
    if brought:
        raise SettingError(
            "holdout= beside predictions=, which take the place of those by folds",
            "one or the other, unless subset runs are requested",
            ["drop holdout=", "ask for 'c_score' as well"],
        )
    if holdout.folds is None or holdout != Holdout(folds=holdout.folds):
        raise SettingError(
            f"{holdout} for 'heldout_confidence', which looks at the folds alone",
            "Holdout(folds=...) with nothing else",
            [f"pass holdout=Holdout(folds={holdout.folds or 5})", "ask for 'holdout_probability' as well"],
        )


def _or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None


def make(call: Call) -> Iterator[Source]:
    """Source of runs on random subsets."""
    if not call.needs & KINDS:
        return
    subject = call.subject
    examples, inspection = subject.examples, subject.inspection
    if subject.learner is None or subject.recorder is not None or examples is None or inspection is None:
        raise ModelError(
            "a Recorder" if subject.recorder is not None else "no model",
            "a model to train from scratch, for scores by holdout",
            [
                "pass model=" + (" what is to be trained" if subject.recorder is not None else ""),
                "pass known_scores= with 'c_score' of the same data, computed elsewhere",
            ],
        )
    holdout = call.request.holdout or Holdout()
    yield SubsetRuns(call.run, holdout, call.scorers, subject.fresh, examples, inspection.fingerprint)
