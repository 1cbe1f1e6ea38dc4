"""Sums over a population from a sample of it, with control variates and standard errors.

For a row i let k_j be the kernel value with j, z_j control variates whose sum Z over the population is known, N the
size of the population and S a simple random sample of n of it, without replacement. For any fixed b,

    A(b) = Z.b + N/n * sum over S of (k_j - z_j.b)

has the mean Z.b + sum over the population of (k_j - z_j.b) = sum of k_j, for every member is as likely to be in S as
any other: it is unbiased, and its variance is N^2 (1 - n/N) V(b) / n, V the variance of the residuals k - z.b in the
population. b is that of least squares on the sample, with an intercept. It depends on the sample, which biases A by
terms of the order of 1/n of itself, against a standard error of the order of n^-1/2 (Cochran 1977, Sampling
Techniques, section 7.3). V is estimated by the sum of squared residuals over n - 4, and corrected by
`sampled_errors`, which also knows of samples that hold their share of every label.

Members that are left out of a row's population (itself, its own label, rows whose value is known) are left out of
its sample: given how many are left, these are again a simple random sample of the population that is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataaudit_kernels.arrays import Floats, Integers, Singles
from dataaudit_kernels.packing import pack
from dataaudit_kernels.products import PANEL
from dataaudit_kernels.sampled_moments import CHUNK, SUMS, moment_strip
from dataaudit_kernels.taylor import Basis

GROUPS = 8
"""Parts of a sample, at random, whose differences show how far estimates move together."""

SIGNS = np.array(
    [
        [1, -1, 1, -1, 1, -1, 1, -1],
        [1, 1, -1, -1, 1, 1, -1, -1],
        [1, -1, -1, 1, 1, -1, -1, 1],
        [1, 1, 1, 1, -1, -1, -1, -1],
    ]
)
"""Partings of the groups in halves, [repeats, GROUPS]; each parts the halves of the others in halves."""

MEMBERS = 4096
"""Members that are held in float64 at a time."""

FEWEST = 32
"""Members of a row's sample from which on control variates are fitted."""

RIDGE = 1e-10
"""Added to the variances of standardised control variates, which may be multiples of each other."""


@dataclass(frozen=True)
class Estimate:
    """Estimated sums of b rows over their populations, from `members` each; all [b] but `halves`.

    `stderr` is infinite where fewer than two members of a larger population were seen. `halves` [b, repeats] is half
    the difference of the estimates from two halves of the sample, for each parting of it: across rows it varies as the
    error of `total` does, up to the factor of a finite population. `effective` equal kernel values would make as
    uncertain a sum, (sum of k)^2 / sum of k^2; 0 where nothing was seen of a larger population, infinite where all was.
    """

    total: Floats
    stderr: Floats
    halves: Floats
    members: Integers
    effective: Floats


