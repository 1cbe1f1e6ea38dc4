"""Probabilities that the nearest example in a random training subset is the r-th nearest of all, and of the K nearest.

M others can be in the subset. Each is kept with probability s ("bernoulli", conditioned on a subset that is not empty),
or q of them are drawn ("fixed"). The integral gives every s in (0, 1), or every q from 1 to M, the same weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dataaudit.common.types import FloatArray, IntArray

Ratio = float | Sequence[float] | str
"""Subset ratio between 0 and 1, several of them, or "integral"."""

NODES = 40
"""Gauss-Legendre nodes a panel; panels halve from 1 down to 1/M, where the integrands change. 80 nodes change no
weight by 1e-14 (tested)."""

VOTES_BEYOND = 1e-4
"""Share of votes that the default depth leaves to examples beyond it."""

DEEPEST = (100, 200)
"""Largest default depth, for one vote and for more."""


class VoteWeights(NamedTuple):
    """Probabilities of what the K nearest examples of a subset are, adding up to 1.

    within, [depth + 1]: they are K of the first t, any K equally likely. (The K + 1-th of the subset has rank t + 1;
    for t = depth: K of the subset are among the first `depth`, and no next one needs to be.) beyond, [K + 1]: K - m of
    the first `depth`, and m from beyond, m >= 1. few, [K]: the subset has only j < K examples.
    """

    within: FloatArray
    beyond: FloatArray
    few: FloatArray

    @property
    def tail(self) -> float:
        """Probability that an example beyond the depth votes."""
        return float(self.beyond.sum())

    @property
    def votes_beyond(self) -> float:
        """Expected share of votes from beyond the depth."""
        return float((self.beyond * np.arange(len(self.beyond))).sum() / (len(self.beyond) - 1))


def subset_size(ratio: float, n: int) -> int:
    """Examples of n in a subset of ratio `ratio`, rounded, at least 1, at most n - 1."""
    return int(np.clip(np.rint(ratio * n), 1, n - 1))


def first_weights(others: int, depth: int, ratio: Ratio, inclusion: str) -> tuple[FloatArray, float]:
    """Probability that the nearest of a subset has rank r = 1..depth, float64 [depth], and that it lies beyond.

    >>> weights, tail = first_weights(3, 3, "integral", "fixed")
    >>> weights.round(4).tolist(), tail
    ([0.6667, 0.2222, 0.1111], 0.0)
    """
    if isinstance(ratio, str):
        return _first_integral(others, depth, inclusion)
    if not isinstance(ratio, (float, int)):
        many = [first_weights(others, depth, one, inclusion) for one in ratio]
        return np.mean([weights for weights, _ in many], axis=0), float(np.mean([tail for _, tail in many]))
    if inclusion == "bernoulli":
        reached, ranks = _some(ratio, others), np.arange(depth)
        weights = ratio * np.exp(ranks * np.log1p(-ratio)) / reached
        return weights, float(np.exp(depth * np.log1p(-ratio)) * _some(ratio, others - depth) / reached)
    size = subset_size(ratio, others + 1)
    ranks = np.arange(depth)
    # None of the first r is in the subset: a product that ends in 0 where too few are left.
    empty = np.cumprod(np.concatenate([[1.0], np.maximum(others - ranks - size, 0) / (others - ranks)]))
    return empty[:-1] * size / (others - ranks), float(empty[-1])


def _some(ratio: float | FloatArray, others: int) -> FloatArray:
    """Probability that a subset is not empty."""
    return np.asarray(-np.expm1(others * np.log1p(-np.asarray(ratio, np.float64))))


def _first_integral(others: int, depth: int, inclusion: str) -> tuple[FloatArray, float]:
    ranks = np.arange(1.0, depth + 1)
    if inclusion == "fixed":
        grown = (others + 1) / others
        return grown / (ranks * (ranks + 1)), grown / (depth + 1) - 1 / others
    from scipy.special import digamma

    # integral of s u^(r-1) / (1 - u^M), u = 1 - s: the sum over k of 1 / ((r + k M)(r + k M + 1)), k = 0 by itself.
    weights = 1 / (ranks * (ranks + 1))
    weights += (digamma(1 + (ranks + 1) / others) - digamma(1 + ranks / others)) / others
    tail = 1 / (depth + 1) + (digamma(1 + 1 / others) - digamma(1 + (depth + 1) / others)) / others
    return weights, max(0.0, float(tail))


def vote_weights(others: int, depth: int, k: int, ratio: Ratio, inclusion: str, nodes: int = NODES) -> VoteWeights:
    """Probabilities of what the `k` nearest examples of a random subset are; arguments as in `first_weights`.

    An integral is taken by `nodes` a panel.

    >>> vote_weights(4, 4, 2, 0.5, "fixed").within.round(4).tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0]
    """
    if isinstance(ratio, str):
        if inclusion == "fixed":
            return _every_size(others, depth, k)
        return _kept(*panels(others, nodes), others, depth, k)
    grid = np.atleast_1d(np.asarray(ratio, np.float64))
    if inclusion == "bernoulli":
        return _kept(grid, np.full(len(grid), 1 / len(grid)), others, depth, k)
    many = [_drawn(subset_size(float(one), others + 1), others, depth, k) for one in grid]
    return VoteWeights(*(np.mean(part, axis=0) for part in zip(*many, strict=True)))


def panels(others: int, nodes: int = NODES) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and masses on (0, 1), in panels [0, e], [e, 2 e], ... with e < 1 / `others`."""
    x, mass = np.polynomial.legendre.leggauss(nodes)
    ends = np.concatenate([[0.0], 2.0 ** -np.arange(int(np.ceil(np.log2(others + 1))) + 1, -1, -1)])
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half * (x + 1)).ravel(), (half * mass).ravel()


