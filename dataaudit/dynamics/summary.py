"""Training dynamics of every example, as plain NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.probabilities import ClassProbabilities, ProbabilityBlocks, spread
from dataaudit.common.types import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Predictions:
    """One prediction an example: by the trained model, or by one that did not see the example.

    Attributes
    ----------
    confidence
        Probability of the given label, float64 [n], NaN where there is no prediction.
    max_confidence
        Largest class probability, float64 [n].
    margin
        Logit of the given label minus the largest other logit, float64 [n].
    predicted
        Class of the largest logit, int64 [n], -1 where there is no prediction.
    probabilities
        Probabilities of the classes [n, C], or None where they were not kept.
    """

    confidence: FloatArray
    max_confidence: FloatArray
    margin: FloatArray
    predicted: IntArray
    probabilities: ProbabilityBlocks | None = None


@dataclass(frozen=True)
class Dynamics:
    """Training dynamics of n examples over E epochs (the paper's section 4.3 and the scores after it).

    Means and sums run over the epochs in which the example was seen; an example that was never seen has NaN.

    Attributes
    ----------
    epochs
        Number of complete epochs E.
    classes
        Number of classes C.
    seen, correct
        Epochs in which the example was seen, and was classified correctly, int64 [n].
    first_correct
        First epoch (from 1) of a correct classification, E + 1 where there is none, int64 [n]; of several training
        runs, the sum over runs.
    forgetting
        Times a correct classification was followed by a wrong one at the next visit, int64 [n].
    mean_margin
        Mean of (logit of the given label - largest other logit), float64 [n].
    mean_confidence, variability
        Mean and population standard deviation of the given label's probability, float64 [n].
    mean_el2n
        Mean Euclidean norm of (probabilities - one-hot label), float64 [n].
    cumulative_loss
        Sum of the cross-entropies, nats, float64 [n].
    suggested
        Class with the largest mean probability, int64 [n], -1 where never seen.
    mean_probabilities
        Mean softmax over epochs, float32 [n, C]; with very many classes the largest entries only, [n, 8].
    probability_classes
        Classes of those entries, int32 [n, 8], -1 where unused; None where all classes are kept in order.
    kept_epochs
        Epochs (from 1) whose rows stand in the two matrices below, int64 [k].
    confidence_by_epoch, max_confidence_by_epoch
        float16 [k, n], NaN where the example was not seen in that epoch.
    correct_bits, seen_bits
        One bit an example and epoch, uint8 [E, ceil(n / 8)], as `numpy.packbits` lays them.
    epoch_weights
        What the predictions of each epoch say about labels beyond having learned them, float64 [E], 0..1; see
        `dataaudit.dynamics.periods.informedness`.
    informed_probabilities
        Mean softmax over epochs weighed by the square of that, float32 [n, C]; None with very many classes, or where
        it was not kept.
    """

    epochs: int
    classes: int
    seen: IntArray
    correct: IntArray
    first_correct: IntArray
    forgetting: IntArray
    mean_margin: FloatArray
    mean_confidence: FloatArray
    variability: FloatArray
    mean_el2n: FloatArray
    cumulative_loss: FloatArray
    suggested: IntArray
    mean_probabilities: AnyArray
    probability_classes: AnyArray | None
    kept_epochs: IntArray
    confidence_by_epoch: AnyArray
    max_confidence_by_epoch: AnyArray
    correct_bits: AnyArray
    seen_bits: AnyArray
    epoch_weights: FloatArray
    informed_probabilities: AnyArray | None = None

    def __len__(self) -> int:
        """Number of examples n."""
        return len(self.seen)

    def probabilities(self, rows: slice) -> tuple[IntArray, FloatArray]:
        """Classes int64 [b, s] (-1: none) and their mean probabilities float64 [b, s] of a block of rows."""
        means = self.mean_probabilities[rows].astype(np.float64)
        if self.probability_classes is None:
            return np.broadcast_to(np.arange(means.shape[1]), means.shape), means
        return self.probability_classes[rows].astype(np.int64), means

    def dense(self, rows: slice) -> FloatArray:
        """Mean probabilities of all classes float64 [b, C] of a block of rows; uniform where never seen."""
        kept = None if self.probability_classes is None else self.probability_classes[rows]
        return spread(kept, self.mean_probabilities[rows], self.classes)

    @property
    def informed(self) -> ProbabilityBlocks:
        """Mean probabilities by what each epoch says; the plain means where no others were kept."""
        if self.informed_probabilities is None:
            return self
        return ClassProbabilities(self.informed_probabilities, None, self.classes)

    def correct_in(self, epoch: int) -> BoolArray:
        """Mask of the examples classified correctly in `epoch` (from 1), bool [n]; unseen is False."""
        return unpack(self.correct_bits[epoch - 1], len(self))


def unpack(bits: AnyArray, n: int) -> BoolArray:
    """One epoch's packed bits as bool [n]."""
    return np.unpackbits(bits, count=n).astype(bool)


def count(correct_bits: AnyArray, seen_bits: AnyArray, n: int) -> dict[str, IntArray]:
    """Integer fields of `Dynamics` by name, from bits [E, ceil(n / 8)], in O(n) memory beyond the bits."""
    epochs = len(correct_bits)
    seen, correct, forgetting = (np.zeros(n, np.int64) for _ in range(3))
    first, knows = np.full(n, epochs + 1, np.int64), np.zeros(n, bool)
    for epoch in range(epochs):
        visited, right = unpack(seen_bits[epoch], n), unpack(correct_bits[epoch], n)
        seen += visited
        correct += right
        first[right & (first > epochs)] = epoch + 1
        forgetting += visited & knows & ~right
        knows = np.where(visited, right, knows)
    return {"seen": seen, "correct": correct, "first_correct": first, "forgetting": forgetting}