class Sample:
    """Rows drawn at random, packed for products with others; three copies of `x` at most.

    `x` are rows in the random order in which they were drawn, centred, in units of the bandwidth, float32 [m, d].
    Members can be left out by `labels`, int64 [m]; `groups`, int64 [m], hold about as many of each label.
    """

    def __init__(self, x: Singles, basis: Basis, labels: Integers | None = None) -> None:
        m = len(x)
        chunks = GROUPS * max(1, -(-m // (GROUPS * CHUNK)))
        labels = np.zeros(m, np.int64) if labels is None else labels
        # Members are dealt out label by label, in turn: those of one label are a range of each chunk.
        dealt = np.argsort(labels, kind="stable")
        parts = [dealt[chunk::chunks] for chunk in range(chunks)]
        self.x, self.basis, self.labels = x, basis, labels
        self._counts = np.array([len(part) for part in parts], np.int64)
        self._panels = np.cumsum([0, *(-(-self._counts[:-1] // PANEL))]).astype(np.int64)
        self._groups = np.arange(chunks, dtype=np.int64) % GROUPS
        self.groups = np.empty(m, np.int64)
        self.groups[dealt] = np.arange(m) % chunks % GROUPS
        self._labels = [labels[part] for part in parts]
        size = int(self._panels[-1] + -(-self._counts[-1] // PANEL)) * PANEL
        order = np.zeros(size, np.int64)
        self.slots = np.empty(m, np.int64)
        for panel, part in zip(self._panels, parts, strict=True):
            order[panel * PANEL : panel * PANEL + len(part)] = part
            self.slots[part] = panel * PANEL + np.arange(len(part))
        # Slots between the chunks hold some row, which no loop looks at.
        packed = pack(x, order, "float32", None, 1.0)
        low = basis.low(x)
        self._ranked = basis.directions is not None
        packed_low = pack(low, order, "float32", None, 1.0) if self._ranked else packed
        self._words, self._low_words = packed.words, packed_low.words
        self._depths = (x.shape[1], low.shape[1])
        squares = packed.squares
        self._weights = basis.weights(squares).astype(np.float32) if basis.helps else np.zeros(len(squares), np.float32)
        self._norms = squares.astype(np.float32)

    def __len__(self) -> int:
        """Number of members m."""
        return len(self.x)

    def terms(self, x: Singles) -> Floats:
        """Kernel value and control variates of each row with each member, float64 [b, m, 4]; for a few rows."""
        by, low_by = self.basis.factors(x, self.basis.low(x))
        mine, mine_low = x.astype(np.float64), self.basis.low(x).astype(np.float64)
        terms = np.empty((len(x), len(self), 4))
        for start in range(0, len(self), MEMBERS):
            part = self.x[start : start + MEMBERS]
            members, squares = part.astype(np.float64), np.einsum("ij,ij->i", part, part, dtype=np.float64)
            products = mine @ members.T
            apart = np.einsum("ij,ij->i", mine, mine)[:, None] + squares - 2 * products
            weights = self.basis.weights(squares) if self.basis.helps else np.zeros(len(part))
            to = terms[:, start : start + MEMBERS]
            to[..., 0] = np.exp2(-self.basis.scale * np.maximum(apart, 0.0))
            to[..., 1] = weights
            to[..., 2] = weights * products * by[:, None]
            to[..., 3] = weights * ((mine_low @ self.basis.low(part).T) * low_by[:, None]) ** 2
        return terms

    def moments(
        self, x: Singles, labels: Integers | None = None, members: tuple[Integers, Integers] | None = None
    ) -> Floats:
        """Sums of each row with all members that are not left out, float64 [b, GROUPS, SUMS].

        Left out are members of the row's label, `labels` [b], and ``which[start[i] : start[i + 1]]`` of `members`
        (start, which).
        """
        b, chunks = len(x), len(self._panels)
        sums = np.zeros((b, GROUPS, SUMS))
        if not b or not len(self):
            return sums
        every = np.arange(b, dtype=np.int64)
        packed = pack(x, every, "float32", None, 1.0)
        low = self.basis.low(x)
        packed_low = pack(low, every, "float32", None, 1.0) if self._ranked else packed
        by, low_by = self.basis.factors(x, low)
        first, end = np.zeros((b, chunks), np.int64), np.zeros((b, chunks), np.int64)
        if labels is not None:
            for chunk, theirs in enumerate(self._labels):
                start = self._panels[chunk] * PANEL
                first[:, chunk] = start + np.searchsorted(theirs, labels, side="left")
                end[:, chunk] = start + np.searchsorted(theirs, labels, side="right")
        start, which = members if members is not None else (np.zeros(b + 1, np.int64), np.zeros(0, np.int64))
        moment_strip(
            *(
                self._ranked,
                packed.words,
                self._words,
                self._depths[0],
                packed_low.words,
                self._low_words,
                self._depths[1],
            ),
            *(packed.squares[:b].astype(np.float32), by.astype(np.float32), low_by.astype(np.float32)),
            *(self._norms, self._weights, self._panels, self._counts, self._groups),
            *(first, end, start, self.slots[which], np.float32(self.basis.scale), sums),
        )
        return sums


def from_afar(
    estimates: Estimate,
    which: Integers,
    x: Singles,
    sample: Sample,
    left_out: NDArray[np.bool_] | None,
    population: Integers,
) -> None:
    """Estimate rows at positions `which` of `x` again, in `estimates`, which lie far from all members.

    In float64 kernel values keep their size. `left_out` are members that they leave out, bool [f, m]; `population` is
    as in `estimate`, of all rows of `x`.
    """
    wide = sample.x.astype(np.float64)
    squares = np.einsum("ij,ij->i", wide, wide)
    dealt = (sample.groups[:, None] == np.arange(GROUPS)).astype(np.float64)
    for start in range(0, len(which), 64):
        rows = which[start : start + 64]
        mine = x[rows].astype(np.float64)
        apart = np.einsum("ij,ij->i", mine, mine)[:, None] + squares - 2 * mine @ wide.T
        exponents = -sample.basis.scale * np.maximum(apart, 0.0)
        kept = np.ones(exponents.shape, bool) if left_out is None else ~left_out[start : start + 64]
        exponents = np.where(kept, exponents, -np.inf)
        largest = np.maximum(exponents.max(1, initial=-1e300), -1e300)
        values = np.exp2(exponents - largest[:, None])
        n, size, back = kept.sum(1), population[rows], np.exp2(largest)
        mean = values.sum(1) / np.maximum(n, 1)
        spread = np.where(kept, (values - mean[:, None]) ** 2, 0.0).sum(1)
        estimates.total[rows] = size * mean * back
        error = np.sqrt(spread / np.maximum(n - 1, 1) / np.maximum(n, 1) * np.maximum(1 - n / np.maximum(size, 1), 0.0))
        estimates.stderr[rows] = np.where((n > 1) | (n >= size), size * error * back, np.inf)
        estimates.halves[rows] = _apart((values * back[:, None]) @ dealt, kept @ dealt, size.astype(np.float64))
        estimates.effective[rows] = _effective(values.sum(1), (values**2).sum(1), n >= size)


def estimate(moments: Floats, population: Integers, controls: Floats | None) -> Estimate:
    """Estimates from `Sample.moments` for populations of a size each, int64 [b].

    `controls` are exact sums of z1, z2 and z3 over each row's population, float64 [b, 3], in the units of the sample.
    """
    pooled = moments.sum(1)
    n, size = pooled[:, 0], population.astype(np.float64)
    some = np.maximum(n, 1.0)
    mean = pooled[:, 1:5] / some[:, None]
    slopes = np.zeros((len(n), 3))
    spread = np.maximum(pooled[:, 5] - n * mean[:, 0] ** 2, 0.0)
    total = size * mean[:, 0]
    fitted = (n >= FEWEST) & (n < size) if controls is not None else np.zeros(len(n), bool)
    if controls is not None and fitted.any():
        slopes[fitted], spread[fitted] = _fit(pooled[fitted], mean[fitted], spread[fitted])
        apart = np.where(fitted[:, None], controls / np.maximum(size, 1.0)[:, None] - mean[:, 1:], 0.0)
        total += size * np.einsum("ij,ij->i", slopes, apart)
    # Kernel values are not negative: the sum is at least what was seen of it.
    total = np.maximum(total, pooled[:, 1])
    freedom = n - 1.0 - 3.0 * fitted
    variance = np.divide(spread, freedom, out=np.full(len(n), np.inf), where=freedom > 0)
    unseen = np.where(n < size, 1.0 - n / np.maximum(size, 1.0), 0.0)
    stderr = size * np.sqrt(np.multiply(variance, unseen, out=np.zeros(len(n)), where=unseen > 0) / some)
    residuals = moments[:, :, 1] - np.einsum("igj,ij->ig", moments[:, :, 2:5], slopes)
    effective = _effective(pooled[:, 1], pooled[:, 5], n >= size)
    return Estimate(total, stderr, _apart(residuals, moments[:, :, 0], size), n.astype(np.int64), effective)


def _effective(sums: Floats, squares: Floats, whole: NDArray[np.bool_]) -> Floats:
    """Effective number of members by sums of kernel values and of their squares, [b]."""
    effective = np.divide(sums**2, squares, out=np.zeros(len(sums)), where=squares > 0)
    return np.where(whole, np.inf, effective)


def _fit(pooled: Floats, mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Slopes of least squares [b, 3], and the sum of squared residuals [b]."""
    n = pooled[:, 0, None]
    crossed = pooled[:, 6:9] - n * mean[:, 1:] * mean[:, :1]
    upper = pooled[:, 9:15]
    squares = np.empty((len(pooled), 3, 3))
    for column, (i, j) in enumerate(((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))):
        squares[:, i, j] = squares[:, j, i] = upper[:, column] - n[:, 0] * mean[:, 1 + i] * mean[:, 1 + j]
    own = np.sqrt(np.maximum(np.einsum("ijj->ij", squares), 0.0))
    # What varies by rounding alone explains nothing.
    varies = own > 1e-6 * np.sqrt(np.maximum(pooled[:, [9, 12, 14]], 0.0))
    inverse = np.divide(1.0, own, out=np.zeros_like(own), where=varies)
    scaled = squares * inverse[:, :, None] * inverse[:, None, :]
    scaled += np.where(varies, RIDGE, 1.0)[:, :, None] * np.eye(3)
    slopes = np.linalg.solve(scaled, (crossed * inverse)[:, :, None])[:, :, 0] * inverse
    residual = spread - 2 * np.einsum("ij,ij->i", slopes, crossed)
    residual += np.einsum("ij,ijk,ik->i", slopes, squares, slopes)
    return slopes, np.clip(residual, 0.0, spread)


def _apart(residuals: Floats, members: Floats, size: Floats) -> Floats:
    """Half the differences of estimates from two halves of the sample, [b, repeats], by sums of groups [b, GROUPS]."""
    halves = np.zeros((len(residuals), len(SIGNS)))
    for repeat, signs in enumerate(SIGNS):
        means = []
        for side in (1, -1):
            part = signs == side
            counts = members[:, part].sum(1)
            means.append(np.divide(residuals[:, part].sum(1), counts, out=np.zeros(len(counts)), where=counts > 0))
        halves[:, repeat] = size * (means[0] - means[1]) / 2
    return halves
