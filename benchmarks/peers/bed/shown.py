"""What a case shows: a plain audit, cleanlab's counts, held-out predictions of a network; all in one file of arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import dataaudit
from benchmarks.common import Array
from benchmarks.peers.bed import models
from benchmarks.peers.bed.data import Data, Folders, data_of
from benchmarks.peers.bed.noise import given_of
from benchmarks.peers.bed.strata import Case
from benchmarks.peers.cells import here
from benchmarks.peers.collect import Clock, probabilities
from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities, ProbabilityBlocks
from dataaudit.data import as_examples
from dataaudit.evidence.agreement import SHARES, Agreement
from dataaudit.evidence.base import Evidence
from dataaudit.labels.combine import contradicted, outsiders, sources
from dataaudit.labels.label_errors import estimate_label_errors
from dataaudit.learners.adapt import as_learner

PART = 4
"""Of so many parts of the rows a network is trained without one, to be judged on it."""

MOST_TRAINED, MOST_PEERS = 3000, 10000
"""Most rows of a case for which that is done, and for which cleanlab gets folds."""

FOLDS = 5


def dense(probabilities: ProbabilityBlocks, n: int) -> Array:
    return np.asarray(probabilities.dense(slice(0, n)), np.float32)


def evidence_of(audit: dataaudit.Audit) -> dict[str, Array]:
    """Arrays of an audit's evidence: its sources, what they say together, and what lies below them."""
    evidence: Evidence | None = audit.evidence
    assert evidence is not None
    assert evidence.combined is not None
    n, parts = len(audit), sources(evidence)
    found = {f"source_{name}": dense(part, n) for name, part in parts.items()}
    found["beliefs"] = dense(evidence.combined.probabilities, n)
    if evidence.combined.outside is not None:
        found["outside"] = dense(evidence.combined.outside, n)
    found["known"] = evidence.combined.known
    for name in ("dynamics", "evaluations"):
        run = getattr(evidence, name)
        if run is not None:
            found[f"{name}_mean"] = dense(run, n)
            found[f"{name}_epoch_weights"] = run.epoch_weights
            found[f"{name}_kept_epochs"] = run.kept_epochs
            found[f"{name}_confidence_by_epoch"] = run.confidence_by_epoch
            found[f"{name}_max_confidence_by_epoch"] = run.max_confidence_by_epoch
            found[f"{name}_correct_bits"] = run.correct_bits
            found[f"{name}_first_correct"] = run.first_correct
    for name in ("predictions", "heldout", "left_out"):
        said = getattr(evidence, name)
        if said is not None:
            found |= {f"{name}_{key}": getattr(said, key) for key in ("confidence", "margin", "predicted")}
    if evidence.neighbour_labels is not None:
        near = evidence.neighbour_labels
        found |= {"around_same": near.same, "around_leading": near.leading, "around_votes": near.votes}
    return found


def settings_of(case: Case, data: Data, audit: dataaudit.Audit) -> dict[str, Any]:
    """What of the settings says how the evidence came about."""
    evidence = audit.evidence
    assert evidence is not None
    assert evidence.combined is not None
    keys = ("passes", "recipe", "recipe_chosen", "agreement", "consensus", "notes", "model", "scorers")
    parts = sources(evidence)
    return {
        "case": case.name,
        "family": data.family,
        "stratum": case.stratum,
        "data": case.kind,
        "noise": case.noise,
        "network": models.is_network(case.model),
        "model_name": case.model,
        "recipe_name": case.recipe,
        "n": len(audit),
        "classes": len(audit.class_names),
        "sources": sorted(parts),
        "outside_sources": sorted(outsiders(evidence, parts)),
        "weights": dict(evidence.combined.weights),
        "ways": dict(evidence.methods),
        "around": {} if evidence.neighbour_labels is None else evidence.neighbour_labels.settings,
        "around_depth": None if evidence.neighbour_labels is None else evidence.neighbour_labels.depth,
        **{key: audit.settings[key] for key in keys if key in audit.settings},
    }


def today_of(audit: dataaudit.Audit) -> tuple[dict[str, Any], dict[str, Array]]:
    """What the library says of the errors at its present state."""
    noise, judgement = audit.noise_rate(), audit.label_errors
    assert judgement is not None
    rate = {"rate": noise.rate, "lower": noise.lower, "upper": noise.upper, "estimates": dict(noise.estimates)}
    rate |= {"unknown": judgement.unknown, "independent": judgement.independent}
    return rate, {"error_probability": audit.error_probability()}


def cleanlab_of(case: Case, data: Data, given: Array, classes: int) -> tuple[dict[str, Any], dict[str, Array]]:
    """cleanlab's counts of five folds, and the folds; empty of networks, many rows, and too few of a class."""
    model = models.peer_of(case.model, isinstance(data.inputs, list))
    few = np.bincount(given, minlength=classes).min() < 2
    if model is None or few or len(given) > MOST_PEERS:
        return {}, {}
    from cleanlab.count import estimate_joint, num_label_issues

    with Clock() as clock:
        inputs = np.array(data.inputs, dtype=object) if isinstance(data.inputs, list) else data.inputs
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        said = cross_val_predict(model, inputs, given, cv=folds, method="predict_proba")
        trust = np.clip(said, 1e-12, None)
        trust /= trust.sum(1, keepdims=True)
        issues = num_label_issues(given, trust) / len(given)
        joint = float(1 - np.trace(estimate_joint(given, trust)))
    counts = {"issues": float(issues), "joint": joint, "seconds": round(clock.processor, 2)}
    return counts, {"peer_folds": np.asarray(said, np.float32)}


