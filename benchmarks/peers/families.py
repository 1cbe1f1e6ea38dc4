"""What an audit leaves for the comparison of the consensus' constants, and the family of sources that it is of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Array, merit
from benchmarks.peers.cases import Case
from benchmarks.peers.tools import audited
from dataaudit.evidence.base import LEFT_OUT, STAGES
from dataaudit.labels.combine import WEIGHTS, SourceWeights, combined, outsiders, source_weights
from dataaudit.labels.combine import sources as sources_of
from dataaudit.labels.noise import own_probability
from dataaudit.labels.posterior import CONSTANTS, Constants
from dataaudit.scores.consensus import consensus_scores

HIDDEN = "epochs and neighbours in a hidden layer"
EPOCHS = "epochs, held-out predictions, neighbours and ridge regression"
STAGED = "boosting stages, held-out predictions, neighbours and ridge regression"
RIDGE = "ridge regression, each left out, and neighbours"
FOLDS = "held-out predictions of folds, neighbours and ridge regression"
FAMILIES = (HIDDEN, EPOCHS, STAGED, RIDGE, FOLDS)
NAMES: tuple[str, ...] = ("dynamics", "heldout", "neighbours", "ridge")
BOTH, THREE, ALL = frozenset({"heldout", "neighbours"}), frozenset(NAMES[1:]), frozenset(NAMES)
SETS = {EPOCHS: ALL, STAGED: ALL, RIDGE: BOTH, FOLDS: THREE}
"""Sources of each family but those of a hidden layer."""


@dataclass(frozen=True)
class Dense:
    """Probabilities [n, C] as they were kept."""

    values: Array

    def dense(self, rows: slice) -> Array:
        return self.values[rows]


@dataclass(frozen=True)
class Kept:
    """What an audit leaves for the grid.

    Attributes
    ----------
    parts
        What sources say, by name.
    apart
        Names of those that never saw the label.
    methods
        How sources came about.
    given, true
        int64 [n].
    known
        Examples that something is known about, bool [n].
    classes
        Number of classes.
    singles
        Average precision of the audit's other scores and of what each source alone says of the given label.
    """

    parts: dict[str, Dense]
    apart: tuple[str, ...]
    methods: dict[str, str]
    given: Array
    true: Array
    known: Array
    classes: int
    singles: dict[str, float]

    @property
    def family(self) -> str:
        """Which of `FAMILIES` it is of."""
        names = frozenset(self.parts)
        if names == ALL:
            return STAGED if self.methods["dynamics"] == STAGES else EPOCHS
        if names == BOTH and self.methods["heldout"] == LEFT_OUT:
            return RIDGE
        if names == THREE:
            return FOLDS
        if names == {"dynamics", "neighbours"} and not self.apart:
            return HIDDEN
        raise ValueError(f"sources {sorted(names)}, expected those of a family: {FAMILIES}; leave the case out")

    def consensus(self, weights: SourceWeights, constants: Constants) -> Array:
        """The consensus under other constants, [n]."""
        apart = {name: self.parts[name] for name in self.apart}
        found = source_weights(self.parts, apart, self.given, self.classes, self.methods, weights)
        shares = combined(self.parts, self.given, self.classes, found)
        assert shares is not None
        return consensus_scores(shares, self.given, self.classes, self.known, constants).values

    def write(self, path: Path) -> None:
        """Keep it in a file, whole or not at all."""
        arrays: dict[str, Any] = {f"said by {name}": part.values for name, part in self.parts.items()}
        notes = {"apart": self.apart, "ways": self.methods, "classes": self.classes, "singles": self.singles}
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez(file, given=self.given, true=self.true, known=self.known, notes=json.dumps(notes), **arrays)
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> Kept:
        with np.load(path) as found:
            notes = json.loads(str(found["notes"]))
            said = {name[8:]: Dense(found[name]) for name in found.files if name.startswith("said by ")}
            arrays = {name: found[name] for name in ("given", "true", "known")}
        return cls(
            said, tuple(notes["apart"]), notes["ways"], classes=notes["classes"], singles=notes["singles"], **arrays
        )


def collected(case: Case) -> Kept:
    """Audit a case.

    Raises
    ------
    ValueError
        If the shipped constants do not give the audit's own consensus again, to the bit, or labels are numbered anew.
    """
    audit = audited(case)
    evidence, wrong, classes = audit.evidence, case.wrong, len(audit.class_names)
    assert evidence is not None
    assert evidence.combined is not None
    parts, whole = sources_of(evidence), slice(0, len(audit))
    singles = {name: merit(values, wrong)[1] for name, values in audit.columns.items() if name != "consensus"}
    for name, part in parts.items():
        singles[f"source {name}"] = merit(own_probability(part, audit.labels, classes), wrong)[1]
    found = Kept(
        {name: Dense(part.dense(whole)) for name, part in parts.items()},
        tuple(outsiders(evidence, parts)),
        dict(evidence.methods),
        audit.labels,
        case.source.true,
        evidence.combined.known,
        classes,
        singles,
    )
    if not np.array_equal(audit.labels, case.given):
        raise ValueError(f"labels of {case.source.name} in another order of classes: number the classes that are given")
    if not np.array_equal(found.consensus(WEIGHTS, CONSTANTS), audit.columns["consensus"]):
        raise ValueError(
            f"another consensus than the audit's of {case.source.name}: evaluate by the library's own path"
        )
    return found


def kept(case: Case, cache: Path) -> Kept:
    """What the audit of a case left, from `cache` if it is there."""
    source = case.source
    name = f"{source.data}_{len(case.given)}_{source.network}_{case.noise}_{case.seed}"
    path = cache / f"{name.replace(' ', '_').replace('%', '')}.npz"
    if not path.exists():
        collected(case).write(path)
    return Kept.read(path)
