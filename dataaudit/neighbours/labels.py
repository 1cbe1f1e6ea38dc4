"""Labels of nearest neighbours: shares of the classes around each example, its own label left out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common.probabilities import DENSE_ELEMENTS, ClassProbabilities, blocks, spread
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.common.units import centre_and_unit
from dataaudit.neighbours.base import NeighbourSearch, near_rows
from dataaudit.neighbours.candidates import SLACK, Candidates
from dataaudit.neighbours.graph import check_searchable
from dataaudit.representations.spaces import Space

DEPTH = 100
"""Neighbours that vote."""

AMONG = 20000
"""Most examples that are searched: beyond, time grows with n alone."""

QUERIES = 8192
QUERY_VALUES = 2**25
"""Most numbers of a block of rows."""
PART_VALUES = 2**21
"""Most numbers that are held in float64 at a time."""


@dataclass(frozen=True)
class NeighbourLabelsNeed:
    """Labels around each example that a score needs, in a space of rows."""

    space: Space

    def __post_init__(self) -> None:
        check_searchable(self.space)


@dataclass(frozen=True)
class VoteProbabilities:
    """Probabilities that are computed from the votes whenever they are read, for these are fewer than the classes.

    Attributes
    ----------
    voters
        Labels of the neighbours, nearest first, int32 [n, depth], -1 for none.
    labels
        The examples' own, int64 [n].
    total
        Number of classes.
    """

    voters: IntArray
    labels: IntArray
    total: int

    def dense(self, rows: slice) -> FloatArray:
        """Probabilities float64 [b, C] of a block of rows; rows add up to 1."""
        counts = np.bincount(self.labels, minlength=self.total)
        shares = _shares(self.voters[rows], self.labels[rows], counts)
        return spread(None, shares.astype(np.float32), self.total)


@dataclass(frozen=True)
class NeighbourLabels:
    """Labels around n examples.

    Attributes
    ----------
    probabilities
        Probabilities of the classes [n, C]: the r-th nearest counts 1 / r, and the classes' shares of all other
        examples count as one neighbour more. The example's own label plays no part.
    same
        How many of the neighbours carry the example's own label, int64 [n].
    leading, votes
        The class that most of the neighbours carry, int64 [n], and how many, int64 [n].
    depth
        Number of neighbours.
    settings
        Record of the search; JSON values.
    candidates
        What was found, for later questions; None where a sample was searched, or not all pairs were compared.
    """

    probabilities: ClassProbabilities | VoteProbabilities
    same: IntArray
    leading: IntArray
    votes: IntArray
    depth: int
    settings: dict[str, Any] = field(default_factory=dict)
    candidates: Candidates | None = None


def labels_around(
    need: NeighbourLabelsNeed,
    features: Any,
    described: Mapping[str, Any],
    labels: IntArray,
    classes: int,
    search: NeighbourSearch,
    seed: int,
    progress: bool,
    *,
    depth: int = DEPTH,
    among: int = AMONG,
    queries: int = QUERIES,
    dense_elements: int = DENSE_ELEMENTS,
) -> NeighbourLabels:
    """Labels of the `depth` nearest others of each example, in a seeded sample of size `among`; `queries` at a time.

    Memory: the sample in float32, one block of rows, and the answer, of which candidates are 4 bytes each, 464 a row;
    rows [n, d] may lie in chunks, and on disk if they are memory-mapped. Votes are kept of more classes than `depth`,
    unless n x classes is over `dense_elements`.
    `described` is recorded of the rows.
    """
    begin = time.perf_counter()
    n = len(features)
    sample = np.sort(np.random.default_rng(seed).permutation(n)[:among])
    depth = min(depth, len(sample) - 1)
    mean, scale = _middle(features[sample])
    position = np.full(n, -1, np.int64)
    position[sample] = np.arange(len(sample))
    known = labels[sample]
    counts = np.bincount(labels, minlength=classes)
    probabilities: ClassProbabilities | VoteProbabilities
    if classes > depth and n * classes <= dense_elements:
        probabilities = VoteProbabilities(np.empty((n, depth), np.int32), labels, classes)
    else:
        probabilities = ClassProbabilities.empty(n, classes)
    same, votes, leading = (np.empty(n, np.int64) for _ in range(3))
    searched = _centred(features[sample], mean, scale)
    index, kept = search.open(searched, depth + 1), None
    if index.exact and len(sample) == n > depth + SLACK:
        wide = depth + SLACK
        index, kept = search.open(searched, wide), np.empty((n, wide), np.int32)
    step = max(1, min(queries, 2**22 // classes, QUERY_VALUES // max(1, features.shape[1])))
    part = next(blocks(n, classes)).stop
    with progress_bar(f"labels around, in {need.space.name}", n, progress) as advance:
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            wide = depth + 1 if kept is None else kept.shape[1]
            if len(sample) == n:
                near = near_rows(index, searched, np.arange(start, rows.stop), wide)
            else:
                near = index(_centred(features[rows], mean, scale), wide)
            if kept is not None:
                kept[rows] = near
            found = _others(near[:, : depth + 1], position[rows])
            for first in range(start, rows.stop, part):
                rows = slice(first, min(first + part, start + len(found)))
                near, given = found[first - start : rows.stop - start], labels[rows]
                voters = np.where(near >= 0, known[near], -1)
                count = _votes(voters, np.ones(depth), classes)
                same[rows] = count[np.arange(len(given)), given]
                leading[rows] = count.argmax(1)
                votes[rows] = count.max(1)
                if isinstance(probabilities, VoteProbabilities):
                    probabilities.voters[rows] = voters
                else:
                    probabilities.put(rows, _shares(voters, given, counts), given)
            advance(len(found))
    settings = {
        "representation": need.space.name,
        **described,
        "search": search.name,
        **index.settings,
        "depth": depth,
        "among": len(sample),
        "seconds": time.perf_counter() - begin,
    }
    candidates = None if kept is None else Candidates(kept, need.space, described.get("inputs"), search, index.settings)
    return NeighbourLabels(probabilities, same, leading, votes, depth, settings, candidates)


def _middle(rows: AnyArray) -> tuple[FloatArray, float]:
    """Mean of rows and the largest distance of a value from it, or what serves better where some lie far out."""
    mean = rows.mean(0, dtype=np.float64)
    spread = max((float(np.abs(rows[part] - mean).max(initial=0.0)) for part in _parts(rows)), default=0.0)
    centre, unit = centre_and_unit(rows, mean, spread)
    # Float32 holds no squares of very large or very small numbers: a common factor changes no neighbour.
    return (mean, spread or 1.0) if centre is mean else (centre, unit)


def _centred(rows: AnyArray, mean: FloatArray, scale: float) -> AnyArray:
    centred = np.empty(rows.shape, np.float32)
    for part in _parts(rows):
        centred[part] = (rows[part] - mean) / scale
    return centred


def _parts(rows: AnyArray) -> Iterator[slice]:
    """Blocks of rows [n, d] of which float64 differences are held."""
    step = max(1, PART_VALUES // max(1, rows.shape[1]))
    return (slice(start, start + step) for start in range(0, len(rows), step))


def _others(near: IntArray, own: IntArray) -> IntArray:
    """Nearest rows without the query itself: where it is not among them, the furthest goes."""
    # Of a row outside the sample -1, which stands for a neighbour that was not found as well.
    itself = (near == own[:, None]) & (own[:, None] >= 0)
    itself[~itself.any(1), -1] = True
    return np.asarray(near[~itself].reshape(len(near), -1))


def _shares(voters: IntArray, given: IntArray, counts: IntArray) -> FloatArray:
    """Probabilities float64 [b, C] by the labels of neighbours [b, depth], of examples with the labels `given` [b]."""
    others, weights = counts.sum() - 1, 1.0 / np.arange(1, voters.shape[1] + 1)
    votes = _votes(voters, weights, len(counts)) + counts / others
    votes[np.arange(len(given)), given] -= 1.0 / others
    return np.asarray(votes / votes.sum(1, keepdims=True))


def _votes(voters: IntArray, weights: FloatArray, classes: int) -> FloatArray:
    """Sum of the weights by class [b, C] of labels [b, depth]; -1 votes for none."""
    count = len(voters)
    cells = np.arange(count)[:, None] * (classes + 1) + np.where(voters >= 0, voters, classes)
    spread = np.broadcast_to(weights, voters.shape)
    sums = np.bincount(cells.ravel(), spread.ravel(), count * (classes + 1))
    return sums.reshape(count, classes + 1)[:, :classes].astype(np.float64)
