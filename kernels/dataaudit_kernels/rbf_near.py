"""Kernel sums of which the nearest rows are known: these exactly, all others from a sample.

At small bandwidths, and where rows are heavy-tailed, a few neighbours hold most of a kernel sum, and a uniform sample
sees them seldom: its error is that of whether it does. With the neighbours taken out, what is left to sample varies
little (Karppa, Aumueller, Pagh 2022, DEANN: speeding up kernel-density estimation using approximate nearest neighbour
search). Neighbours that an approximate search missed stay in the population that is sampled: sums are unbiased whatever
its recall.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from dataaudit_kernels.agreement import estimated_agreement, without_unknown
from dataaudit_kernels.rbf_cpu import rbf_sums, workers
from dataaudit_kernels.rbf_sampled import _all_pairs
from dataaudit_kernels.sampled_estimate import SIGNS, Estimate, Sample, estimate, from_afar
from dataaudit_kernels.sampled_source import Group, Source, as_rows
from dataaudit_kernels.sampled_work import BLOCK, FIRST, SURVEYED, SampledSums, Work, _unseen
from dataaudit_kernels.threads import in_order
from dataaudit_kernels.validation import UNDERFLOW, check_bandwidth, check_labels

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Advance = Callable[[float], Any]


def near_sums(
    x: ArrayLike | Any,
    labels: ArrayLike,
    bandwidth: float,
    indices: NDArray[np.integer[Any]],
    distances: Floats,
    *,
    tolerance: float | None = 1e-3,
    sample: int = 65536,
    exact_class: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    advance: Advance | None = None,
) -> SampledSums:
    """Estimates of `dataaudit_kernels.reference.rbf_sums` from a neighbour graph and a sample.

    Memory: as `dataaudit_kernels.rbf_sampled.sampled_sums`, and the graph.

    Parameters
    ----------
    x, labels, bandwidth
        As in `dataaudit_kernels.rbf_sampled.sampled_sums`.
    indices, distances
        Near rows of each, itself not among them, none twice, and how far they are, in float64; [n, depth].
    tolerance, sample, exact_class, seed, threads, advance
        As there.

    Returns
    -------
    SampledSums
        Errors are those of the part that is sampled. All pairs are summed where that is no more work.
        The precision is float32: sums have a relative error of up to 2e-6 (1 + R^2 / h^2), R the distance of rows from
        the centre. Standard errors do not hold it: of a tight cluster far from the bulk, sum pairs by themselves, or
        all by `dataaudit_kernels.reference.rbf_sums`, in float64.

    Raises
    ------
    ValueError
        As `sampled_sums`, and where the graph is of other rows.

    Examples
    --------
    >>> found = near_sums([[0.0], [1.0], [1.0]], [0, 0, 1], 1.0, np.array([[1], [2], [1]]), np.array([[1.0], [0], [0]]))
    >>> found.same.round(4).tolist()
    [0.3679, 0.3679, 0.0]
    """
    h = check_bandwidth(bandwidth)
    rows = as_rows(x)
    n = len(rows)
    given = check_labels(labels, n, "labels")
    inside = not indices.size or 0 <= indices.min() <= indices.max() < n
    if indices.shape != distances.shape or len(indices) != n or not inside:
        raise ValueError(
            f"found a graph of shapes {indices.shape} and {distances.shape} for {n} rows; expected positions of rows "
            "and their distances, [n, depth]; pass the graph of these rows"
        )
    step = advance or (lambda share: None)
    if n <= 2 * min(sample, FIRST if tolerance is not None else sample):
        return _all_pairs(rows, given, h, threads, step)
    with threadpool_limits(1, "blas"):
        work = Work(Source(rows, h), given, h, exact_class, False, seed, workers(threads))
        work.survey(step)
        near = Near(work, indices, distances)
        size, part = min(sample, n) if tolerance is None else min(FIRST, sample), 1 - SURVEYED
        while 2 * size < n:
            found = near.sums(size, part, step)
            reached = 1 - min(found.agreement.values())
            if tolerance is None or reached <= tolerance or size >= min(sample, n):
                return found
            # What is done again is no progress.
            size, part = min(sample, n, max(2 * size, min(8 * size, int(1.2 * size * reached / tolerance)))), 0.0
    return _all_pairs(rows, given, h, threads, lambda share: step(part * share))


class Near:
    """Sums of near rows, and of samples of the others.

    Parameters
    ----------
    work
        The rows, surveyed.
    indices, distances
        As in `near_sums`.
    """

    def __init__(self, work: Work, indices: NDArray[np.integer[Any]], distances: Floats) -> None:
        self._work, self._indices, self._distances = work, indices, distances

    def sums(self, size: int, part: float, advance: Advance) -> SampledSums:
        """Sums of all rows from a shared sample of a size; `part` is their share of the whole work."""
        work = self._work
        n = len(work.labels)
        shared = work._sample(work._drawn[:size], True)
        where = _places(n, work._drawn[:size])
        found, members = np.zeros((4, n)), np.zeros(n, np.int64)
        slot = np.cumsum(work.judged) - 1
        halves = np.zeros((2, int(work.judged.sum()), len(SIGNS)))
        effective = np.full((2, len(halves[0])), np.inf)
        exact_class = 0
        for place, group in enumerate(work.groups):
            within, inside = None, where[:0]
            if not group.big or len(group.rows) <= work._limit(size):
                own = work.labels[group.rows]
                theirs = np.asarray(work.source.rows[group.rows])
                found[1, group.rows] = rbf_sums(theirs, own, work.bandwidth, threads=work.threads)[1]
                exact_class = max(exact_class, int(np.unique(own, return_counts=True)[1].max()))
            else:
                drawn = work._random(2, place).choice(group.rows, min(size, len(group.rows)), replace=False)
                within, inside = work._sample(drawn), _places(n, drawn)

            alone = work._alone(group, size)
            others = (shared, where) if alone is None else (work._sample(alone, True), _places(n, alone))
            wider = self._wider(group, *others, False)
            own_wider = 1.0 if within is None else self._wider(group, within, inside, True)

            def block(
                start: int,
                group: Group = group,
                within: Sample | None = within,
                inside: Integers = inside,
                others: tuple[Sample, Integers] = others,
                wider: float = wider,
                own_wider: float = own_wider,
            ) -> tuple[Integers, Estimate, Integers, Estimate | None, Integers]:
                which = group.rows[start : start + BLOCK]
                other, rest = self._others(which, group, wider, *others)
                return which, other, rest, *self._own(which, group, own_wider, within, inside)

            for which, other, rest, same, left in in_order(block, range(0, len(group.rows), BLOCK), work.threads):
                chosen = work.judged[which]
                found[0, which], found[2, which], members[which] = other.total, other.stderr, other.members
                halves[0, slot[which[chosen]]] = _unseen(other, rest)[chosen]
                effective[0, slot[which[chosen]]] = other.effective[chosen]
                if same is not None:
                    found[1, which], found[3, which] = same.total, same.stderr
                    halves[1, slot[which[chosen]]] = _unseen(same, left)[chosen]
                    effective[1, slot[which[chosen]]] = same.effective[chosen]
                advance(part * len(which) / n)
        apart = [without_unknown(*of) for of in zip(halves, found[2:, work.judged], effective, strict=True)]
        agreement = estimated_agreement(found[0, work.judged], found[1, work.judged], *apart)
        return SampledSums(found[0] + found[1], found[1], found[2], found[3], members, agreement, size, exact_class, 0)

    def _near(self, which: Integers, own: bool) -> tuple[Integers, NDArray[np.bool_], Floats]:
        """Near rows of each [b, depth], which of them carry its label (or not), and sums of these [b]."""
        work, near = self._work, self._indices[which].astype(np.int64)
        counts = (work.labels[near] == work.labels[which, None]) == own
        kernels = np.exp(-((self._distances[which] / work.bandwidth) ** 2))
        return near, counts, np.where(counts, kernels, 0.0).sum(1)

    def _wider(self, group: Group, sample: Sample, where: Integers, own: bool) -> float:
        """What standard errors of a group's sums, over its own label or others, are to be multiplied by."""
        rows = self._work.looked_at(group)
        near, counts, _ = self._near(rows, own)
        out = np.zeros((len(rows), len(sample)), bool) if own else sample.labels == self._work.labels[rows, None]
        if own:
            near, counts = np.column_stack([near, rows]), np.column_stack([counts, np.ones(len(rows), bool)])
        _mark(out, *_listed(where[near], counts), np.arange(len(rows)))
        return self._work.wider(rows, sample, out)

    def _others(
        self, which: Integers, group: Group, wider: float, sample: Sample, where: Integers
    ) -> tuple[Estimate, Integers]:
        """Sums over other labels, and how many rows they are sampled from."""
        work = self._work
        x, labels = work.source.take(which), work.labels[which]
        near, counts, sums = self._near(which, False)
        population = work._population(labels, group) - counts.sum(1)
        start, members = _listed(where[near], counts)
        sums_of = sample.moments(x, labels, (start, members))
        found = estimate(sums_of, population, None).widened(wider)
        low = np.flatnonzero(found.total < UNDERFLOW)
        if len(low):
            out = sample.labels == labels[low, None]
            _mark(out, start, members, low)
            from_afar(found, low, x, sample, out, population)
        return _with_near(found, sums), population

    def _own(
        self, which: Integers, group: Group, wider: float, within: Sample | None, inside: Integers
    ) -> tuple[Estimate | None, Integers]:
        """Sums over the same label where it is sampled, and from how many rows."""
        if within is None:
            return None, which[:0]
        x = self._work.source.take(which)
        near, counts, sums = self._near(which, True)
        population = len(group.rows) - 1 - counts.sum(1)
        every = np.column_stack([inside[near], inside[which]])
        start, members = _listed(every, np.column_stack([counts, np.ones(len(which), bool)]))
        found = estimate(within.moments(x, None, (start, members)), population, None).widened(wider)
        low = np.flatnonzero(found.total < UNDERFLOW)
        if len(low):
            out = np.zeros((len(low), len(within)), bool)
            _mark(out, start, members, low)
            from_afar(found, low, x, within, out, population)
        return _with_near(found, sums), population


