"""What an audit records about how it came about, as JSON values."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dataaudit.data.examples import Examples
from dataaudit.density.base import DensityNeed
from dataaudit.density.engines import REGISTRY
from dataaudit.dynamics.summary import Dynamics
from dataaudit.errors import SettingError, rows
from dataaudit.evidence.base import Evidence
from dataaudit.labels.label_errors import LabelErrors
from dataaudit.learners.base import Learner
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.neighbours.faiss_search import advice
from dataaudit.representations.store import RowStore
from dataaudit.scores import Scorer

LOW_RECALL = 0.99
"""Share of true neighbours below which a search is noted."""

RECORDED = {
    "model": "recorded in the caller's loop",
    "recipe": None,
    "device": "the caller's",
    "precision": "the caller's",
    "engine": "recorder",
}
NO_MODEL = {"model": "none", "recipe": None, "device": "none", "precision": "none", "engine": "none"}


def check_bad_rows(on_bad_rows: Any, precomputed: Any) -> None:
    """Raise a `SettingError` unless ``on_bad_rows=`` is known and goes with what was computed elsewhere."""
    if on_bad_rows not in ("raise", "drop"):
        raise SettingError(f"on_bad_rows={on_bad_rows!r}", "'raise' or 'drop'", "pass on_bad_rows='drop'")
    if on_bad_rows == "drop" and precomputed is not None:
        raise SettingError(
            "on_bad_rows='drop' beside precomputed=",
            "rows that are those of what was computed elsewhere",
            "drop the rows from both beforehand",
        )


def check_folder(folder: Any) -> None:
    """Raise a `SettingError` unless ``representations=`` is a path or None."""
    if folder is not None and (not isinstance(folder, (str, Path)) or not str(folder)):
        raise SettingError(
            f"representations={folder!r}", "the path of a folder, or None", "pass representations='folder'"
        )


def store_settings(store: RowStore, notes: list[str]) -> dict[str, Any]:
    """What lies in the folder of representations; that nothing does is noted."""
    told = store.describe()
    if not told["files"]:
        notes.append(f"nothing had to be kept in {told['folder']}: no score asked for rows that lie in no array")
    return {"representations": told}


def run_settings(
    names: list[str],
    examples: Examples | None,
    learner: Learner | None,
    seed: int | None,
    recorded: bool,
    notes: list[str],
    dynamics: Dynamics | None,
) -> dict[str, Any]:
    """Model, recipe, seed, versions and notes; without a learner, of a recorder or of the data set alone."""
    described: dict[str, Any] = dict(RECORDED if recorded else NO_MODEL)
    if learner is not None:
        described |= learner.description
    notes = [*notes, *described.pop("notes", [])]
    dropped = None if examples is None else examples.dropped
    left_out: dict[str, Any] = {}
    if dropped is not None and len(dropped):
        total = len(dropped) + len(examples or ())
        notes.append(f"{len(dropped)} of {total} rows could not be used and were dropped: {rows(dropped)}")
        left_out = {"dropped_rows": dropped.tolist()}
    if dynamics is not None:
        unseen = int((dynamics.seen == 0).sum())
        if unseen:
            notes.append(f"{unseen} examples were never seen in training and have no score (NaN)")
        if dynamics.probability_classes is not None:
            notes.append("many classes: class means are kept for the likeliest classes of an example only")
    return {
        **described,
        "seed": seed,
        "scorers": names,
        **left_out,
        "source": examples.source if examples is not None else "recorder",
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("dataaudit", "numpy", "torch", "scikit-learn", "numba")},
        },
        "notes": notes,
    }


def density_settings(plan: Sequence[Scorer], evidence: Evidence, notes: list[str]) -> dict[str, Any]:
    """How each density column came about; rows that no neighbour reaches are also noted."""
    found: dict[str, Any] = {}
    for scorer in plan:
        needs = [need for need in scorer.needs if isinstance(need, DensityNeed)]
        if not needs:
            continue
        found[scorer.name] = [
            evidence.densities[need].settings for need in sorted(needs, key=lambda need: need.space.epoch or 0)
        ]
        missed = [settings for settings in found[scorer.name] if settings.get("tolerance_met") is False]
        if missed:
            worst = max(missed, key=lambda settings: _apart(scorer, settings))
            if _apart(scorer, worst) > worst["tolerance"]:
                notes.append(
                    f"{scorer.name}: a sample of {worst['sample']} reaches 1 - Spearman = "
                    f"{_apart(scorer, worst):.2g}, not the tolerance of {worst['tolerance']:.2g}; "
                    f"allow a larger one, {_with_sample(worst['engine'])}"
                )
        lost = max(settings["out_of_reach"] for settings in found[scorer.name])
        if lost:
            notes.append(
                f"{scorer.name}: {lost} examples have no neighbour within reach of this bandwidth"
                + ("; they score their label's share" if getattr(scorer, "kind", None) == "parzen" else "")
            )
    return {"density": found} if found else {}


def _apart(scorer: Scorer, settings: Mapping[str, Any]) -> float:
    """1 - Spearman of the scorer's own values with the exact ones; the largest of all where they are not told apart."""
    told = settings["spearman"]
    kind = getattr(scorer, "kind", None)
    return float(1 - (told[kind] if kind in told else min(told.values())))


