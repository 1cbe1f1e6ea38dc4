"""Errors that are planted: uniform ones, pairs of classes, likely ones, hard rows, and all into one class."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.common import Array, paired, symmetric
from benchmarks.peers.bed.data import Data
from benchmarks.peers.cases import nearest, nearest_partner

KINDS = ("none", "symmetric", "pairs", "nearest", "hard", "onto")


def hardest(vectors: Array, labels: Array, share: float, seed: int) -> Array:
    """Labels of which a `share` is wrong, among the rows that a support vector machine tells worst.

    They are those of which it is least sure, twice as many as are moved and three in ten at least; each moved one gets
    the class that it is taken for otherwise.
    """
    machine = make_pipeline(StandardScaler(), SVC(decision_function_shape="ovr"))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    found = cross_val_predict(machine, vectors, labels, cv=folds, method="decision_function")
    found = np.stack([-found, found], 1) if found.ndim == 1 else found
    every = np.arange(len(labels))
    own = found[every, labels].copy()
    found[every, labels] = -np.inf
    among = np.argsort(own - found.max(1))[: round(max(2 * share, 0.3) * len(labels))]
    wrong = np.random.default_rng(seed).choice(among, round(share * len(labels)), replace=False)
    given = labels.copy()
    given[wrong] = found.argmax(1)[wrong]
    return given


def onto(labels: Array, share: float, seed: int) -> Array:
    """Labels of which a `share`, of other classes, is replaced by the first class: what is chosen where none is."""
    given = labels.copy()
    given[np.random.default_rng(seed).choice(np.flatnonzero(labels), round(share * len(labels)), replace=False)] = 0
    return given


def given_of(data: Data, noise: str, seed: int) -> Array:
    """The labelling of that name, or true labels with errors, int64 [n].

    Parameters
    ----------
    data
        Rows with true labels.
    noise
        Name of a labelling of `data`, "none", or one of `KINDS` and a percentage: "pairs 10%".
    seed
        Of the draw.

    Raises
    ------
    ValueError
        If there is no such noise.
    """
    if noise in data.given:
        return data.given[noise]
    kind, _, percent = noise.partition(" ")
    if kind not in KINDS:
        raise ValueError(f"noise {noise!r}: a labelling of {sorted(data.given)} or one of {KINDS} is needed")
    if kind == "none":
        return data.true
    share, true = float(percent.rstrip("%")) / 100, data.true
    if kind == "symmetric":
        return symmetric(true, int(true.max()) + 1, share, seed)
    if kind == "pairs":
        return paired(true, nearest_partner(data.vectors, true), share, seed)
    if kind == "nearest":
        return nearest(data.vectors, true, share, seed)
    if kind == "hard":
        return hardest(data.vectors, true, share, seed)
    return onto(true, share, seed)
