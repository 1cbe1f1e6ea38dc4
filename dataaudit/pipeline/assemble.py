"""From evidence to an audit: every score, decisions about labels, and a record of how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dataaudit import scores
from dataaudit.audit.base import Audit
from dataaudit.common.types import FloatArray
from dataaudit.errors import DataError, SettingError
from dataaudit.evidence.base import Evidence, Need
from dataaudit.labels.combine import with_consensus
from dataaudit.labels.label_errors import LabelErrors, Vote, estimate_label_errors
from dataaudit.labels.suggestions import suggest
from dataaudit.pipeline.choice import names_of
from dataaudit.pipeline.collect import complete
from dataaudit.pipeline.interrupted import Interrupted, broken_off
from dataaudit.pipeline.plan import Plan
from dataaudit.pipeline.settings import settings_of
from dataaudit.scores import Scorer
from dataaudit.scores.base import Scores, Uncertainty


def assemble(plan: Plan, evidence: Evidence) -> Audit:
    """Score what was collected, and decide about labels."""
    timer = plan.run.timer
    columns: dict[str, FloatArray] = {}
    ties: dict[str, FloatArray] = {}
    uncertainties: dict[str, Uncertainty] = {}
    with timer.stage("score"):
        evidence = with_consensus(evidence)
        for scorer in plan.scorers:
            scored = _scored(scorer, evidence)
            columns[scorer.name] = _frozen(scored.values)
            if scored.ties is not None:
                ties[scorer.name] = _frozen(scored.ties)
            if scored.uncertainty is not None:
                uncertainties[scorer.name] = scored.uncertainty
        suggestions = suggest(evidence)
        label_errors = _label_errors(evidence)
    timer.seconds["total"] += timer.seconds["score"]
    return Audit(
        columns=columns,
        ties=ties,
        labels=evidence.labels,
        class_names=evidence.class_names,
        default=scores.leading(list(columns)),
        suggested=suggestions.classes,
        margin=suggestions.margin,
        settings=settings_of(plan, evidence, label_errors),
        timings=dict(timer.seconds),
        dynamics=evidence.dynamics,
        uncertainties=uncertainties,
        label_errors=label_errors,
        evidence=evidence,
        identity=plan.subject.identity,
        _examples=plan.subject.examples,
        _model=evidence.model,
        _search=plan.search,
        _kept={} if plan.subject.examples is None else plan.subject.examples.kept,
    )


def _scored(scorer: Scorer, evidence: Evidence) -> Scores:
    """A score, of the shape that it should have."""
    scored = scorer.score(evidence)
    for name, values in (("values", scored.values), ("ties", scored.ties)):
        if values is not None and np.shape(values) != (len(evidence.labels),):
            raise SettingError(
                f"{name} of shape {np.shape(values)} from scorer {scorer.name!r}",
                f"shape {(len(evidence.labels),)}",
                "have the scorer pass dataaudit.testing.ScorerContract",
            )
    return scored


def _frozen(values: Any) -> FloatArray:
    """A copy, float64 [n], that nobody writes to."""
    copy = np.array(values, np.float64)
    copy.flags.writeable = False
    return copy


def _label_errors(evidence: Evidence) -> LabelErrors | None:
    """Decisions about labels, where anything says what class an example is of."""
    if evidence.combined is None or not evidence.combined.known.any():
        return None
    near, vote = evidence.neighbour_labels, None
    if near is not None:
        vote = Vote(near.same, near.leading, near.votes, near.depth, str(near.settings["representation"]))
    memorised = "" if evidence.agreement is None else evidence.agreement.memorised_reason()
    return estimate_label_errors(evidence.combined, evidence.labels, len(evidence.class_names), vote, memorised)


def epochs_and_runs(plan: Plan) -> tuple[int, int]:
    """Complete epochs of the training run, and complete holdout runs."""
    return max((source.epochs for source in plan.sources), default=0), sum(source.runs for source in plan.sources)


def interrupted(plan: Plan) -> Interrupted:
    """Error of a call that Ctrl-C ended; it keeps what was complete, if that is anything."""
    epochs, runs = epochs_and_runs(plan)
    if epochs or runs:
        return Interrupted(epochs, lambda: partial_audit(plan, complete(plan)), runs)
    # Neighbours, densities, folds and what the caller brought may be complete.
    evidence = with_consensus(complete(plan))
    found = any(scorer.needs for scorer in _computable(plan.scorers, evidence))
    return Interrupted(0, (lambda: partial_audit(plan, evidence)) if found else None)


def partial_audit(plan: Plan, evidence: Evidence) -> Audit:
    """Audit of the epochs, evaluations, holdout runs and all else that was complete when the rest was interrupted.

    Raises
    ------
    DataError
        If nothing that a score can be computed from was complete.
    """
    evidence = with_consensus(evidence)
    kept = _computable(plan.scorers, evidence)
    if not any(scorer.needs for scorer in kept):
        supported = scores.supported({Need.DYNAMICS, Need.CONSENSUS}, plan.subject.task)
        kept = [*_computable(supported, evidence), *kept]
    if not kept:
        raise DataError(
            f"an interruption before anything was complete that {', '.join(names_of(plan.scorers))} could be told by",
            "a complete evaluation, or recorded epochs",
            ["run score again, and let more of it finish", "leave scorers='auto'"],
        )
    note = f"{broken_off(*epochs_and_runs(plan))}: what was complete is kept"
    run = replace(plan.run, notes=(*plan.run.notes, note), timer=plan.run.timer.copy())
    return assemble(replace(plan, scorers=tuple(kept), run=run), evidence)


def _computable(scorers: Sequence[Scorer], evidence: Evidence) -> list[Scorer]:
    return [scorer for scorer in scorers if all(evidence.has(need) for need in scorer.needs)]