def _with_sample(engine: str) -> str:
    """How an engine is given the size of its sample."""
    if engine in REGISTRY.builtin_names():
        return f"engine={type(REGISTRY.instance(engine)).__name__}(sample=...)"
    return f"with the settings of engine {engine!r}"


def neighbour_settings(plan: Sequence[Scorer], evidence: Evidence, notes: list[str]) -> dict[str, Any]:
    """How the neighbours behind each column came about, and what the scorer adds; ties cut by the depth are noted."""
    found: dict[str, Any] = {}
    for scorer in plan:
        needs = [need for need in scorer.needs if isinstance(need, NeighbourNeed)]
        if not needs:
            continue
        graphs = [evidence.neighbours[need] for need in sorted(needs, key=lambda need: need.space.epoch or 0)]
        described: Callable[[Neighbours], dict[str, Any]] = getattr(scorer, "described", lambda graph: {})
        found[scorer.name] = [{**graph.settings, **described(graph)} for graph in graphs]
        cut = max(graph.settings["cut_ties"] for graph in graphs)
        if cut:
            notes.append(
                f"{scorer.name}: {cut} examples have more neighbours at one distance than the depth holds; "
                "a random part of those counts, pass a larger depth for all of them"
            )
        worst = min(graphs, key=lambda graph: graph.settings.get("recall", 1.0))
        told = worst.settings
        if told.get("recall", 1.0) < LOW_RECALL:
            wanted = f", where {told['wanted_recall']:.1%} were wanted" if "wanted_recall" in told else ""
            notes.append(
                f"{scorer.name}: the search found {told['recall']:.1%} of the nearest neighbours"
                f"{wanted}; for more of them {advice(told, len(worst.indices))}"
            )
    return {"neighbours": found} if found else {}


def judgement_notes(found: LabelErrors) -> list[str]:
    """What limits the count of label errors."""
    if not found.known:
        return [f"how many labels are wrong is not known, and none is flagged: {found.unknown}"]
    if not found.independent:
        return [
            "the number of label errors is estimated from a model that was trained on the labels, which hides errors "
            "where it has learned them by heart and finds too many where it has learned little"
        ]
    return []


def consensus_settings(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """What the consensus is taken over: weight of every source, and how it came about."""
    assert evidence.beliefs is not None
    return {
        name: {"weight": round(weight, 4), **({"way": evidence.ways[name]} if name in evidence.ways else {})}
        for name, weight in evidence.beliefs.weights.items()
    }