def part_of(model: Any, processor: Any, recipe: Any, inputs: Any, given: Array) -> dict[str, Array]:
    """What a network says of a quarter of the rows that it was not trained on."""
    learner = as_learner(model, as_examples((inputs, given)), recipe, "auto", processor)
    assert learner is not None
    order = np.random.default_rng(0).permutation(len(given))
    test, train = np.sort(order[: len(given) // PART]), np.sort(order[len(given) // PART :])
    said = probabilities(learner.from_scratch().fit(train, 0, None, False).logits(test))
    return {"part_rows": test, "part_probabilities": np.asarray(said, np.float32)}


def share(predicted: Array, true: Array) -> float:
    return round(float((predicted == true).mean()), 5)


def accuracies(arrays: dict[str, Array], true: Array) -> dict[str, float]:
    """How many TRUE labels are told by each source alone, and by a network of those left out."""
    found = {
        name: share(values.argmax(1), true)
        for name, values in arrays.items()
        if name.startswith("source_") or name in ("beliefs", "outside", "peer_folds")
    }
    if "part_rows" in arrays:
        found["part"] = share(arrays["part_probabilities"].argmax(1), true[arrays["part_rows"]])
    if "predictions_predicted" in arrays:
        found["trained"] = share(arrays["predictions_predicted"], true)
    return found


def run(case: Case, folders: Folders) -> None:
    """Audit a case and keep what it shows, the whole file or none."""
    data = data_of(case.kind, case.rows, case.unbalanced, case.seed, folders)
    given = given_of(data, case.noise, case.seed)
    classes = int(max(data.true.max(), given.max())) + 1
    model, processor = models.model_of(case.model, data.inputs, classes)
    recipe = models.RECIPES[case.recipe] if models.is_network(case.model) else None
    options = {} if processor is None else {"processor": processor}
    with Clock() as clock:
        audit = dataaudit.score(model, (data.inputs, given), recipe=recipe, progress=False, **options)
    # Classes that no label names are none of the audit's.
    place = np.full(classes, -1, np.int64)
    place[np.array([int(name) for name in audit.class_names])] = np.arange(len(audit.class_names))
    true, labels = place[data.true], audit.labels
    rate, today = today_of(audit)
    arrays = {"given": labels, "true": true, "consensus": audit.columns["consensus"], **evidence_of(audit), **today}
    count, folds = cleanlab_of(case, data, labels, len(audit.class_names))
    arrays |= folds
    with Clock() as part:
        if models.is_network(case.model) and len(given) <= MOST_TRAINED:
            arrays |= part_of(model, processor, recipe, data.inputs, labels)
    about = settings_of(case, data, audit)
    about |= {"error_rate": float((given != data.true).mean()), "today": rate, "cleanlab": count}
    about |= {"accuracy_on_true": accuracies(arrays, true), "seconds": round(clock.processor, 2)}
    about |= {"seconds_part": round(part.processor, 2), **here()}
    write(folders.cache / case.file, arrays, about)


def write(path: Path, arrays: dict[str, Array], about: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".part.npz")
    every: dict[str, Any] = {**arrays, "about": json.dumps(about, default=str)}
    np.savez(unfinished, **every)
    unfinished.replace(path)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """What a case shows: its settings and figures, and its arrays.

    Sources as estimators take them are ``ClassProbabilities(arrays["source_heldout"], None, about["classes"])``; see
    `parts_of`.
    """
    with np.load(path, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files if name != "about"}
        return json.loads(str(found["about"])), arrays


def parts_of(about: dict[str, Any], arrays: dict[str, Array]) -> dict[str, ClassProbabilities]:
    """Sources by name, as `dataaudit.labels.combine` takes them."""
    return {
        name: ClassProbabilities(arrays[f"source_{name}"], None, int(about["classes"])) for name in about["sources"]
    }


def judge_again(path: Path) -> None:
    """Let the library at its present state judge the combined probabilities of a case, which are kept as they are."""
    about, arrays = read(path)
    labels, known, classes = arrays["given"], arrays["known"].astype(bool), int(about["classes"])
    parts = parts_of(about, arrays)
    apart = {name: parts[name] for name in about["outside_sources"]}
    outside = ClassProbabilities(arrays["outside"], None, classes) if "outside" in arrays else None
    against = contradicted(apart or parts, labels, classes)
    together = CombinedProbabilities(ClassProbabilities(arrays["beliefs"], None, classes), outside, known, against)
    agreement = Agreement(*(about.get("agreement", {}).get(name) for name in SHARES))
    found = estimate_label_errors(together, labels, classes, memorised=agreement.memorised_reason())
    rate = {"rate": found.rate, "lower": found.lower, "upper": found.upper, "estimates": found.estimates}
    about["today"] = {**rate, "unknown": found.unknown, "independent": found.independent}
    arrays["error_probability"] = found.probability
    write(path, arrays, {**about, **here()})


def about_of(path: Path) -> dict[str, Any]:
    """Settings and figures alone."""
    with np.load(path, allow_pickle=False) as found:
        about: dict[str, Any] = json.loads(str(found["about"]))
        return about
