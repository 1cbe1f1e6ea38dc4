"""The C-score of a nearest-neighbour learner in closed form: no training, no sampling.

The C-score of an example (Jiang, Zhang, Talwar, Mozer 2021, equation 2) is the expected accuracy on it of a model
trained on a random subset without it. For the vote of the K nearest examples of the subset that is a sum over the
ranks of neighbours, with weights that no data enter (`dataaudit.neighbours.subsets`). Tied distances are in random
order. What lies beyond the depth that was searched is taken as one group of equal distances: its classes are known.
"""

from __future__ import annotations

import numpy as np

from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.neighbours.graph import Neighbours
from dataaudit.neighbours.subsets import Ratio, first_weights, vote_weights

BLOCK = 512
"""Examples a task."""


def nearest_c_scores(
    match: BoolArray, starts: BoolArray, remaining: FloatArray, weights: FloatArray, tail: float
) -> FloatArray:
    """Expected accuracy of the nearest neighbour, float64 [n]; `weights`, `tail` as of `first_weights`.

    `match` [n, depth] says if the r-th nearest other example has the label of example i, `starts` [n, depth] if a group
    of equal distances begins there; `remaining` [n] is the share of the label among the examples beyond the depth.

    >>> match, starts = np.array([[True, False, True]]), np.array([[True, True, False]])
    >>> nearest_c_scores(match, starts, np.zeros(1), np.array([0.5, 0.3, 0.2]), 0.0)
    array([0.75])
    """
    scores = np.empty(len(match))
    for first in range(0, len(match), BLOCK):
        part = slice(first, first + BLOCK)
        if starts[part].all():
            scores[part] = match[part] @ weights
            continue
        begins = np.flatnonzero(starts[part])
        sizes = np.diff(begins, append=starts[part].size)
        heavy = np.add.reduceat(np.broadcast_to(weights, match[part].shape).ravel(), begins)
        means = np.add.reduceat(match[part].ravel().astype(np.float64), begins) / sizes
        at = np.concatenate([[0], np.cumsum(starts[part].sum(1))[:-1]])
        scores[part] = np.add.reduceat(heavy * means, at)
    return scores + tail * remaining


def c_scores(
    neighbours: Neighbours,
    labels: IntArray,
    k: int,
    ratio: Ratio,
    inclusion: str,
    threads: int | None = None,
) -> FloatArray:
    """C-scores of the K-nearest-neighbour learner, float64 [n] between 0 and 1; results do not depend on `threads`.

    Fewer than `k` examples in a subset all vote; a tied vote counts as 1 / number of tied classes; `ratio` and
    `inclusion` are as in `dataaudit.NeighbourCScore`. Exact in float64 but for what lies beyond the graph's depth: by
    at most the weight of that, `tail` of `dataaudit.neighbours.subsets`.

    >>> line = Neighbours(np.array([[1, 2], [0, 2], [1, 0]]), np.array([[1.0, 3], [1, 2], [2, 3]]))
    >>> c_scores(line, np.array([0, 0, 1]), 1, "integral", "fixed")
    array([0.75, 0.75, 0.  ])
    """
    n, depth = neighbours.indices.shape
    if k > 1:
        return _voted(neighbours, labels, k, ratio, inclusion, threads)
    weights, tail = first_weights(n - 1, depth, ratio, inclusion)
    scores = np.empty(n)
    counts = np.bincount(labels)[labels] - 1.0
    starts = neighbours.starts()
    for first in range(0, n, 16 * BLOCK):
        part = slice(first, first + 16 * BLOCK)
        match = labels[neighbours.indices[part]] == labels[part, None]
        remaining = (counts[part] - match.sum(1)) / max(n - 1 - depth, 1)
        scores[part] = nearest_c_scores(match, starts[part], remaining, weights, tail)
    return np.asarray(np.clip(scores, 0.0, 1.0))


def _voted(
    neighbours: Neighbours, labels: IntArray, k: int, ratio: Ratio, inclusion: str, threads: int | None
) -> FloatArray:
    from numba.core import config

    from dataaudit.neighbours import votes
    from dataaudit_kernels.threads import in_order

    n, depth = neighbours.indices.shape
    weights = vote_weights(n - 1, depth, k, ratio, inclusion)
    _, labels = np.unique(labels, return_inverse=True)
    counts = np.bincount(labels)
    choose = votes.scaled_choose(np.arange(depth + 1), k, k / depth)
    nodes, masses = votes.draws(k)
    scores = votes.few_votes(counts, weights.few, k)[labels]
    starts = neighbours.starts()
    rest_scale = k / max(n - 1 - depth, 1)

    def vote(first: int) -> None:
        part = slice(first, first + BLOCK)
        votes.expected_votes(
            labels[neighbours.indices[part]], starts[part], labels[part], counts, weights.within, weights.beyond, k,
            choose, rest_scale, nodes, masses, scores[part],
        )  # fmt: skip

    for _ in in_order(vote, range(0, n, BLOCK), threads or config.NUMBA_NUM_THREADS):
        pass
    return np.asarray(np.clip(scores, 0.0, 1.0))
