"""The k nearest neighbours of frozen features, by plurality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.data.examples import Examples
from dataaudit.errors import SettingError
from dataaudit.learners.frozen import FeatureFitPredict, FeatureLearner


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
        object.__setattr__(self, "k", checks.whole("k", self.k, 1, "pass NearestNeighbours(k=1)"))


class NearestNeighboursLearner(FeatureLearner):
    """Nearest neighbours, bound to a data set.

    Parameters
    ----------
    settings
        How many.
    examples
        The data set.

    Raises
    ------
    SettingError
        If the data set has fewer than k examples.
    """

    def __init__(self, settings: NearestNeighbours, examples: Examples) -> None:
        super().__init__(examples)
        self.settings = settings
        self._check_number()

    def _check_number(self) -> None:
        if self.settings.k > len(self.examples):
            raise SettingError(
                f"k={self.settings.k}", f"at most {len(self.examples)}, the number of examples", "pass a smaller k"
            )

    def on(self, examples: Examples) -> Self:
        """The same learner, bound to another data set with inputs of the same kind and the same classes."""
        found = super().on(examples)
        found._check_number()
        return found

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
        from dataaudit.learners.votes import NeighbourFitPredict

        mean = features.mean(axis=0, dtype="float64").astype("float32")
        return NeighbourFitPredict(features, mean, labels, len(self.examples.class_names), self.settings.k)
