"""Parts of estimates from a sample: samples, populations that they stand for, and the sums of all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dataaudit_kernels.agreement import estimated_agreement, without_unknown
from dataaudit_kernels.arrays import Booleans, Floats, Integers, Singles
from dataaudit_kernels.sampled_estimate import SIGNS, Estimate, Sample, estimate, from_afar
from dataaudit_kernels.validation import UNDERFLOW


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


@dataclass(frozen=True)
class Drawn:
    """A sample with the rows that it was drawn as, of n."""

    rows: Integers
    sample: Sample
    n: int

    @cached_property
    def positions(self) -> Integers:
        """Position of every row in the sample, -1 where it is not; int64 [n]."""
        positions = np.full(self.n, -1, np.int64)
        positions[self.rows] = np.arange(len(self.rows))
        return positions


@dataclass(frozen=True)
class Population:
    """Population that sums of b rows are estimated over: other labels or the same, less rows whose value is known.

    A row leaves out members of its label, `labels` [b] (None: of none), and those that ``start`` and ``members`` list,
    as `Sample.moments` takes them. `size` [b] rows are left to sample, and `known` [b] is the sum over known
    neighbours.
    """

    sample: Sample
    labels: Integers | None
    start: Integers
    members: Integers
    size: Integers
    known: Floats

    def left_out(self, rows: Integers) -> Booleans:
        """Members that some of the rows leave out, bool [f, m]."""
        out = np.zeros((len(rows), len(self.sample)), bool)
        if self.labels is not None:
            out = self.sample.labels == self.labels[rows, None]
        for i, row in enumerate(rows.tolist()):
            out[i, self.members[self.start[row] : self.start[row + 1]]] = True
        return out

    def estimate(self, x: Singles, controls: Floats | None, wider: float = 1.0) -> Estimate:
        """Sums of rows `x` over what is left to sample, with standard errors multiplied by `wider`."""
        estimates = estimate(self.sample.moments(x, self.labels, (self.start, self.members)), self.size, controls)
        return replace(estimates, stderr=estimates.stderr * wider)

    def again_from_afar(self, estimates: Estimate, x: Singles, beside: Floats | float = 0.0) -> None:
        """Estimate rows anew in float64 whose sums, with what else is `beside` them, may underflow float32."""
        low = np.flatnonzero(estimates.total + beside < UNDERFLOW)
        if len(low):
            from_afar(estimates, low, x, self.sample, self.left_out(low), self.size)

    def with_known(self, estimates: Estimate) -> Estimate:
        """Estimates with the sums of known neighbours added, of which less rests on the members of a sample."""
        total = estimates.total + self.known
        growth = np.divide(total, estimates.total, out=np.ones(len(total)), where=estimates.total > 0)
        growth = np.minimum(growth, 1e100)
        # Beside near rows, members that are all 0 weigh nothing.
        effective = np.where((estimates.total == 0) & (self.known > 0), np.inf, estimates.effective * growth**2)
        return replace(estimates, total=total, effective=effective)


class Totals:
    """Sums of all rows over other labels (0) and over the same (1), and what tells how well they rank `ranked` rows."""

    def __init__(self, ranked: Booleans) -> None:
        n, count = len(ranked), int(ranked.sum())
        self.sums, self.stderr, self.members = np.zeros((2, n)), np.zeros((2, n)), np.zeros(n, np.int64)
        self._ranked, self._slot = ranked, np.cumsum(ranked) - 1
        self._halves, self._effective = np.zeros((2, count, len(SIGNS))), np.full((2, count), np.inf)

    def put(self, kind: int, which: Integers, estimates: Estimate, size: Integers) -> None:
        """Keep the estimates of rows `which`, from a population of a size each."""
        self.sums[kind, which], self.stderr[kind, which] = estimates.total, estimates.stderr
        chosen = self._ranked[which]
        slot = self._slot[which[chosen]]
        # Half differences count as far as they are errors of an estimate from a finite population.
        unseen = np.maximum(1 - estimates.members / np.maximum(size, 1), 0.0)
        self._halves[kind, slot] = (estimates.halves * np.sqrt(unseen)[:, None])[chosen]
        self._effective[kind, slot] = estimates.effective[chosen]

    def result(self, size: int, exact_class: int, rank: int) -> SampledSums:
        """Everything together, with the estimated agreement of the rankings."""
        of = zip(self._halves, self.stderr[:, self._ranked], self._effective, strict=True)
        agreement = estimated_agreement(*self.sums[:, self._ranked], *[without_unknown(*one) for one in of])
        (other, same), (other_stderr, same_stderr) = self.sums, self.stderr
        return SampledSums(
            other + same, same, other_stderr, same_stderr, self.members, agreement, size, exact_class, rank
        )
