"""Expected credit of a label in the vote of K random neighbours, exactly: compiled sums over how many votes it gets.

K of the first t neighbours vote, any K equally likely. Let the label get v votes; every other class then has at most v,
and credit is 1 / (1 + e) if e classes have v too. The ways to hand out the K - v other votes are a coefficient of

    product over other classes c of  sum_{x < v} C(a_c, x) z^x  +  u C(a_c, v) z^v

where u marks a draw; 1 / (1 + e) is the integral of u^e over (0, 1), which a few Gauss-Legendre nodes give exactly, for
e is at most K / v - 1. Where 2 v > K no other class can come near, and C(t - a, K - v) does. All terms are positive:
nothing cancels. Of a block of tied neighbours m vote, any m equally likely: a second variable counts those.

Work for each t: about K^2 (log K) / 4 products a class present, none where only one class is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dataaudit.common.types import FloatArray, IntArray
from dataaudit_kernels.compiled import compiled


def scaled_choose(counts: ArrayLike, most: int, scale: float) -> FloatArray:
    """C(count, x) scale^x, x = 0..most: float64 [counts, most + 1]; the scale keeps large ones finite."""
    left = np.asarray(counts, np.float64)
    rows = np.ones((len(left), most + 1))
    for x in range(most):
        rows[:, x + 1] = rows[:, x] * np.maximum(left - x, 0) / (x + 1) * scale
    return rows


def draws(k: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and masses on (0, 1) by their number, float64 [k // 2 + 2, k // 2 + 1] each; row 0 is not used."""
    most = k // 2 + 1
    nodes, masses = np.zeros((most + 1, most)), np.zeros((most + 1, most))
    for number in range(1, most + 1):
        x, mass = np.polynomial.legendre.leggauss(number)
        nodes[number, :number], masses[number, :number] = (x + 1) / 2, mass / 2
    return nodes, masses


