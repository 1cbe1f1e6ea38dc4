"""Evidence of one call, from its sources."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dataaudit.evidence.agreement import measured
from dataaudit.evidence.base import Evidence
from dataaudit.evidence.trained import TrainedModel
from dataaudit.pipeline.plan import Plan

UNITED = ("densities", "neighbours", "methods", "others")
"""Mappings to which several sources add."""


def collect(plan: Plan) -> Evidence:
    """Compute everything that is needed, once."""
    try:
        for source in plan.sources:
            source.collect()
    finally:
        plan.close()
    evidence = complete(plan)
    learner = plan.subject.learner
    if learner is None or evidence.model is not None:
        return evidence
    return replace(evidence, model=TrainedModel(learner, plan.run.seed, None, plan.subject.as_passed))


def complete(plan: Plan) -> Evidence:
    """Evidence that is complete: all of it, or what an interruption left."""
    parts: dict[str, Any] = {name: {} for name in UNITED}
    for source in plan.sources:
        for name, part in source.parts().items():
            if part is not None:
                assert name in UNITED or name not in parts, f"two sources of {name}"
                parts[name] = {**parts[name], **part} if name in UNITED else part
    augmented, looked = parts.pop("augmented", None), parts.pop("looked", True)
    labels = plan.run.labels
    agreement = measured(
        labels, parts.get("dynamics"), parts.get("predictions"), parts.get("heldout"), augmented, looked
    )
    return Evidence(labels, plan.run.class_names, agreement=agreement, **parts)
