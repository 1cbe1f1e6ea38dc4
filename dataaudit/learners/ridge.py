"""Ridge regression on subsets: all prefixes of a permutation, read in both directions, from one pass of products.

For a subset S of t rows with sum s, class counts c and class sums B [C, r]

    G = sum of x x^T - s s^T / t,    (G + penalty) W = B^T - s c^T / t,    output = x W + c / t - s W / t,

which is least squares on one-hot labels with an intercept that bears no penalty. A permutation is cut at every size,
from both ends. Products are taken of all pieces but the middle one, and added up from either end: a subset that holds
less than half of the rows is such a sum, any other the total minus the sum of the rows it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.errors import SettingError
from dataaudit.holdout.base import Outcome
from dataaudit.learners.axes import principal_axes
from dataaudit.learners.base import SMALLEST
from dataaudit.learners.blas import one_thread
from dataaudit_kernels.threads import in_order

BLOCK = 4096
"""Most rows of one product in float32; sums over blocks are float64."""

FLOAT64_BELOW = 4
"""Subsets of fewer rows than this many times the number of axes have products in float64: they are ill-conditioned."""

CONDITION = 100.0
"""Ratio of the mean eigenvalue to the smallest from which a subset's products are taken again in float64."""

SERIAL = 2**22
"""Values of the rows up to which threads cost more than they save."""


class Moments(NamedTuple):
    """Sums over rows."""

    gram: FloatArray
    """Sum of x x^T, float64 [r, r]."""
    sums: FloatArray
    """Sum of x by class, float64 [C, r]."""
    counts: FloatArray
    """Rows by class, float64 [C]."""

    def less(self, other: Moments) -> Moments:
        """Moments of the rows that are not in `other`."""
        return Moments(self.gram - other.gram, self.sums - other.sums, self.counts - other.counts)


class Linear(NamedTuple):
    """A fitted model: weights float32 [r, C] and offsets float32 [C]."""

    weights: AnyArray
    offsets: AnyArray


class IllConditioned(Exception):
    """A subset whose products need more than float32."""


