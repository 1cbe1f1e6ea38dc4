"""From evidence to an audit: every score, decisions about labels, and a record of how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dataaudit import scores
from dataaudit.audit.base import Audit
from dataaudit.common.timing import Timer
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import Inspection
from dataaudit.density.base import DensityNeed
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, SettingError
from dataaudit.evidence.base import Evidence, Need
from dataaudit.labels.combine import with_consensus
from dataaudit.labels.label_errors import LabelErrors, Vote, estimate_label_errors
from dataaudit.labels.suggestions import suggest
from dataaudit.learners.base import Learner
from dataaudit.neighbours.base import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.pipeline.choice import automatic_needs, belief_needs, check_believing
from dataaudit.pipeline.collect import collect
from dataaudit.pipeline.holdout_runs import HoldoutWork
from dataaudit.pipeline.settings import (
    consensus_settings,
    density_settings,
    judgement_notes,
    neighbour_settings,
    run_settings,
)
from dataaudit.pipeline.underway import Underway
from dataaudit.scores import Scorer


def needs_of(plan: Sequence[Scorer]) -> set[Need | DensityNeed | NeighbourNeed | NeighbourLabelsNeed]:
    """Union of what scorers need; there is at least one."""
    if not plan:
        raise DataError(
            "a Recorder without a complete epoch or an evaluation pass",
            "something recorded",
            "call update() and end_epoch() in the training loop first",
        )
    return {need for scorer in plan for need in scorer.needs}


def names_of(plan: Sequence[Scorer]) -> list[str]:
    """Names of the scorers."""
    return [scorer.name for scorer in plan]


def assemble(
    plan: Sequence[Scorer],
    evidence: Evidence,
    settings: dict[str, Any],
    timer: Timer,
    examples: Examples | None,
    inspection: Inspection | None,
) -> Audit:
    """Score what was collected."""
    columns, ties, uncertainties = {}, {}, {}
    with timer.stage("score"):
        evidence = with_consensus(evidence)
        for scorer in plan:
            scored = scorer.score(evidence)
            for name, values in (("values", scored.values), ("ties", scored.ties)):
                if values is not None and np.shape(values) != (len(evidence.labels),):
                    raise SettingError(
                        f"{name} of shape {np.shape(values)} from scorer {scorer.name!r}",
                        f"shape {(len(evidence.labels),)}",
                        "have the scorer pass dataaudit.testing.ScorerContract",
                    )
            columns[scorer.name] = np.array(scored.values, np.float64)
            if scored.uncertainty is not None:
                uncertainties[scorer.name] = scored.uncertainty
            if scored.ties is not None:
                ties[scorer.name] = np.array(scored.ties, np.float64)
        suggestions = suggest(evidence)
        judgement = _judged(evidence)
    timer.seconds["total"] += timer.seconds["score"]
    for array in (*columns.values(), *ties.values()):
        array.flags.writeable = False
    if evidence.around is not None:
        settings["around"] = evidence.around.settings
    if evidence.beliefs is not None and evidence.beliefs.weights:
        settings["consensus"] = consensus_settings(evidence)
    if evidence.passes is None:
        # Nothing was trained by it.
        settings.pop("recipe_chosen", None)
    else:
        settings["passes"] = round(evidence.passes, 2)
    if "repeats" in evidence.ways:
        told = "every training run showed the same: this model draws nothing at random, and repeats= only costs time"
        settings["notes"] = [*settings["notes"], told]
    if evidence.agreement is not None:
        settings["agreement"] = evidence.agreement.to_dict()
        # Where that is why errors are not counted, it is told there.
        why = "" if judgement is None else judgement.unknown
        warned = [] if why == evidence.agreement.by_heart() else evidence.agreement.notes()
        settings["notes"] = [*settings["notes"], *warned]
    if judgement is not None:
        settings["notes"] = [*settings["notes"], *judgement_notes(judgement)]
    settings["fingerprint"] = inspection.fingerprint if inspection is not None else None
    return Audit(
        columns=columns,
        ties=ties,
        labels=evidence.labels,
        class_names=evidence.class_names,
        default=scores.leading(list(columns)),
        suggested=suggestions.classes,
        margin=suggestions.margin,
        settings=settings,
        timings=dict(timer.seconds),
        dynamics=evidence.dynamics,
        uncertainties=uncertainties,
        judgement=judgement,
        _examples=examples,
        _evidence=evidence,
        _model=evidence.model,
    )


def _judged(evidence: Evidence) -> LabelErrors | None:
    """Decisions about labels, where anything says what class an example is of."""
    if evidence.beliefs is None or not evidence.beliefs.known.any():
        return None
    around, vote = evidence.around, None
    if around is not None:
        space = str(around.settings["representation"])
        vote = Vote(around.same, around.leading, around.votes, around.depth, space)
    by_heart = "" if evidence.agreement is None else evidence.agreement.by_heart()
    return estimate_label_errors(evidence.beliefs, evidence.labels, len(evidence.class_names), vote, by_heart)


def partial_audit(
    plan: Sequence[Scorer],
    recorder: Recorder,
    recorded: bool,
    underway: Underway,
    work: HoldoutWork | None,
    examples: Examples,
    inspection: Inspection,
    learner: Learner | None,
    seed: int,
    notes: list[str],
    timer: Timer,
) -> Audit:
    """Audit of the epochs, evaluations, holdout runs and all else that was complete when the rest was interrupted."""
    runs = work.runs if work is not None else 0
    found = work.found() if work is not None and runs else {}
    evidence = Evidence(examples.labels, examples.class_names, **underway.parts(recorder, recorded), **found)
    evidence = with_consensus(evidence)
    kept = [scorer for scorer in plan if scorer.needs and all(evidence.has(need) for need in scorer.needs)]
    if not kept:
        supported = scores.supported({Need.DYNAMICS, Need.CONSENSUS})
        kept = [scorer for scorer in supported if all(evidence.has(need) for need in scorer.needs)]
    if not kept:
        raise DataError(
            f"an interruption before anything was complete that {', '.join(names_of(plan))} could be told by",
            "a complete evaluation, or recorded epochs",
            "run score again and let more of it finish, or leave scorers='auto'",
        )
    epochs = underway.epochs(recorder)
    complete = [f"{epochs} complete epochs"] if epochs else []
    complete += [f"{runs} complete holdout runs"] if runs else []
    notes = [*notes, f"interrupted after {' and '.join(complete)}"]
    settings = run_settings(names_of(kept), examples, learner, seed, recorded, notes, evidence.dynamics)
    if underway.runs:
        settings["repeats"] = 1 + len(underway.runs)
    settings |= density_settings(kept, evidence, settings["notes"])
    settings |= neighbour_settings(kept, evidence, settings["notes"])
    if work is not None and runs:
        settings |= {"holdout": work.settings(), "notes": [*settings["notes"], *work.notes()]}
    return assemble(kept, evidence, settings, timer, examples, inspection)


def audit_recorded(
    recorder: Recorder,
    scorers: str | Scorer | Sequence[str | Scorer] = "auto",
    *,
    class_names: Sequence[str] | None = None,
    examples: Examples | None = None,
) -> Audit:
    """Audit of what `recorder` holds; see `Recorder.audit`."""
    timer = Timer()
    with timer.stage("total"):
        chosen = scores.resolve(scorers)
        names = tuple(map(str, range(recorder.classes) if class_names is None else class_names))
        if len(names) != recorder.classes:
            raise DataError(f"{len(names)} class names", f"{recorder.classes}, one a class", "pass class_names=[...]")
        believing = belief_needs(None, recorder, False, False, None, recorder.labels, 0, [])
        plan = chosen or scores.supported(
            automatic_needs(None, recorder, False) | ({Need.CONSENSUS} if believing else set())
        )
        needs = needs_of(plan)
        if Need.CONSENSUS in needs:
            check_believing(believing, False, recorder)
            needs |= believing
        missing = np.flatnonzero(recorder.labels < 0)
        if len(missing):
            raise DataError(
                f"{len(missing)} examples that were never seen, the first in row {missing[0]}",
                "a label for every example",
                "record every row at least once, or use dataaudit.score(None, dataset, precomputed=recorder)",
            )
        evidence = collect(
            needs,
            recorder.labels.copy(),
            names,
            examples=None,
            learner=None,
            recorder=recorder,
            recorded=True,
            trained=False,
            engine=None,
            seed=0,
            progress=False,
            timer=timer,
        )
    settings = run_settings(names_of(plan), examples, None, None, True, [], evidence.dynamics)
    return assemble(plan, evidence, settings, timer, examples, None)
