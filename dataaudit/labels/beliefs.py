"""What everything that was computed says about the class of every example, in one distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dataaudit.evidence import Evidence
from dataaudit.shares import Believed, ClassBeliefs, ClassShares, blocks
from dataaudit.types import FloatArray, IntArray

WEIGHTS: dict[frozenset[str], dict[str, float]] = {
    frozenset({"dynamics", "heldout", "neighbours"}): {"dynamics": 0.3, "heldout": 0.3, "neighbours": 0.5},
    frozenset({"dynamics", "neighbours"}): {"dynamics": 0.6, "neighbours": 0.5},
    frozenset({"dynamics", "heldout"}): {"dynamics": 0.5, "heldout": 0.5},
    frozenset({"heldout", "neighbours"}): {"heldout": 0.6, "neighbours": 0.5},
}
"""Exponents of the sources, by which there are; of one alone it is 1. By benchmarks/peers/decisions.py."""

SMALLEST = 1e-9


def sources(evidence: Evidence) -> dict[str, ClassBeliefs]:
    """What says something about classes, by name: "dynamics", "heldout", "neighbours"."""
    found: dict[str, ClassBeliefs] = {}
    if evidence.run is not None:
        found["dynamics"] = evidence.run
    heldout = evidence.heldout or evidence.left_out
    if heldout is not None and heldout.probabilities is not None:
        found["heldout"] = heldout.probabilities
    if evidence.around is not None:
        found["neighbours"] = evidence.around.shares
    return found


def with_beliefs(evidence: Evidence) -> Evidence:
    """`evidence` with what its sources together say about classes, and with what those say that never saw the label."""
    parts, classes = sources(evidence), len(evidence.class_names)
    # A hidden layer was trained on the label: who is near in it is no outsider.
    trained = evidence.around is not None and evidence.around.settings["representation"] != "input"
    saw = {"dynamics", "neighbours"} if trained else {"dynamics"}
    apart = {name: part for name, part in parts.items() if name not in saw}
    together = combined(parts, evidence.labels, classes)
    if together is None:
        return evidence
    known = np.ones(len(evidence.labels), bool) if evidence.dynamics is None else evidence.dynamics.seen > 0
    outside = together if len(apart) == len(parts) else combined(apart, evidence.labels, classes)
    return replace(evidence, beliefs=Believed(together, outside, known, evidence.dynamics is not None))


def combined(parts: Mapping[str, ClassBeliefs], labels: IntArray, classes: int) -> ClassShares | None:
    """Weighted geometric mean of the sources, normalised; None without any.

    Parameters
    ----------
    parts
        Sources by name, each with probabilities [n, C].
    labels
        Given labels, int64 [n].
    classes
        Number of classes C.
    """
    if not parts:
        return None
    weights = WEIGHTS.get(frozenset(parts), dict.fromkeys(parts, 1.0))
    found = ClassShares.empty(len(labels), classes)
    for rows in blocks(len(labels), classes):
        logits = sum(weights[name] * np.log(np.maximum(part.dense(rows), SMALLEST)) for name, part in parts.items())
        found.put(rows, softmax(np.asarray(logits)), labels[rows])
    return found


def softmax(logits: FloatArray) -> FloatArray:
    """Rows that add up to 1."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def likeliest(beliefs: ClassShares) -> IntArray:
    """Class of the largest probability, int64 [n], the lowest on ties."""
    best = beliefs.values.argmax(1)
    if beliefs.classes is None:
        return np.asarray(best, np.int64)
    return np.asarray(beliefs.classes[np.arange(len(best)), best], np.int64)