@compiled()
def single(k, classes, rows, at, most, others, nodes, masses, work):
    """Ways to choose k examples, times the credit of class 0.

    Class c has rows[at[c], x] ways to give x of its most[c] examples; all classes but 0 together rows[others, x].
    """
    total = 0.0
    present = 0
    for c in range(1, classes):
        present += most[c] > 0
    for v in range(1, min(k, most[0]) + 1):
        left = k - v
        mine = rows[at[0], v]
        if 2 * v > k:
            total += mine * rows[others, left]
            continue
        if present * v < left:
            continue
        # One vote each: all are tied, and nothing is to be integrated.
        number = min(left // v, present) // 2 + 1 if v > 1 else 1
        for node in range(number):
            mark, mass = (nodes[number, node], masses[number, node]) if v > 1 else (1.0, 1 / k)
            work[0] = 1.0
            top = 0
            seen = 0
            for c in range(1, classes):
                if most[c] == 0:
                    continue
                seen += 1
                row = at[c]
                few = min(v, most[c])
                new = min(left, top + few)
                # Of the last class only one coefficient is wanted.
                first = left if seen == present else 0
                for x in range(new, first - 1, -1):
                    value = work[x] if x <= top else 0.0
                    for take in range(max(1, x - top), min(few, x) + 1):
                        term = rows[row, take] * work[x - take]
                        value += term * mark if take == v else term
                    work[x] = value
                top = new
            if top == left:
                total += mine * mass * work[left]
    return total


@compiled()
def double(
    k, limit, classes, rows, at, most, others, rows2, at2, most2, others2, nodes, masses, work, ways
):  # fmt: skip
    """ways[m] for m = 0..limit: to choose k - m examples as in `single` and m of a second lot, times the credit."""
    ways[: limit + 1] = 0.0
    present = 0
    largest = 0
    for c in range(1, classes):
        present += most[c] + most2[c] > 0
        largest = max(largest, most[c] + most2[c])
    for v in range(1, min(k, most[0] + most2[0]) + 1):
        left = k - v
        high = min(limit, left)
        number = 1
        if 2 * v <= k:
            if present * min(v, largest) < left:
                continue
            # One vote each: all are tied, and nothing is to be integrated.
            number = min(left // v, present) // 2 + 1 if v > 1 else 1
        for node in range(number):
            if 2 * v > k:
                for y in range(high + 1):
                    work[y, left - y] = rows[others, left - y] * rows2[others2, y]
                mass = 1.0
            else:
                mark, mass = (nodes[number, node], masses[number, node]) if v > 1 else (1.0, 1 / k)
                _hand_out(left, high, v, mark, classes, rows, at, most, rows2, at2, most2, work)
            for y in range(high + 1):
                for mine in range(min(v, limit - y) + 1):
                    ways[y + mine] += mass * work[y, left - y] * rows[at[0], v - mine] * rows2[at2[0], mine]


@compiled()
def _hand_out(left, high, v, mark, classes, rows, at, most, rows2, at2, most2, work):
    """Ways to give x votes from the first lot and y from the second to classes 1.., each at most v: work[y, x]."""
    work[: high + 1, : left + 1] = 0.0
    work[0, 0] = 1.0
    for c in range(1, classes):
        few, few2 = min(v, most[c]), min(v, most2[c])
        if few + few2 == 0:
            continue
        row, row2 = at[c], at2[c]
        for y in range(high, -1, -1):
            for x in range(left - y, -1, -1):
                value = 0.0
                for take2 in range(min(few2, y) + 1):
                    part = 0.0
                    for take in range(min(few, x, v - take2) + 1):
                        term = rows[row, take] * work[y - take2, x - take]
                        part += term * mark if take + take2 == v else term
                    value += rows2[row2, take2] * part
                work[y, x] = value


@compiled()
def expected_votes(
    labels, starts, own, counts, within, beyond, k, choose, rest_scale, nodes, masses, scores
):  # fmt: skip
    """Add to scores [b] the expected credit of the labels `own` [b], but for subsets of fewer than k examples.

    `labels`, `starts` [b, depth] are those of the neighbours; `counts` [C] of the classes include the example itself;
    `within`, `beyond` as in `VoteWeights`, `nodes`, `masses` as of `draws`. `choose` is `scaled_choose` of 0..depth,
    `rest_scale` the scale for examples beyond the depth.
    """
    rows_of_block, depth = labels.shape
    classes = len(counts)
    slot = np.empty(classes, np.int64)
    local = np.empty(classes, np.int64)
    a, b = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    at2, rest = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    work, work2, ways = np.empty(k + 1), np.empty((k + 1, k + 1)), np.empty(k + 1)
    second = np.empty((classes + 2, k + 1))
    spread = np.empty(k + 1)
    for i in range(rows_of_block):
        slot[:] = -1
        slot[own[i]], local[0] = 0, own[i]
        present = 1
        a[0] = b[0] = 0
        score = 0.0
        t = 0
        while t < depth:
            end = t + 1
            while end < depth and not starts[i, end]:
                end += 1
            for r in range(t, end):
                c = labels[i, r]
                if slot[c] < 0:
                    slot[c], local[present] = present, c
                    a[present] = b[present] = 0
                    present += 1
                b[slot[c]] += 1
            if end >= k:
                if a[0] + b[0] == end:
                    for u in range(max(t + 1, k), end + 1):
                        score += within[u]
                elif a[0] + b[0] > 0:
                    if end == t + 1:
                        if within[end] > 0:
                            for c in range(present):
                                rest[c] = a[c] + b[c]
                            number = single(k, present, choose, rest, rest, end - rest[0], nodes, masses, work)
                            score += within[end] * number / choose[end, k]
                    else:
                        score = _tied(
                            score, t, end - t, within, k, present, choose, a, b, spread, nodes, masses, work2, ways
                        )  # fmt: skip
            for c in range(present):
                a[c] += b[c]
                b[c] = 0
            t = end
        heavy = 0.0
        for m in range(1, k + 1):
            heavy += beyond[m]
        if heavy > 0:
            score += _beyond(
                own[i], counts, slot, local, present, a, at2, rest, depth, beyond, k, choose, rest_scale, second,
                nodes, masses, work2, ways,
            )  # fmt: skip
        scores[i] += score


@compiled()
def _tied(score, t, size, within, k, present, choose, a, b, spread, nodes, masses, work, ways):
    """Score with the expected credit where the last to vote is one of `size` tied neighbours after the first t."""
    limit = min(size, k)
    double(k, limit, present, choose, a, a, t - a[0], choose, b, b, size - b[0], nodes, masses, work, ways)
    spread[: limit + 1] = 0.0
    for u in range(max(1, k - t), size + 1):
        for m in range(max(0, k - t), min(u, limit) + 1):
            spread[m] += within[t + u] * choose[t, k - m] * choose[u, m] / choose[t + u, k]
    for m in range(max(0, k - t), limit + 1):
        score += spread[m] * ways[m] / (choose[t, k - m] * choose[size, m])
    return score


@compiled()
def _beyond(
    own, counts, slot, local, present, a, at2, rest, depth, beyond, k, choose, scale, second, nodes, masses, work, ways
):
    """Expected credit where some of the k vote from beyond the depth, as if those lay in random order."""
    for c in range(len(counts)):
        if slot[c] < 0 and counts[c] > 0:
            slot[c], local[present], a[present] = present, c, 0
            present += 1
    total = 0
    for c in range(present):
        rest[c] = counts[local[c]] - a[c] - (local[c] == own)
        total += rest[c]
        at2[c] = c
    for c in range(present + 2):
        count = rest[c] if c < present else (total - rest[0] if c == present else total)
        second[c, 0] = 1.0
        for x in range(k):
            second[c, x + 1] = second[c, x] * max(count - x, 0) / (x + 1) * scale
    double(
        k, k, present, choose, a, a, depth - a[0], second, at2, rest, present, nodes, masses, work, ways
    )  # fmt: skip
    score = 0.0
    for m in range(1, k + 1):
        if beyond[m] > 0:
            score += beyond[m] * ways[m] / (choose[depth, k - m] * second[present + 1, m])
    return score


def few_votes(counts: IntArray, few: FloatArray, k: int) -> FloatArray:
    """Expected credit of each class in subsets of fewer than k examples, float64 [C]: all of them vote."""
    classes, others = len(counts), int(counts.sum()) - 1
    nodes, masses = draws(k)
    scores, work = np.zeros(classes), np.empty(k + 1)
    for label in range(classes):
        if counts[label] == 0:
            continue
        mine = np.concatenate([[label], np.delete(np.arange(classes), label)])
        most = counts[mine] - (mine == label)
        rows = scaled_choose([*most, others - most[0], others], k, k / max(others, 1))
        at = np.arange(classes)
        for j in range(1, min(k - 1, others) + 1):
            number = single(j, classes, rows, at, most, classes, nodes, masses, work)
            scores[label] += few[j] * number / rows[classes + 1, j]
    return scores