def _with_near(found: Estimate, sums: Floats) -> Estimate:
    """Estimates with the sums of near rows added, of which less rests on the members of a sample."""
    total = found.total + sums
    growth = np.divide(total, found.total, out=np.ones(len(total)), where=found.total > 0)
    growth = np.minimum(growth, 1e100)
    # Beside near rows, members that are all 0 weigh nothing.
    effective = np.where((found.total == 0) & (sums > 0), np.inf, found.effective * growth**2)
    return replace(found, total=total, effective=effective)


def _places(n: int, drawn: Integers) -> Integers:
    """Where each of n rows is in a sample, -1 where it is not; int64 [n]."""
    found = np.full(n, -1, np.int64)
    found[drawn] = np.arange(len(drawn))
    return found


def _listed(places: Integers, counts: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Members of a sample among the `places` that count, as `Sample.moments` leaves them out."""
    seen = counts & (places >= 0)
    return np.concatenate([[0], np.cumsum(seen.sum(1))]).astype(np.int64), places[seen]


def _mark(out: NDArray[np.bool_], start: Integers, members: Integers, rows: Integers) -> None:
    """Mark the members that rows leave out, in a table [rows, sample]."""
    for place, row in enumerate(rows.tolist()):
        out[place, members[start[row] : start[row + 1]]] = True
