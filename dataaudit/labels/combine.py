"""Consensus of all sources: one distribution over the classes for every example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities, ProbabilityBlocks, blocks, softmax
from dataaudit.common.types import BoolArray, IntArray
from dataaudit.evidence.base import LEFT_OUT, STAGES, Evidence
from dataaudit.labels.stacking import PULL, SMALLEST, fitted_weights


@dataclass(frozen=True)
class SourceWeights:
    """Weights of the sources: exponents by which their probabilities are multiplied."""

    fixed: Mapping[frozenset[str], Mapping[str, float]]
    """For each set of sources; of one alone it is 1. `fitted_weights` starts from those that never saw the label."""
    hidden: Mapping[str, float]
    """Where neighbours lie in a layer of the network that was trained on the labels: they repeat what it says."""
    staged: float
    """Of boosting stages beside all other sources: they remember less than epochs."""
    bounded: float
    """Power of the loss by which weights beside a ridge regression are fitted; without one it is 0, log loss."""
    pull: float = PULL
    """Pull of the fixed weights, see `fitted_weights`."""


WEIGHTS = SourceWeights(
    fixed={
        frozenset({"dynamics", "heldout", "neighbours", "ridge"}): {
            "dynamics": 0.3,
            "heldout": 0.2,
            "neighbours": 0.3,
            "ridge": 0.3,
        },
        frozenset({"heldout", "neighbours", "ridge"}): {"heldout": 0.2, "neighbours": 0.3, "ridge": 0.3},
        frozenset({"dynamics", "heldout", "neighbours"}): {"dynamics": 0.3, "heldout": 0.3, "neighbours": 0.5},
        frozenset({"dynamics", "neighbours"}): {"dynamics": 0.6, "neighbours": 0.5},
        frozenset({"dynamics", "heldout"}): {"dynamics": 0.5, "heldout": 0.5},
        frozenset({"heldout", "neighbours"}): {"heldout": 0.5, "neighbours": 0.4},
    },
    hidden={"dynamics": 0.9, "neighbours": 0.3},
    staged=0.6,
    bounded=0.7,
)
"""Compared with others by benchmarks/peers/constants.py, which prints the choice; but for models of inputs that are no
vectors, such as rows with gaps, and for epochs beside one source that never saw the label: no case there has these."""


def sources(evidence: Evidence) -> dict[str, ProbabilityBlocks]:
    """Sources of class probabilities, by name: "dynamics", "heldout", "neighbours", "ridge".

    Ridge regression whose predictions are the only ones held out is "heldout".
    """
    parts: dict[str, ProbabilityBlocks] = {}
    if evidence.run is not None:
        parts["dynamics"] = evidence.run
    heldout = evidence.heldout or evidence.left_out
    if heldout is not None and heldout.probabilities is not None:
        parts["heldout"] = heldout.probabilities
    if evidence.heldout is not None and evidence.left_out is not None and evidence.left_out.probabilities is not None:
        parts["ridge"] = evidence.left_out.probabilities
    if evidence.neighbour_labels is not None:
        parts["neighbours"] = evidence.neighbour_labels.probabilities
    return parts


def outsiders(evidence: Evidence, parts: Mapping[str, ProbabilityBlocks]) -> dict[str, ProbabilityBlocks]:
    """The sources that the example's own label played no part in."""
    # Neighbours in a trained layer are not independent of the label.
    trained = evidence.neighbour_labels is not None and evidence.neighbour_labels.settings["representation"] != "input"
    saw = {"dynamics", "neighbours"} if trained else {"dynamics"}
    return {name: part for name, part in parts.items() if name not in saw}


def with_consensus(evidence: Evidence) -> Evidence:
    """`evidence` with the combined probabilities of all its sources, and of those that never saw the label."""
    parts, labels, classes = sources(evidence), evidence.labels, len(evidence.class_names)
    apart = outsiders(evidence, parts)
    weights = source_weights(parts, apart, labels, classes, evidence.methods)
    together = combined(parts, labels, classes, weights)
    if together is None:
        return evidence
    known = np.ones(len(labels), bool) if evidence.dynamics is None else evidence.dynamics.seen > 0
    outside: ClassProbabilities | None = together
    if len(apart) < len(parts):
        whole, share = sum(exponents(apart).values()), sum(weights[name] for name in apart)
        outside = combined(apart, labels, classes, {name: weights[name] * whole / share for name in apart})
    against = contradicted(apart or parts, labels, classes)
    return replace(evidence, combined=CombinedProbabilities(together, outside, known, against, weights))


def source_weights(
    parts: Mapping[str, ProbabilityBlocks],
    apart: Mapping[str, ProbabilityBlocks],
    labels: IntArray,
    classes: int,
    methods: Mapping[str, str],
    constants: SourceWeights = WEIGHTS,
) -> dict[str, float]:
    """Exponents of the sources `parts` on the data at hand, by name.

    Those of the sources `apart`, which never saw the label, are fitted; `methods` is `Evidence.methods`.
    """
    weights = exponents(parts, constants)
    if len(parts) == 2 and not apart:
        weights = dict(constants.hidden)
    if len(parts) > 2 and methods.get("dynamics") == STAGES:
        weights["dynamics"] = constants.staged
    power = constants.bounded if LEFT_OUT in (methods.get("heldout"), methods.get("ridge")) else 0.0
    return weights | fitted_weights(apart, labels, classes, weights, power, constants.pull)


def exponents(parts: Mapping[str, ProbabilityBlocks], constants: SourceWeights = WEIGHTS) -> dict[str, float]:
    """Fixed weights of the sources, by name."""
    return dict(constants.fixed.get(frozenset(parts), dict.fromkeys(parts, 1.0)))


def combined(
    parts: Mapping[str, ProbabilityBlocks], labels: IntArray, classes: int, weights: Mapping[str, float] | None = None
) -> ClassProbabilities | None:
    """Geometric mean of the sources by `weights`, the fixed ones if None, normalised; None without any source."""
    if not parts:
        return None
    weights = exponents(parts) if weights is None else weights
    product = ClassProbabilities.empty(len(labels), classes)
    for rows in blocks(len(labels), classes):
        logits = sum(weights[name] * np.log(np.maximum(part.dense(rows), SMALLEST)) for name, part in parts.items())
        product.put(rows, softmax(np.asarray(logits)), labels[rows])
    return product


def contradicted(parts: Mapping[str, ProbabilityBlocks], labels: IntArray, classes: int) -> BoolArray:
    """Labels instead of which all sources name one and the same other class, bool [n]; a tie counts for the label."""
    against = np.ones(len(labels), bool)
    for rows in blocks(len(labels), classes):
        given, named = labels[rows], None
        every = np.arange(len(given))
        for part in parts.values():
            probability = part.dense(rows)
            best = probability.argmax(1)
            against[rows] &= probability[every, given] < probability[every, best]
            if named is not None:
                against[rows] &= best == named
            named = best
    return against


def likeliest(probabilities: ClassProbabilities) -> IntArray:
    """Class of the largest probability, int64 [n], the lowest on ties."""
    best = probabilities.values.argmax(1)
    if probabilities.classes is None:
        return np.asarray(best, np.int64)
    return np.asarray(probabilities.classes[np.arange(len(best)), best], np.int64)