def _kept(ratios: FloatArray, masses: FloatArray, others: int, depth: int, k: int) -> VoteWeights:
    """Weights where each other is kept with probability s, summed over `ratios` with `masses`."""
    from scipy.special import betainc

    masses = masses / _some(ratios, others)

    def included(count: int, of: IntArray) -> FloatArray:
        """P(`count` of the first t are kept), t in `of`: [of, ratios]."""
        kept, left = count * np.log(ratios), (of - count)[:, None] * np.log1p(-ratios)
        return np.asarray(np.exp(kept + left + _log_choose(of, count)[:, None]))

    within, beyond, few = np.zeros(depth + 1), np.zeros(k + 1), np.zeros(k)
    if depth >= k:
        path = included(k, np.arange(k, depth + 1))
        within[k:depth] = (path[:-1] * ratios) @ masses
        within[depth] = path[-1] @ masses
    for m in range(max(1, k - depth), min(k, others - depth) + 1):
        enough = betainc(m, others - depth - m + 1, ratios)
        beyond[m] = (included(k - m, np.array([depth]))[0] * enough) @ masses
    for j in range(1, min(k - 1, others) + 1):
        few[j] = included(j, np.array([others]))[0] @ masses
    return VoteWeights(within, beyond, few)


def _log_choose(of: IntArray, count: int) -> FloatArray:
    """Logarithm of "t choose `count`" for t in `of`, none below `count`."""
    chosen = np.arange(count)
    return np.asarray(np.log((of[:, None] - chosen) / (chosen + 1.0)).sum(1))


def _drawn(size: int, others: int, depth: int, k: int) -> VoteWeights:
    """Weights where `size` of the others are drawn."""
    within, beyond, few = np.zeros(depth + 1), np.zeros(k + 1), np.zeros(k)
    if size < k:
        few[size] = 1.0
        return VoteWeights(within, beyond, few)

    def included(count: int) -> FloatArray:
        """P(`count` of the first t are drawn), t = count..depth."""
        ranks, chosen = np.arange(count, depth), np.arange(count)
        left = np.maximum(others - size - ranks + count, 0)
        with np.errstate(divide="ignore"):
            growth = np.log(left / (others - ranks)) + np.log((ranks + 1) / (ranks + 1 - count))
        start = np.log((size - chosen) / (others - chosen)).sum()
        return np.asarray(np.exp(start + np.concatenate([[0.0], np.cumsum(growth)])))

    if depth >= k:
        path = included(k)
        within[k:depth] = path[:-1] * (size - k) / (others - np.arange(k, depth))
        within[depth] = path[-1]
    for m in range(max(1, k - depth), min(k, others - depth) + 1):
        beyond[m] = included(k - m)[-1]
    return VoteWeights(within, beyond, few)


def _every_size(others: int, depth: int, k: int) -> VoteWeights:
    """Weights where 1 to `others` are drawn, each number with the same probability: s uniform on (0, 1), none empty."""
    within, beyond, few = np.zeros(depth + 1), np.zeros(k + 1), np.zeros(k)
    grown = (others + 1) / others
    ranks = np.arange(k, depth)
    if depth >= k:
        within[k:depth] = grown * (k + 1) / ((ranks + 1.0) * (ranks + 2.0))
        within[depth] = grown / (depth + 1)
    for m in range(max(1, k - depth), min(k, others - depth) + 1):
        inside = k - m
        short = sum(_split(inside, y, depth, others) for y in range(m)) / (others + 1)
        beyond[m] = grown * max(0.0, 1 / (depth + 1) - short)
    few[1 : min(k - 1, others) + 1] = 1 / others
    return VoteWeights(within, beyond, few)


def _split(inside: int, outside: int, depth: int, others: int) -> float:
    """P(of `inside` + `outside` drawn, `inside` are among the first `depth`)."""
    first, second = np.arange(inside), np.arange(outside)
    orders = np.prod((outside + 1.0 + first) / (first + 1))
    marked = np.prod((depth - first) / (others - first))
    return float(orders * marked * np.prod((others - depth - second) / (others - inside - second)))


def tail_of(others: int, depth: int, k: int, ratio: Ratio, inclusion: str) -> tuple[float, float]:
    """Probability that an example beyond the depth votes, and the expected share of votes from there."""
    if k == 1:
        tail = first_weights(others, depth, ratio, inclusion)[1]
        return tail, tail
    weights = vote_weights(others, depth, k, ratio, inclusion)
    return weights.tail, weights.votes_beyond


def default_depth(k: int, ratio: Ratio) -> int:
    """Depth beyond which `VOTES_BEYOND` of the votes lie in subsets of a large data set, at most `DEEPEST`.

    >>> default_depth(1, 0.1), default_depth(1, 0.3), default_depth(1, 0.5), default_depth(1, "integral")
    (88, 26, 14, 100)
    """
    most = DEEPEST[k > 1]
    if isinstance(ratio, str):
        return most
    # Expected number of missing votes, sum over x < k of (k - x) P(x of the first t are kept), for t = k..most.
    depths, ratios = np.arange(k, max(k, most) + 1), np.atleast_1d(np.asarray(ratio, np.float64))
    missing = np.zeros(len(depths))
    for x in range(k):
        kept = np.exp(x * np.log(ratios) + (depths - x)[:, None] * np.log1p(-ratios) + _log_choose(depths, x)[:, None])
        missing += (k - x) * kept.mean(1)
    enough = np.flatnonzero(missing <= VOTES_BEYOND * k)
    return int(depths[enough[0]]) if len(enough) else most
