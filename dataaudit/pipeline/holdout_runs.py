"""Holdout runs of one call: a learner and a data set on one side, a plan, a store and a backend on the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dataaudit.data.examples import Examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import ModelError, SettingError
from dataaudit.evidence.base import Need
from dataaudit.holdout.base import NestedFitPredict
from dataaudit.holdout.execute import Execution
from dataaudit.holdout.settings import Holdout
from dataaudit.learners.base import Learner
from dataaudit.scores import Scorer
from dataaudit.scores.holdout import c_score, holdout_probability

KINDS = {Need.SUBSET_RUNS, Need.SUBSET_RUNS_INTEGRAL}


class HoldoutWork:
    """What the scorers of one call ask of holdout runs; checked when it is made, computed by `carry_out`.

    Parameters
    ----------
    holdout
        As the caller set it.
    scorers
        Who ask; needs in `KINDS` count.
    learner
        Who trains.
    examples
        The data set.
    seed, progress
        As in `dataaudit.score`.

    Raises
    ------
    ModelError, SettingError, MissingPackageError
        If the model cannot start afresh or already fits these labels, or the backend cannot run here.
    """

    def __init__(
        self,
        holdout: Holdout,
        scorers: Sequence[Scorer],
        learner: Learner,
        examples: Examples,
        seed: int,
        progress: bool,
    ) -> None:
        self.needs = KINDS & {need for scorer in scorers for need in scorer.needs}
        if holdout.folds is not None and Need.SUBSET_RUNS_INTEGRAL in self.needs:
            raise SettingError(
                "folds for 'c_score_integral'",
                "random subsets of several ratios",
                "leave folds=None, or ask for 'c_score'",
            )
        holdout.carrier.check()
        scratch = learner.from_scratch()
        scratch.check(seed)
        share = scratch.already_fits(seed)
        if share is not None:
            raise ModelError(
                f"a model that already classifies {share:.1%} of these labels correctly, to be held out from them",
                "weights that have not seen these labels",
                'pass a factory such as lambda: MyModel(), or recipe=Recipe(init="reset")',
            )
        self._recipe = scratch.identity if holdout.store is not None else ""
        trial = scratch.fit_predict()
        ratios = {holdout.point} if Need.SUBSET_RUNS in self.needs else set()
        if Need.SUBSET_RUNS_INTEGRAL in self.needs:
            ratios |= set(holdout.ratios)
        self._scratch, self._examples = scratch, examples
        kinds = {Need.SUBSET_RUNS: [holdout.point], Need.SUBSET_RUNS_INTEGRAL: list(holdout.ratios)}
        self.execution = Execution(
            fit_predict=trial,
            plan=holdout.plan(examples.labels, seed, isinstance(trial, NestedFitPredict)),
            holdout=holdout,
            ratios=sorted(ratios),
            progress=progress,
            watched={
                scorer.name: (kinds[need], getattr(scorer, "field", "values"))
                for scorer in scorers
                for need in KINDS & set(scorer.needs)
            },
        )

    def carry_out(self, fingerprint: str) -> None:
        """Make or read all runs; `fingerprint` is the data set's."""
        self.execution.carry_out(self._belongs(fingerprint) if self.execution.holdout.store is not None else {})

    def _belongs(self, fingerprint: str) -> dict[str, Any]:
        """Fingerprints and descriptions for a store."""
        plan, description = self.execution.plan, self._scratch.description
        recipe = {key: description[key] for key in ("model", "recipe", "precision")}
        return {
            "plan": plan.fingerprint,
            "data": fingerprint,
            "recipe": self._recipe,
            "about": {
                "plan": plan.describe(),
                "data": {"examples": len(self._examples), "classes": len(self._examples.class_names)},
                "recipe": recipe,
            },
        }

    @property
    def runs(self) -> int:
        """Runs counted so far."""
        return sum(tally.runs for tally in self.execution.tallies.values())

    def found(self) -> dict[str, Any]:
        """Estimates so far, as `Evidence` takes them."""
        holdout = self.execution.holdout
        kinds = {Need.SUBSET_RUNS: [holdout.point], Need.SUBSET_RUNS_INTEGRAL: list(holdout.ratios)}
        return {need.value: self.execution.scores(ratios) for need, ratios in kinds.items() if need in self.needs}

    def settings(self) -> dict[str, Any]:
        """What an audit records of the runs, as JSON values."""
        never = {need: int((scores.holdouts == 0).sum()) for need, scores in self.found().items()}
        reliable = {need: _or_none(scores.reliability) for need, scores in self.found().items()}
        init = self._scratch.description["recipe"]
        told = {"never_held_out": never, "reliability": reliable}
        if isinstance(init, dict) and "init" in init:
            told["init"] = init["init"]
        return {**self.execution.describe(), **told}

    def notes(self) -> list[str]:
        """What a reader of the audit should know first."""
        found = self.execution.notes()
        for scores in self.found().values():
            never = int((scores.holdouts == 0).sum())
            if never:
                found.append(f"{never} examples were never held out and have no score (NaN)")
        return list(dict.fromkeys(found))


def holdout_work(
    holdout: Holdout | None,
    chosen: Sequence[Scorer] | None,
    learner: Learner | None,
    recorded: Recorder | None,
    examples: Examples,
    seed: int,
    progress: bool,
) -> HoldoutWork | None:
    """Holdout runs that scorers ask for, checked; None where none does."""
    scorers = [c_score, holdout_probability] if chosen is None else list(chosen)
    needs = {need for scorer in scorers for need in scorer.needs}
    if holdout is not None and not needs & {*KINDS, Need.CROSS_VALIDATION}:
        raise SettingError(
            f"holdout= for scorers {[scorer.name for scorer in scorers]}, none of which is estimated by holdout",
            "a score that is",
            "ask for scorers='c_score', or drop holdout=",
        )
    if not needs & KINDS:
        if holdout is not None and (holdout.folds is None or holdout != Holdout(folds=holdout.folds)):
            raise SettingError(
                f"{holdout} for 'heldout_confidence', which looks at the folds alone",
                "Holdout(folds=...) with nothing else",
                "pass Holdout(folds=5), or ask for 'holdout_probability' as well",
            )
        return None
    if holdout is None and chosen is None:
        return None
    if learner is None or recorded is not None:
        raise ModelError(
            "a Recorder" if recorded is not None else "no model",
            "a model to train from scratch, for scores by holdout",
            'pass the model and no Recorder, or precomputed={"c_score": file}',
        )
    return HoldoutWork(holdout or Holdout(), scorers, learner, examples, seed, progress)


def _or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None
