"""Estimates class by class, for samples of any size, beside neighbours that are known, for `rbf_sampled`.

At small bandwidths, and where rows are heavy-tailed, a few neighbours hold most of a kernel sum, and a uniform sample
sees them seldom: its error is that of whether it does. With the neighbours taken out, what is left to sample varies
little (Karppa, Aumueller, Pagh 2022, DEANN: speeding up kernel-density estimation using approximate nearest neighbour
search). Neighbours that an approximate search missed stay in the population that is sampled: sums are unbiased whatever
its recall.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.agreement import estimated_agreement, without_unknown
from dataaudit_kernels.arrays import Advance, Booleans, Floats, Integers, Singles
from dataaudit_kernels.rbf_cpu import rbf_sums
from dataaudit_kernels.sampled_errors import LOOKED_AT, inflation, spread_order
from dataaudit_kernels.sampled_estimate import Estimate, Sample
from dataaudit_kernels.sampled_parts import Drawn, Population, SampledSums, Totals
from dataaudit_kernels.sampled_source import Group, Source, groups_of
from dataaudit_kernels.taylor import Basis, Moments, direct_sums
from dataaudit_kernels.threads import in_order

Projected = tuple[Singles, Singles, Floats, Floats]

BLOCK = 1024
"""Rows whose sums one thread takes at a time."""

PILOT = 2048
"""Rows on which the size of the sample is chosen."""

RANKED = 65536
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


@dataclass
class Work:
    """Everything that does not depend on the size of the sample.

    `neighbours` are near rows of each, itself not among them, none twice, and how far they are; [n, depth] each. Beside
    them no control variates are used.
    """

    source: Source
    labels: Integers
    bandwidth: float
    exact_class: int | None
    control: bool
    seed: int
    threads: int
    neighbours: tuple[NDArray[np.integer[Any]], Floats] | None = None
    groups: list[Group] = field(init=False)
    basis: Basis = field(init=False)
    whole: Moments = field(init=False)
    parts: list[Moments | None] = field(init=False)
    ranked: Booleans = field(init=False)

    def survey(self, advance: Advance) -> None:
        """Look at all rows once."""
        self.groups = groups_of(self.labels)
        rng = self._random(0)
        self.basis = self.source.basis(rng, sum(group.big for group in self.groups))
        self.control = self.control and self.basis.helps and self.neighbours is None
        self.whole, self.parts = self.source.survey(
            self.groups, self.basis, self.threads, lambda share: advance(SURVEYED * share)
        )
        n = len(self.labels)
        # One order, of which samples of every size are the beginning.
        self._order = spread_order(self.labels, rng)
        self.ranked = np.zeros(n, bool)
        self.ranked[rng.choice(n, min(n, RANKED), replace=False)] = True

    def size_for(self, tolerance: float, most: int) -> int:
        """Size of the sample that keeps 1 - Spearman, estimated on some rows, below the tolerance."""
        n = len(self.labels)
        chosen = np.zeros(n, bool)
        chosen[self._random(1).choice(n, min(n, PILOT), replace=False)] = True
        size = min(FIRST, most)
        while True:
            shared = self._drawn(self._order[:size], True)
            held = [number for number, group in enumerate(self.groups) if chosen[group.rows].any()]
            parts = [self._pilot(number, chosen[self.groups[number].rows], shared, size) for number in held]
            other, same, *halves = (np.concatenate(part) for part in zip(*parts, strict=True))
            apart = [without_unknown(*halves[:3]), without_unknown(*halves[3:])]
            reached = 1 - min(estimated_agreement(other, same, *apart).values())
            if reached <= 0.8 * tolerance or size >= most or 2 * size >= n:
                return size
            size = min(most, max(int(1.25 * size), min(8 * size, int(size * reached / (0.7 * tolerance)))))

    def _pilot(self, number: int, chosen: Booleans, shared: Drawn, size: int) -> tuple[Floats, ...]:
        """Sums of some rows of a group, over other labels and the same, with what `without_unknown` takes of both."""
        group = self.groups[number]
        some = group.rows[chosen]
        x = self.source.take(some)
        others = self._population(some, group, self._sample_of_others(group, size, shared), own=False)
        other = others.estimate(x, self._controls_of_others(self._projected(x), self._moments_of_others(number)))
        others.again_from_afar(other, x)
        known = other.halves, other.stderr, other.effective
        exact = np.zeros_like(other.halves), np.zeros(len(some)), np.full(len(some), np.inf)
        if not group.big:
            return other.total, self._exact(group)[chosen], *known, *exact
        own = self._population(some, group, self._sample_of_own(number, size), own=True)
        same = own.estimate(x, self._controls_of_own(self._projected(x), number))
        own.again_from_afar(same, x)
        sampled = same.halves, same.stderr, same.effective
        return other.total, same.total, *known, *(sampled if len(group.rows) > self._limit(size) else exact)

    def sums(self, size: int, part: float, advance: Advance) -> SampledSums:
        """Sums of all rows from a shared sample of a size; `part` is their share of the whole work."""
        n, limit, exact_class = len(self.labels), self._limit(size), 0
        shared, totals = self._drawn(self._order[:size], True), Totals(self.ranked)
        for number, group in enumerate(self.groups):
            within = None
            if group.big and len(group.rows) > limit:
                within = self._sample_of_own(number, size)
            else:
                totals.sums[1, group.rows] = self._exact(group)
                exact_class = max(exact_class, int(np.unique(self.labels[group.rows], return_counts=True)[1].max()))
            block = self._block_of(number, self._sample_of_others(group, size, shared), within, totals)
            for which, sampled in in_order(block, range(0, len(group.rows), BLOCK), self.threads):
                for kind, (estimates, sizes) in enumerate(sampled):
                    totals.put(kind, which, estimates, sizes)
                totals.members[which] = sampled[0][0].members
                advance(part * len(which) / n)
        return totals.result(size, exact_class, self.basis.rank if self.control else 0)

    def _block_of(
        self, number: int, shared: Drawn, within: Drawn | None, totals: Totals
    ) -> Callable[[int], tuple[Integers, list[tuple[Estimate, Integers]]]]:
        """Estimates of a block of a group's rows, with sizes of populations: other labels and, if sampled, the same."""
        group, moments = self.groups[number], self._moments_of_others(number)
        wider = self._wider(group, shared, own=False)
        own_wider = 1.0 if within is None else self._wider(group, within, own=True)

        def block(start: int) -> tuple[Integers, list[tuple[Estimate, Integers]]]:
            which = group.rows[start : start + BLOCK]
            x = self.source.take(which)
            projected = self._projected(x)
            among = None if group.big else self.labels[which]
            others = self._population(which, group, shared, own=False)
            other = others.estimate(x, self._controls_of_others(projected, moments, among), wider)
            if within is None:
                others.again_from_afar(other, x, 0.0 if self.neighbours is not None else totals.sums[1, which])
                return which, [(others.with_known(other), others.size)]
            own = self._population(which, group, within, own=True)
            same = own.estimate(x, self._controls_of_own(projected, number), own_wider)
            # Without neighbours the sum over other labels need not be seen where that over the same is large.
            others.again_from_afar(other, x, 0.0 if self.neighbours is not None else same.total.copy())
            own.again_from_afar(same, x)
            return which, [(others.with_known(other), others.size), (own.with_known(same), own.size)]

        return block

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])

    def _limit(self, size: int) -> int:
        """Largest class that is summed exactly."""
        most = EXACT * size if self.exact_class is None else self.exact_class
        return min(most, HELD_CLASS // int(self.source.rows.shape[1]))

    def _exact(self, group: Group) -> Floats:
        """Sums over the same label, of all pairs of a group."""
        x = np.asarray(self.source.rows[group.rows])
        return rbf_sums(x, self.labels[group.rows], self.bandwidth, threads=self.threads)[1]

    def _drawn(self, which: Integers, labelled: bool = False) -> Drawn:
        ordered = np.sort(which)
        x = np.empty((len(which), self.source.rows.shape[1]), np.float32)
        for start in range(0, len(which), BLOCK):
            part = ordered[start : start + BLOCK]
            x[start : start + BLOCK] = self.source.take(part)
        back = np.empty(len(which), np.int64)
        back[np.argsort(which, kind="stable")] = np.arange(len(which))
        return Drawn(which, Sample(x[back], self.basis, self.labels[which] if labelled else None), len(self.labels))

    def _sample_of_own(self, number: int, size: int) -> Drawn:
        rows = self.groups[number].rows
        return self._drawn(self._random(2, number).choice(rows, min(size, len(rows)), replace=False))

    def _sample_of_others(self, group: Group, size: int, shared: Drawn) -> Drawn:
        """The shared sample, or one of other labels alone for a class of which the shared one holds few others."""
        if not group.big or size * (1 - len(group.rows) / len(self.labels)) >= ALONE:
            return shared
        rest = np.flatnonzero(self.labels != self.labels[group.rows[0]])
        return self._drawn(rest[spread_order(self.labels[rest], self._random(3))[:size]], True)

    def _population(self, which: Integers, group: Group, drawn: Drawn, own: bool) -> Population:
        """Population left to sample for rows of a group: of their own label, or of others."""
        labels = self.labels[which]
        near, counts = np.empty((len(which), 0), np.int64), np.empty((len(which), 0), bool)
        size, known = np.full(len(which), len(group.rows) - 1), np.zeros(len(which))
        if not own:
            theirs, sizes = np.unique(self.labels[group.rows], return_counts=True)
            size = np.asarray(len(self.labels) - sizes[np.searchsorted(theirs, labels)], np.int64)
        if self.neighbours is not None:
            near = self.neighbours[0][which].astype(np.int64)
            counts = (self.labels[near] == labels[:, None]) == own
            kernels = np.exp(-((self.neighbours[1][which] / self.bandwidth) ** 2))
            known = np.where(counts, kernels, 0.0).sum(1)
            size = size - counts.sum(1)
        if own:
            near, counts = np.column_stack([near, which]), np.column_stack([counts, np.ones(len(which), bool)])
        start, members = np.zeros(len(which) + 1, np.int64), np.empty(0, np.int64)
        if near.shape[1]:
            positions = drawn.positions[near]
            seen = counts & (positions >= 0)
            start[1:], members = np.cumsum(seen.sum(1)), positions[seen]
        return Population(drawn.sample, None if own else labels, start, members, size, known)

    def _wider(self, group: Group, drawn: Drawn, own: bool) -> float:
        """Factor of the standard errors of a group's sums, as seen on some of its rows."""
        rows = group.rows[:: max(1, len(group.rows) // LOOKED_AT)][:LOOKED_AT]
        out = self._population(rows, group, drawn, own).left_out(np.arange(len(rows)))
        return math.sqrt(inflation(self.source.take(rows), drawn.sample, out, self.control))

    def _moments_of_others(self, number: int) -> Moments:
        """Moments of all rows but those of a class that is big."""
        moments, own = Moments(self.whole.d, self.whole.r), self.parts[number]
        moments.plus(self.whole)
        if own is not None:
            moments.minus(own)
        return moments

    def _projected(self, x: Singles) -> Projected | None:
        """Rows, in the directions of the basis too, and the factors of both; None where no controls are used."""
        if not self.control:
            return None
        low = self.basis.low(x)
        return x, low, *self.basis.factors(x, low)

    def _controls_of_others(
        self, projected: Projected | None, moments: Moments, among: Integers | None = None
    ) -> Floats | None:
        """Sums of the control variates over other labels; `among` are the labels of a small group, whole."""
        if projected is None:
            return None
        sums = moments.sums(*projected)
        if among is None:
            return sums
        weights = self.basis.weights(np.einsum("ij,ij->i", projected[0], projected[0], dtype=np.float64))
        return np.asarray(sums - direct_sums(*projected, weights, among[:, None] == among))

    def _controls_of_own(self, projected: Projected | None, number: int) -> Floats | None:
        """Sums of the control variates over the same class, each row's own left out."""
        own = self.parts[number]
        if projected is None or own is None:
            return None
        x, low, by, low_by = projected
        squares = np.einsum("ij,ij->i", x, x, dtype=np.float64)
        short = np.einsum("ij,ij->i", low, low, dtype=np.float64)
        weights = self.basis.weights(squares)
        itself = np.column_stack([weights, weights * squares * by, weights * (short * low_by) ** 2])
        return np.asarray(own.sums(*projected) - itself)