@dataclass(frozen=True, eq=False)
class RidgeFitPredict:
    """Ridge regression bound to a data set; a `FitPredict` and a `NestedFitPredict`.

    Holds the rows once, as float32 [n, r] with r = min(n, d), and the moments of all. A call needs besides, for each
    thread, three blocks of rows and four r x r float64 matrices, and 10 bytes for every row, size and direction.
    Outputs equal those of float64 on the same features to 1e-5, and mostly 1e-6, where these have unit scale. With
    alpha = 1e-5 and less the rounding of the rows shows in examples with a feature that hardly any other has: 5e-5.
    All products run on one BLAS thread each, so that the number of threads changes no bit of an outcome.
    """

    rows: AnyArray
    penalty: FloatArray
    labels: IntArray
    alpha: float
    total: Moments
    condition: float = CONDITION
    serial: int = SERIAL

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return len(self.total.counts)

    def fit(self, train: IntArray) -> Linear:
        """Model of the rows `train` [t]; `SettingError` if alpha is too small for the features' scale."""
        with one_thread() as threads:
            return self._fit(train, threads)

    def _fit(self, train: IntArray, threads: int) -> Linear:
        n, t = len(self.rows), len(train)
        others = np.ones(n, bool)
        others[train] = False
        left_out = np.flatnonzero(others)
        if n // 2 < t < n and len(left_out) == n - t:
            return self.side_models(left_out, [n - t], {(1, t)}, 0, threads)[1, t]
        return self.side_models(train, [t], {(0, t)}, 0, threads)[0, t]

    def outputs(self, model: Linear, rows: IntArray) -> AnyArray:
        """Outputs float32 [b, C] of the rows `rows`."""
        with one_thread():
            outputs: AnyArray = self.rows[rows] @ model.weights + model.offsets
        return outputs

    def logits(self, model: Linear, rows: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `rows`; see `LinearProbe`."""
        return np.log(np.maximum(self.outputs(model, rows).astype(np.float64), SMALLEST))

    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """Train on the rows `train` and predict the rows `held_out`; nothing depends on `seed`."""
        with one_thread() as threads:
            model = self._fit(train, threads)
            correct, probability = self._predict(held_out, [(0, len(held_out), [model])], 1, threads)
        return Outcome(correct[held_out, 0], probability[held_out, 0])

    def nested(self, order: IntArray, sizes: Sequence[int]) -> Iterator[tuple[int, int, Outcome]]:
        """Train on the first and on the last rows of a permutation; see `NestedFitPredict`."""
        from dataaudit_kernels.outcomes import collect

        n = len(order)
        wanted = [(direction, size) for direction in (0, 1) for size in dict.fromkeys(sizes)]
        cuts = sorted({0, n, *sizes, *(n - size for size in sizes)})
        middle = max(cut for cut in cuts if cut <= n // 2)
        after = min(cut for cut in cuts if cut > n // 2)
        with one_thread() as threads:
            models: dict[tuple[int, int], Linear] = {}
            for side, most in ((0, middle), (1, n - after)):
                bounds = [cut for cut in cuts if 0 < cut <= most]
                models |= self.side_models(
                    order[::-1] if side else order, bounds, set(wanted) - set(models), side, threads
                )
            pieces = [
                (start, stop, [models[d, t] if t <= (n - stop if d else start) else None for d, t in wanted])
                for start, stop in pairwise(cuts)
            ]
            correct, probability = self._predict(order, pieces, len(wanted), threads)
        position = np.empty(n, np.int64)
        position[order] = np.arange(n)
        first = np.array([0 if direction else size for direction, size in wanted], np.int64)
        last = np.array([n - size if direction else n for direction, size in wanted], np.int64)
        stops = np.cumsum(last - first)
        kept = Outcome(np.empty(stops[-1], bool), np.empty(stops[-1], np.float32))
        collect(position, first, last, correct, probability, stops - (last - first), *kept)
        for (direction, size), stop in zip(wanted, stops, strict=True):
            held = slice(stop - (n - size), stop)
            yield direction, size, Outcome(kept.correct[held], kept.probability[held])

    def side_models(
        self,
        order: IntArray,
        bounds: Sequence[int],
        wanted: set[tuple[int, int]],
        side: int,
        threads: int,
        float64_below: int | None = None,
    ) -> dict[tuple[int, int], Linear]:
        """Models of the first `bound` rows of `order`, (side, bound), and of all others, (1 - side, n - bound).

        Products of subsets of up to `float64_below` rows are taken in float64, those of ill-conditioned ones again.
        """
        n = len(self.rows)
        few = FLOAT64_BELOW * self.rows.shape[1] if float64_below is None else float64_below

        def subsets() -> Iterator[tuple[tuple[int, int], Moments, bool]]:
            part = Moments(*(np.zeros_like(values) for values in self.total))
            blocks = _blocks(bounds)
            products = in_order(partial(self._moments, order, few), blocks, self._threads(threads))
            for (_, stop), moments in zip(blocks, products, strict=True):
                for values, more in zip(part, moments, strict=True):
                    values += more
                if stop not in bounds:
                    continue
                exact = stop <= few
                if (side, stop) in wanted:
                    yield (side, stop), Moments(*(values.copy() for values in part)), exact
                if (1 - side, n - stop) in wanted:
                    yield (1 - side, n - stop), self.total.less(part), exact

        try:
            return dict(in_order(self._solve, subsets(), self._threads(threads)))
        except IllConditioned:
            # All of them are exact now, and none is refused for its condition.
            return self.side_models(order, bounds, wanted, side, threads, float64_below=len(order))

    def _threads(self, threads: int) -> int:
        return threads if self.rows.size > self.serial else 1

    def _moments(self, order: IntArray, float64_below: int, block: tuple[int, int]) -> Moments:
        from dataaudit_kernels.outcomes import gather

        start, stop = block
        rows = np.ascontiguousarray(order[start:stop])
        taken, sums = np.empty((stop - start, self.rows.shape[1]), np.float32), np.zeros_like(self.total.sums)
        gather(self.rows, self.labels, rows, taken, sums)
        if stop <= float64_below:
            taken = taken.astype(np.float64)
        counts = np.bincount(self.labels[rows], minlength=self.classes).astype(np.float64)
        gram: AnyArray = taken.T @ taken
        return Moments(gram, sums, counts)

    def _solve(self, subset: tuple[tuple[int, int], Moments, bool]) -> tuple[tuple[int, int], Linear]:
        key, (gram, sums, counts), exact = subset
        t = counts.sum()
        total = sums.sum(axis=0)
        mean = total / t
        # What float64 cannot tell from no penalty at all, whether or not LAPACK happens on a positive pivot.
        lost = np.finfo(np.float64).eps * float(gram.trace()) / len(gram)
        gram -= mean[:, None] * total
        gram.flat[:: len(gram) + 1] += self.penalty
        size = float(gram.trace()) / len(gram)
        right = sums.T - total[:, None] * (counts / t)
        # Symmetric, so that its transpose is the matrix in the order of LAPACK, and nothing is copied.
        factor, weights, info = lapack.dposv(gram.T, right, lower=1, overwrite_a=1)
        if not exact and (info or size > self.condition * _smallest(factor)):
            raise IllConditioned
        if info or _smallest(factor) < lost:
            raise SettingError(
                f"alpha={self.alpha!r}, which leaves the equations of a subset singular in float64",
                "a penalty that the features' scale does not swallow",
                f"pass alpha={self._sufficient():.0e} or more, or drop constant and repeated features",
            )
        offsets = counts / t - mean @ weights
        return key, Linear(weights.astype(np.float32), offsets.astype(np.float32))

    def _sufficient(self) -> float:
        """Alpha that float64 tells from none beside the largest axis."""
        squares = self.alpha * len(self.rows) / float(self.penalty.min())
        return 10 * float(np.finfo(np.float64).eps) * squares

    def _predict(
        self, order: IntArray, pieces: Sequence[tuple[int, int, Sequence[Linear | None]]], columns: int, threads: int
    ) -> tuple[AnyArray, AnyArray]:
        """Hits of each model, bool [n, columns], and its probabilities of the labels; models by piece."""
        from dataaudit_kernels.outcomes import score_outputs

        n, axes = self.rows.shape
        correct, probability = np.zeros((n, columns), bool), np.zeros((n, columns), np.float32)

        def work(task: tuple[int, int, AnyArray, AnyArray, IntArray]) -> None:
            start, stop, weights, offsets, models = task
            rows = order[start:stop]
            score_outputs(self.rows[rows] @ weights, offsets, self.labels, rows, models, correct, probability)

        def tasks() -> Iterator[tuple[int, int, AnyArray, AnyArray, IntArray]]:
            for start, stop, holding in pieces:
                models = np.array([m for m, model in enumerate(holding) if model is not None], np.int64)
                if not len(models):
                    continue
                held = [model for model in holding if model is not None]
                weights = np.concatenate([model.weights for model in held], axis=1)
                offsets = np.concatenate([model.offsets for model in held])
                step = max(1, min(BLOCK, BLOCK * axes // len(offsets)))
                for first in range(start, stop, step):
                    yield first, min(first + step, stop), weights, offsets, models

        for _ in in_order(work, tasks(), self._threads(threads)):
            pass
        return correct, probability


def _smallest(factor: FloatArray) -> float:
    """Smallest eigenvalue of a matrix by its Cholesky factor [r, r], from above: inverse iteration."""
    vector = np.random.default_rng(0).normal(size=len(factor))
    norm = 1.0
    for _ in range(2):
        vector, _ = lapack.dpotrs(factor, vector / np.linalg.norm(vector), lower=1)
        norm = float(np.linalg.norm(vector))
    return 1.0 / norm


def _blocks(bounds: Sequence[int]) -> list[tuple[int, int]]:
    """Blocks of about equal size, at most `BLOCK` rows, that end at every bound."""
    edges = [0]
    for stop in bounds:
        count = -(-(stop - edges[-1]) // BLOCK)
        edges.extend(np.linspace(edges[-1], stop, count + 1).astype(int)[1:].tolist())
    return list(pairwise(edges))


def ridge_fit_predict(features: AnyArray, labels: IntArray, classes: int, alpha: float) -> RidgeFitPredict:
    """Bind ridge regression to features, float32 [n, d], and labels, int64 [n]."""
    from dataaudit_kernels.outcomes import gather

    with one_thread():
        rows, penalty = principal_axes(features, alpha)
        axes = rows.shape[1]
        gram, sums = np.zeros((axes, axes)), np.zeros((classes, axes))
        block = np.empty((BLOCK, axes), np.float32)
        for start in range(0, len(rows), BLOCK):
            chosen = np.arange(start, min(start + BLOCK, len(rows)))
            gather(rows, labels, chosen, block[: len(chosen)], sums)
            exact = block[: len(chosen)].astype(np.float64)
            gram += exact.T @ exact
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    return RidgeFitPredict(rows, penalty, labels, alpha, Moments(gram, sums, counts))
