"""Estimates class by class, for samples of any size: what `rbf_sampled` is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.agreement import estimated_agreement, without_unknown
from dataaudit_kernels.rbf_cpu import rbf_sums
from dataaudit_kernels.sampled_errors import LOOKED_AT, inflation, spread_order
from dataaudit_kernels.sampled_estimate import SIGNS, Estimate, Sample, estimate, from_afar
from dataaudit_kernels.sampled_source import Group, Source, groups_of
from dataaudit_kernels.taylor import Basis, Moments, direct_sums
from dataaudit_kernels.threads import in_order
from dataaudit_kernels.validation import UNDERFLOW

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Advance = Callable[[float], Any]

BLOCK = 1024
"""Rows whose sums one thread takes at a time."""

PILOT = 2048
"""Rows on which the size of the sample is chosen."""

JUDGED = 65536
"""Most rows on which the agreement of the rankings is estimated."""

FIRST = 1024
"""Members of the first sample that is tried for a tolerance."""

ALONE = 64
"""Members of other labels below which a class gets a sample of the others for itself."""

EXACT = 4
"""Largest class that is summed exactly, in sizes of the sample: all its pairs cost two samples."""

SURVEYED = 0.1
"""Share of the work that reading and the moments count for."""

HELD_CLASS = 2**26
"""Values of a class that is summed exactly; larger ones are sampled."""


@dataclass(frozen=True)
class SampledSums:
    """Kernel sums of n rows, self pairs left out, with their errors.

    Attributes
    ----------
    total, same
        Sums over all others and over those of the same label, float64 [n].
    other_stderr, same_stderr
        Standard errors of the sums over other labels and over the same label, float64 [n]; 0 where all of a sum was
        looked at, which leaves the error of float32. The two come from different samples: their errors are independent.
    members
        Members that the sum over other labels is estimated from, int64 [n].
    agreement
        Estimated Spearman correlation of each density score with the exact one.
    sample
        Members of the shared sample; n where all pairs were summed.
    exact_class
        Largest class of which all pairs were summed.
    rank
        Directions of the control variates' second degree; 0 without control variates.
    """

    total: Floats
    same: Floats
    other_stderr: Floats
    same_stderr: Floats
    members: Integers
    agreement: dict[str, float]
    sample: int
    exact_class: int
    rank: int


@dataclass
class Work:
    """Everything that does not depend on the size of the sample."""

    source: Source
    labels: Integers
    bandwidth: float
    exact_class: int | None
    control: bool
    seed: int
    threads: int
    groups: list[Group] = field(init=False)
    basis: Basis = field(init=False)
    whole: Moments = field(init=False)
    parts: list[Moments | None] = field(init=False)
    judged: NDArray[np.bool_] = field(init=False)

    def survey(self, advance: Advance) -> None:
        """One pass over all rows."""
        self.groups = groups_of(self.labels)
        rng = self._random(0)
        self.basis = self.source.basis(rng, sum(group.big for group in self.groups))
        self.control = self.control and self.basis.helps
        self.whole, self.parts = self.source.survey(
            self.groups, self.basis, self.threads, lambda share: advance(SURVEYED * share)
        )
        n = len(self.labels)
        # One order, of which samples of every size are the beginning.
        self._drawn = spread_order(self.labels, rng)
        self.judged = np.zeros(n, bool)
        self.judged[rng.choice(n, min(n, JUDGED), replace=False)] = True

    def _random(self, *place: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *place])

    def _limit(self, size: int) -> int:
        """Largest class that is summed exactly."""
        most = EXACT * size if self.exact_class is None else self.exact_class
        return min(most, HELD_CLASS // int(self.source.rows.shape[1]))

    def _sample(self, which: Integers, labelled: bool = False) -> Sample:
        ordered = np.sort(which)
        x = np.empty((len(which), self.source.rows.shape[1]), np.float32)
        for start in range(0, len(which), BLOCK):
            part = ordered[start : start + BLOCK]
            x[start : start + BLOCK] = self.source.take(part)
        back = np.empty(len(which), np.int64)
        back[np.argsort(which, kind="stable")] = np.arange(len(which))
        return Sample(x[back], self.basis, self.labels[which] if labelled else None)

    def size_for(self, tolerance: float, most: int) -> int:
        """Size of the sample that keeps 1 - Spearman, estimated on some rows, below the tolerance."""
        n = len(self.labels)
        chosen = np.zeros(n, bool)
        chosen[self._random(1).choice(n, min(n, PILOT), replace=False)] = True
        size = min(FIRST, most)
        while True:
            shared = self._sample(self._drawn[:size], True)
            parts = []
            for place, group in enumerate(self.groups):
                some = group.rows[chosen[group.rows]]
                if len(some):
                    parts.append(self._pilot(place, some, shared, size))
            other, same, *halves = (np.concatenate(part) for part in zip(*parts, strict=True))
            apart = [without_unknown(*halves[:3]), without_unknown(*halves[3:])]
            reached = 1 - min(estimated_agreement(other, same, *apart).values())
            if reached <= 0.8 * tolerance or size >= most or 2 * size >= n:
                return size
            size = min(most, max(int(1.25 * size), min(8 * size, int(size * reached / (0.7 * tolerance)))))

    def _pilot(self, place: int, some: Integers, shared: Sample, size: int) -> tuple[Floats, ...]:
        """Sums of some rows of a group, over other labels and the same, with what `without_unknown` takes of both."""
        group, x, labels = self.groups[place], self.source.take(some), self.labels[some]
        alone = self._alone(group, size)
        sample = shared if alone is None else self._sample(alone, True)
        others = self._others(x, labels, group, self._moments_of_others(place), sample, None)
        low = np.flatnonzero(others.total < UNDERFLOW)
        if len(low):
            from_afar(others, low, x, sample, sample.labels == labels[low, None], self._population(labels, group))
        known = others.halves, others.stderr, others.effective
        exact = np.zeros_like(others.halves), np.zeros(len(some)), np.full(len(some), np.inf)
        if not group.big:
            theirs = np.asarray(self.source.rows[group.rows])
            same = rbf_sums(theirs, self.labels[group.rows], self.bandwidth, threads=self.threads)[1]
            place_of = np.searchsorted(np.sort(group.rows), some)
            same = same[np.argsort(group.rows, kind="stable")[place_of]]
            return others.total, same, *known, *exact
        drawn = self._random(2, place).choice(group.rows, min(size, len(group.rows)), replace=False)
        members = self._sample(drawn)
        within = self._within(x, some, drawn, members, place)
        low = np.flatnonzero(within.total < UNDERFLOW)
        if len(low):
            population = np.full(len(x), len(group.rows) - 1)
            from_afar(within, low, x, members, drawn == some[low, None], population)
        sampled = within.halves, within.stderr, within.effective
        return others.total, within.total, *known, *(sampled if len(group.rows) > self._limit(size) else exact)

    def _alone(self, group: Group, size: int) -> Integers | None:
        """Rows of other labels, drawn for a class of which the shared sample holds few others; None for the rest."""
        if not group.big or size * (1 - len(group.rows) / len(self.labels)) >= ALONE:
            return None
        rest = np.flatnonzero(self.labels != self.labels[group.rows[0]])
        return rest[spread_order(self.labels[rest], self._random(3))[:size]]

    def looked_at(self, group: Group) -> Integers:
        """Rows of a group on which its errors are looked at."""
        return group.rows[:: max(1, len(group.rows) // LOOKED_AT)][:LOOKED_AT]

    def wider(self, rows: Integers, sample: Sample, left_out: NDArray[np.bool_]) -> float:
        """What standard errors are to be multiplied by, as seen on some rows; `left_out` as `inflation` takes it."""
        return math.sqrt(inflation(self.source.take(rows), sample, left_out, self.control))

    def _moments_of_others(self, place: int) -> Moments:
        """Moments of all rows but those of a class that is big."""
        found, own = Moments(self.whole.d, self.whole.r), self.parts[place]
        found.plus(self.whole)
        if own is not None:
            found.minus(own)
        return found

    def _population(self, labels: Integers, group: Group) -> Integers:
        """Number of rows of other labels, of rows of a group, int64 [b]."""
        theirs, counts = np.unique(self.labels[group.rows], return_counts=True)
        return np.asarray(len(self.labels) - counts[np.searchsorted(theirs, labels)], np.int64)

    def _others(
        self, x: Singles, labels: Integers, group: Group, moments: Moments, sample: Sample, among: Floats | None
    ) -> Estimate:
        """Sums over rows of other labels; `among` are the controls' sums over a small group's own classes."""
        size = self._population(labels, group)
        low = self.basis.low(x)
        controls = moments.sums(x, low, *self.basis.factors(x, low)) if self.control else None
        if controls is not None and among is not None:
            controls -= among
        return estimate(sample.moments(x, labels), size, controls)

    def _within(self, x: Singles, which: Integers, drawn: Integers, sample: Sample, place: int) -> Estimate:
        """Sums over the same class from a sample of it, each row left out of its own."""
        size = np.full(len(x), len(self.groups[place].rows) - 1)
        controls, own = None, self.parts[place]
        if self.control and own is not None:
            low = self.basis.low(x)
            by, low_by = self.basis.factors(x, low)
            controls = own.sums(x, low, by, low_by) - self._own_terms(x, low, by, low_by)
        return estimate(sample.moments(x, None, _themselves(which, drawn)), size, controls)

    def _own_terms(self, x: Singles, low: Singles, by: Floats, low_by: Floats) -> Floats:
        """Control variates of each row with itself, [b, 3]."""
        squares = np.einsum("ij,ij->i", x, x, dtype=np.float64)
        short = np.einsum("ij,ij->i", low, low, dtype=np.float64)
        weights = self.basis.weights(squares)
        return np.column_stack([weights, weights * squares * by, weights * (short * low_by) ** 2])

    def sums(self, size: int, part: float, advance: Advance) -> SampledSums:
        """Sums of all rows from a shared sample of a size; `part` is their share of the whole work."""
        n, limit = len(self.labels), self._limit(size)
        shared = self._sample(self._drawn[:size], True)
        found, members = np.zeros((4, n)), np.zeros(n, np.int64)
        slot = np.cumsum(self.judged) - 1
        halves = np.zeros((2, int(self.judged.sum()), len(SIGNS)))
        effective = np.full((2, len(halves[0])), np.inf)
        exact_class = 0
        for place, group in enumerate(self.groups):
            exact, within, drawn = not group.big or len(group.rows) <= limit, None, group.rows[:0]
            if exact:
                theirs = np.asarray(self.source.rows[group.rows])
                own = self.labels[group.rows]
                found[1, group.rows] = rbf_sums(theirs, own, self.bandwidth, threads=self.threads)[1]
                exact_class = max(exact_class, int(np.unique(own, return_counts=True)[1].max()))
            else:
                drawn = self._random(2, place).choice(group.rows, min(size, len(group.rows)), replace=False)
                within = self._sample(drawn)
            alone = self._alone(group, size)
            sample = shared if alone is None else self._sample(alone, True)
            others, seen = self._moments_of_others(place), self.looked_at(group)
            wider = self.wider(seen, sample, sample.labels == self.labels[seen, None])
            own_wider = 1.0 if within is None else self.wider(seen, within, drawn == seen[:, None])

            def work(
                start: int,
                place: int = place,
                group: Group = group,
                within: Sample | None = within,
                drawn: Integers = drawn,
                sample: Sample = sample,
                others: Moments = others,
                wider: float = wider,
                own_wider: float = own_wider,
            ) -> tuple[Integers, Estimate, Estimate | None]:
                which = group.rows[start : start + BLOCK]
                x, labels = self.source.take(which), self.labels[which]
                among = None if group.big or not self.control else self._among(x, labels)
                other = self._others(x, labels, group, others, sample, among).widened(wider)
                same = None if within is None else self._within(x, which, drawn, within, place).widened(own_wider)
                near = found[1, which] if same is None else same.total
                low = np.flatnonzero(other.total + near < UNDERFLOW)
                if len(low):
                    out = sample.labels == labels[low, None]
                    from_afar(other, low, x, sample, out, self._population(labels, group))
                    if same is not None and within is not None:
                        from_afar(same, low, x, within, drawn == which[low, None], np.full(len(x), len(group.rows) - 1))
                return which, other, same

            for which, other, same in in_order(work, range(0, len(group.rows), BLOCK), self.threads):
                found[0, which], found[2, which], members[which] = other.total, other.stderr, other.members
                chosen = self.judged[which]
                size_of = self._population(self.labels[which], group)
                halves[0, slot[which[chosen]]] = _unseen(other, size_of)[chosen]
                effective[0, slot[which[chosen]]] = other.effective[chosen]
                if same is not None:
                    found[1, which], found[3, which] = same.total, same.stderr
                    size_of = np.full(len(which), len(group.rows) - 1)
                    halves[1, slot[which[chosen]]] = _unseen(same, size_of)[chosen]
                    effective[1, slot[which[chosen]]] = same.effective[chosen]
                advance(part * len(which) / n)
        apart = [without_unknown(*of) for of in zip(halves, found[2:, self.judged], effective, strict=True)]
        agreement = estimated_agreement(found[0, self.judged], found[1, self.judged], *apart)
        rank = self.basis.rank if self.control else 0
        return SampledSums(
            found[0] + found[1], found[1], found[2], found[3], members, agreement, size, exact_class, rank
        )

    def _among(self, x: Singles, labels: Integers) -> Floats:
        """Sums of the control variates over the rows of each row's own label, all of which are in `x`."""
        low = self.basis.low(x)
        by, low_by = self.basis.factors(x, low)
        weights = self.basis.weights(np.einsum("ij,ij->i", x, x, dtype=np.float64))
        return direct_sums(x, low, by, low_by, weights, labels[:, None] == labels)


def _unseen(found: Estimate, population: Integers) -> Floats:
    """Half differences as far as they are errors of an estimate from a finite population, [b, repeats]."""
    share = np.maximum(1 - found.members / np.maximum(population, 1), 0.0)
    return np.asarray(found.halves * np.sqrt(share)[:, None])


def _themselves(which: Integers, drawn: Integers) -> tuple[Integers, Integers]:
    """Where rows are members of a sample themselves, as `Sample.moments` leaves them out."""
    order = np.argsort(drawn, kind="stable")
    place = np.minimum(np.searchsorted(drawn, which, sorter=order), len(drawn) - 1)
    inside = drawn[order[place]] == which
    start = np.concatenate([[0], np.cumsum(inside)])
    return start.astype(np.int64), order[place][inside].astype(np.int64)
