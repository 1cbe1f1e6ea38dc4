"""The k nearest neighbours of frozen features, by plurality."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.common.units import centre_and_unit
from dataaudit.data.examples import Examples
from dataaudit.errors import SettingError
from dataaudit.holdout.base import Outcome
from dataaudit.learners.base import SMALLEST
from dataaudit.learners.blas import one_thread
from dataaudit.learners.frozen import FeatureFitPredict, FeatureLearner
from dataaudit_kernels.threads import in_order

BLOCK_VALUES = 2**22
"""Products that one thread holds."""

SPARE = 8
"""Candidates beyond k, so that rounding of float32 products leaves out no neighbour."""

RAISED = 1e-5
"""Gain of the predicted class's logit where others have as many votes."""


@dataclass(frozen=True)
class NearestNeighbours:
    """Plurality vote of the k nearest training examples, passed as the model.

    Inputs are flattened and taken as they are (float32); distances are Euclidean: standardise inputs beforehand if
    their units differ. They are held in memory. The probability of a class is its share of the votes. The predicted
    class has most votes; among equals it is that of the nearest voter. Of neighbours at the same distance the first
    in the data set votes, and all of a subset of fewer than k. Logits are the logarithms of the shares, of a smallest
    number for classes without votes, and raised by 1e-5 for the predicted one among equals.

    Parameters
    ----------
    k
        Number of voters.

    Raises
    ------
    SettingError
        If k is not a whole number of at least 1; when bound to a data set, if that has fewer than k examples.

    Examples
    --------
    >>> NearestNeighbours(5)
    NearestNeighbours(k=5)
    """

    k: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", checks.whole("k", self.k, 1, "pass k=1"))


class Votes(NamedTuple):
    """Votes of the neighbours of q rows."""

    shares: FloatArray
    """Share of each class, float64 [q, C]."""
    predicted: IntArray
    """Class, int64 [q]."""


@dataclass(frozen=True, eq=False)
class NeighbourFitPredict:
    """Votes of the k nearest neighbours bound to features, float32 [n, d], their centre, and labels, int64 [n].

    Exact search by blocks of matrix products of centred rows, which lose least. A call holds, besides the features, a
    copy of the training rows and for each thread `block_values` products.
    """

    features: AnyArray
    centre: AnyArray
    unit: np.float32
    labels: IntArray
    classes: int
    k: int
    block_values: int = BLOCK_VALUES

    def fit(self, train: IntArray) -> IntArray:
        """Keep the rows `train` [t], rising."""
        return np.sort(train)

    def votes(self, train: IntArray, rows: IntArray) -> Votes:
        """Votes for the rows `rows` [q] of their neighbours among the rows `train` [t]."""
        taken = (self.features[train] - self.centre) / self.unit
        squares = np.einsum("ij,ij->i", taken, taken, dtype=np.float64).astype(np.float32)
        step = max(1, self.block_values // max(len(train), taken.shape[1]))
        blocks = (rows[start : start + step] for start in range(0, len(rows), step))
        with one_thread() as threads:
            parts = list(in_order(partial(self._block_votes, train, taken, squares), blocks, threads))
        if not parts:
            return Votes(np.zeros((0, self.classes)), np.zeros(0, np.int64))
        return Votes(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _block_votes(self, train: IntArray, taken: AnyArray, squares: AnyArray, rows: IntArray) -> Votes:
        from dataaudit_kernels.neighbours import nearest

        k = min(self.k, len(train))
        neighbours = np.empty((len(rows), min(k + SPARE, len(train))), np.int64)
        own = (self.features[rows] - self.centre) / self.unit
        nearest(own @ taken.T, squares, self.features, rows, train, k, neighbours)
        voters = self.labels[neighbours[:, :k]]
        each = np.arange(len(rows))
        counts = np.zeros((len(rows), self.classes))
        np.add.at(counts, (each[:, None], voters), 1.0)
        leads = counts[each[:, None], voters] == counts.max(axis=1, keepdims=True)
        return Votes(counts / k, voters[each, leads.argmax(axis=1)])

    def logits(self, model: IntArray, rows: IntArray) -> FloatArray:
        """Logits float64 [b, C] of the rows `rows`; see `NearestNeighbours`."""
        shares, predicted = self.votes(model, rows)
        logits: FloatArray = np.log(np.maximum(shares, SMALLEST))
        tied = (shares == shares.max(axis=1, keepdims=True)).sum(axis=1) > 1
        logits[np.flatnonzero(tied), predicted[tied]] += RAISED
        return logits

    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """Predict the rows `held_out` by votes of the rows `train`; nothing depends on `seed`."""
        shares, predicted = self.votes(np.sort(train), held_out)
        labels = self.labels[held_out]
        return Outcome(predicted == labels, shares[np.arange(len(labels)), labels])


class NearestNeighboursLearner(FeatureLearner):
    """Nearest neighbours, bound to a data set of at least k examples."""

    def __init__(self, settings: NearestNeighbours, examples: Examples) -> None:
        super().__init__(examples)
        self.settings = settings
        if settings.k > len(examples):
            raise SettingError(
                f"k={settings.k}", f"at most {len(examples)}, the number of examples", f"pass k={len(examples)} or less"
            )

    def on(self, examples: Examples) -> Self:
        """The same learner, bound to another data set with inputs of the same kind and the same classes."""
        return type(self)(self.settings, examples)

    @property
    def description(self) -> dict[str, Any]:
        """Model and how it is trained, as JSON values."""
        return {
            "model": "NearestNeighbours",
            "recipe": {"k": self.settings.k},
            "device": "cpu",
            "precision": "candidates by float32 products, their order by float64 distances",
            "engine": "BLAS",
            "notes": ["the probability of a class is its share of the votes"],
        }

    def bind(self, features: AnyArray, labels: IntArray) -> FeatureFitPredict:
        """Function on features, float32 [n, d], and labels, int64 [n]."""
        mean = features.mean(axis=0, dtype="float64")
        largest = float(np.maximum(features.max(0) - mean, mean - features.min(0)).max(initial=0.0))
        centre, unit = centre_and_unit(features, mean, largest)
        classes, k = len(self.examples.class_names), self.settings.k
        return NeighbourFitPredict(features, centre.astype(np.float32), np.float32(unit), labels, classes, k)
