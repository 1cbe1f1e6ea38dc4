"""Records of densities and neighbours, by the scores that read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dataaudit.density.engines import REGISTRY
from dataaudit.density.sums import DensityNeed, DensitySums
from dataaudit.neighbours.graph import NeighbourNeed, Neighbours
from dataaudit.neighbours.search import advice
from dataaudit.pipeline.evidence_sources.base import Record
from dataaudit.scores.base import Scorer

LOW_RECALL = 0.99
"""Share of true neighbours below which a search is noted."""


def density_record(scorers: Sequence[Scorer], densities: Mapping[DensityNeed, DensitySums]) -> Record:
    """Record of each density column; rows that no neighbour reaches are also noted."""
    described: dict[str, Any] = {}
    notes: list[str] = []
    for scorer in scorers:
        needs = [need for need in scorer.needs if isinstance(need, DensityNeed) and need in densities]
        if not needs:
            continue
        described[scorer.name] = [densities[need].settings for need in sorted(needs, key=_moment)]
        missed = [settings for settings in described[scorer.name] if settings.get("tolerance_met") is False]
        if missed:
            worst = max(missed, key=lambda settings: _apart(scorer, settings))
            if _apart(scorer, worst) > worst["tolerance"]:
                notes.append(
                    f"{scorer.name}: a sample of {worst['sample']} reaches 1 - Spearman = "
                    f"{_apart(scorer, worst):.2g}, not the tolerance of {worst['tolerance']:.2g}; "
                    f"allow a larger one, {_with_sample(worst['engine'])}"
                )
        lost = max(settings["out_of_reach"] for settings in described[scorer.name])
        if lost:
            notes.append(
                f"{scorer.name}: {lost} examples have no neighbour within reach of this bandwidth"
                + ("; they score their label's share" if getattr(scorer, "kind", None) == "parzen" else "")
            )
    return Record({"density": described} if described else {}, notes)


def _moment(need: DensityNeed | NeighbourNeed) -> tuple[float, str]:
    """What orders needs of a score, which are a set: by epochs, the end of training last."""
    return need.space.epoch or math.inf, repr(need)


def _apart(scorer: Scorer, settings: Mapping[str, Any]) -> float:
    """1 - Spearman of the scorer's own values with the exact ones; the largest of all where its kind has none."""
    spearman = settings["spearman"]
    kind = getattr(scorer, "kind", None)
    return float(1 - (spearman[kind] if kind in spearman else min(spearman.values())))


def _with_sample(engine: str) -> str:
    """Advice that gives an engine the size of its sample."""
    if engine in REGISTRY.builtin_names():
        return f"engine={type(REGISTRY.instance(engine)).__name__}(sample=...)"
    return f"with the settings of engine {engine!r}"


def neighbour_record(scorers: Sequence[Scorer], neighbours: Mapping[NeighbourNeed, Neighbours]) -> Record:
    """Record of the neighbours behind each column, with what the scorer adds; ties cut by the depth are noted."""
    described: dict[str, Any] = {}
    notes: list[str] = []
    for scorer in scorers:
        needs = [need for need in scorer.needs if isinstance(need, NeighbourNeed) and need in neighbours]
        if not needs:
            continue
        graphs = [neighbours[need] for need in sorted(needs, key=_moment)]
        more_of: Callable[[Neighbours], dict[str, Any]] = getattr(scorer, "described", lambda graph: {})
        described[scorer.name] = [{**graph.settings, **more_of(graph)} for graph in graphs]
        cut = max(graph.settings["cut_ties"] for graph in graphs)
        if cut:
            notes.append(
                f"{scorer.name}: {cut} examples have more neighbours at one distance than the depth holds; "
                "a random part of those counts, pass a larger depth for all of them"
            )
        worst = min(graphs, key=lambda graph: graph.settings.get("recall", 1.0))
        settings = worst.settings
        if settings.get("recall", 1.0) < LOW_RECALL:
            wanted = f", where {settings['wanted_recall']:.1%} were wanted" if "wanted_recall" in settings else ""
            notes.append(
                f"{scorer.name}: the search found {settings['recall']:.1%} of the nearest neighbours"
                f"{wanted}; for more of them {advice(settings)}"
            )
    return Record({"neighbours": described} if described else {}, notes)
