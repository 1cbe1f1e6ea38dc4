"""Evidence of one call, from its sources."""

from __future__ import annotations

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
    return complete(plan, may_train=True)


def complete(plan: Plan, may_train: bool = False) -> Evidence:
    """Evidence that is complete: all of it, or what an interruption left, whose model is not trained for later."""
    parts: dict[str, Any] = {name: {} for name in UNITED}
    for source in plan.sources:
        for name, part in source.parts().items():
            if part is not None:
                assert name in UNITED or name not in parts, f"two sources of {name}"
                parts[name] = {**parts[name], **part} if name in UNITED else part
    learner = plan.subject.learner
    if "model" not in parts and learner is not None and (may_train or plan.subject.trained_before):
        parts["model"] = TrainedModel(learner, plan.run.seed, None, plan.subject.trained_before)
    augmented, looked = parts.pop("augmented", None), parts.pop("looked", True)
    labels = plan.run.labels
    agreement = measured(
        labels, parts.get("dynamics"), parts.get("predictions"), parts.get("heldout"), augmented, looked
    )
    return Evidence(labels, plan.run.class_names, agreement=agreement, **parts)
