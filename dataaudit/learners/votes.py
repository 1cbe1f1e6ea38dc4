"""Votes of nearest neighbours: exact search by blocks of matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.holdout.base import Outcome
from dataaudit.learners.base import SMALLEST
from dataaudit.learners.blas import one_thread
from dataaudit_kernels.threads import in_order

BLOCK_VALUES = 2**22
"""Products that one thread holds."""

SPARE = 8
"""Candidates beyond k, so that rounding of float32 products leaves out no neighbour."""

RAISED = 1e-5
"""What the logit of the predicted class gains where others have as many votes."""


class Votes(NamedTuple):
    """What neighbours say.

    Attributes
    ----------
    shares
        Share of each class, float64 [q, C].
    predicted
        Class, int64 [q].
    """

    shares: FloatArray
    predicted: IntArray


@dataclass(frozen=True, eq=False)
class NeighbourFitPredict:
    """Nearest neighbours bound to a data set; a `FitPredict`.

    A call holds, besides the features, a copy of the training rows and for each thread `BLOCK_VALUES` products.

    Attributes
    ----------
    features
        float32 [n, d].
    mean
        Of the features, float32 [d]: products of centred rows lose least.
    labels
        int64 [n], 0..C-1.
    classes
        C.
    k
        Number of voters.
    """

    features: AnyArray
    mean: AnyArray
    labels: IntArray
    classes: int
    k: int
    block_values: int = BLOCK_VALUES

    def fit(self, train: IntArray) -> IntArray:
        """Keep the rows `train` [t], rising."""
        return np.sort(train)

    def votes(self, train: IntArray, rows: IntArray) -> Votes:
        """Ask the neighbours of the rows `rows` [q] among the rows `train` [t]."""
        taken = self.features[train] - self.mean
        squares = np.einsum("ij,ij->i", taken, taken, dtype=np.float64).astype(np.float32)
        step = max(1, self.block_values // max(len(train), taken.shape[1]))
        blocks = (rows[start : start + step] for start in range(0, len(rows), step))
        with one_thread() as threads:
            parts = list(in_order(partial(self._ask, train, taken, squares), blocks, threads))
        if not parts:
            return Votes(np.zeros((0, self.classes)), np.zeros(0, np.int64))
        return Votes(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _ask(self, train: IntArray, taken: AnyArray, squares: AnyArray, rows: IntArray) -> Votes:
        from dataaudit_kernels.neighbours import nearest

        k = min(self.k, len(train))
        found = np.empty((len(rows), min(k + SPARE, len(train))), np.int64)
        nearest((self.features[rows] - self.mean) @ taken.T, squares, self.features, rows, train, k, found)
        voters = self.labels[found[:, :k]]
        each = np.arange(len(rows))
        counts = np.zeros((len(rows), self.classes))
        np.add.at(counts, (each[:, None], voters), 1.0)
        leads = counts[each[:, None], voters] == counts.max(axis=1, keepdims=True)
        return Votes(counts / k, voters[each, leads.argmax(axis=1)])

    def logits(self, model: IntArray, rows: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `rows`; see `NearestNeighbours`."""
        shares, predicted = self.votes(model, rows)
        found: FloatArray = np.log(np.maximum(shares, SMALLEST))
        tied = (shares == shares.max(axis=1, keepdims=True)).sum(axis=1) > 1
        found[np.flatnonzero(tied), predicted[tied]] += RAISED
        return found

    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """Ask the rows `train` about the rows `held_out`; nothing depends on `seed`."""
        shares, predicted = self.votes(np.sort(train), held_out)
        labels = self.labels[held_out]
        return Outcome(predicted == labels, shares[np.arange(len(labels)), labels])
