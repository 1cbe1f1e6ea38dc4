"""Examples that are in the data set more than once, or nearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.neighbours.graph import Neighbours

DEPTH = 20
"""Neighbours of each example among which duplicates are sought."""

AUTO = 0.4
"""Most of the usual distance up to which two examples are near-duplicates, by benchmarks/findings/novelty.py."""

BY_CHANCE = 0.01
"""Share of examples that may have another within that distance though no two were made alike."""


@dataclass(frozen=True)
class Groups:
    """Groups of near-duplicates, those with differing labels first, then those at the smallest distance."""

    group: IntArray
    """Number of the group, from 0, int64 [r], ascending."""
    index: IntArray
    """Example, int64 [r], ascending in a group."""
    distance: FloatArray
    """Distance to the nearest other example of the group, float64 [r]."""
    differing: BoolArray
    """Groups whose labels differ, bool [r]."""


def usual_distance(graph: Neighbours) -> FloatArray:
    """Median distance to the neighbours that are not duplicates themselves, float64 [n].

    The median over neighbours at a distance above 0; where there are none, the median over the data set of what the
    others have, and 0 where nobody has.
    """
    apart = np.where(graph.distances > 0, graph.distances, np.nan)
    some = np.isfinite(apart).any(1)
    usual = np.zeros(len(apart))
    usual[some] = np.nanmedian(apart[some], axis=1)
    usual[~some] = np.median(usual[some]) if some.any() else 0.0
    return usual


def automatic_share(graph: Neighbours) -> float:
    """Share of the usual distance, at most `AUTO`, within which hardly any example has another by chance.

    Within a distance r of an example lie some c r^m others, where m is the dimension in which examples spread; c is
    known from the usual distance, within which half of the neighbours lie. By how much r grows from one half of the
    neighbours to all, m is told: twice as many lie within 2^(1/m) times the distance. Duplicates are among the first.
    """
    depth = graph.depth
    if depth < 2:
        return AUTO
    inner, outer = graph.distances[:, (depth - 1) // 2], graph.distances[:, -1]
    growth = np.log(outer[inner > 0] / inner[inner > 0])
    if not len(growth) or not (middle := float(np.median(growth))) > 0:
        return AUTO
    dimension = np.log(depth / ((depth - 1) // 2 + 1)) / middle
    return float(min(AUTO, (BY_CHANCE / (depth / 2)) ** (1 / dimension)))


def near_pairs(graph: Neighbours, share: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs (i, j) of the graph that are duplicates, within `share` of the usual distance, and their distances."""
    limit = share * usual_distance(graph)
    most = np.minimum(limit[:, None], limit[graph.indices])
    near = (graph.distances <= most) | (graph.distances == 0)
    first, rank = np.nonzero(near)
    return first.astype(np.int64), graph.indices[first, rank].astype(np.int64), graph.distances[first, rank]


def groups(graph: Neighbours, labels: IntArray, share: float) -> Groups:
    """Connected components of `near_pairs`; examples without a duplicate are left out.

    Of many equal rows the graph holds some random ones each: enough to connect them.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(labels)
    first, second, apart = near_pairs(graph, share)
    pairs = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(n, n)).tocsr()
    component = connected_components(pairs, directed=False)[1].astype(np.int64)
    nearest = np.full(n, np.inf)
    np.minimum.at(nearest, first, apart)
    np.minimum.at(nearest, second, apart)
    chosen = np.flatnonzero(np.isfinite(nearest))
    number, member = np.unique(component[chosen], return_inverse=True)
    low, high = np.full(len(number), len(labels)), np.full(len(number), -1)
    np.minimum.at(low, member, labels[chosen])
    np.maximum.at(high, member, labels[chosen])
    closest = np.full(len(number), np.inf)
    np.minimum.at(closest, member, nearest[chosen])
    start = np.full(len(number), n)
    np.minimum.at(start, member, chosen)
    rank = np.empty(len(number), np.int64)
    rank[np.lexsort((start, closest, low == high))] = np.arange(len(number))
    order = np.lexsort((chosen, rank[member]))
    return Groups(
        rank[member][order],
        chosen[order].astype(np.int64),
        nearest[chosen][order],
        (low != high)[member][order],
    )
