"""The model of an audit, kept for rows that it has not seen."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import ModelError

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.learners.base import Fitted, Learner


class TrainedModel:
    """What was trained on all rows of a data set, or can be.

    Parameters
    ----------
    learner
        What trains.
    seed
        Of the audit.
    fitted
        The trained model; None where the audit trained none on all rows.
    as_passed
        Whether the model as it was passed is the trained one.
    """

    def __init__(self, learner: Learner, seed: int, fitted: Fitted | None, as_passed: bool) -> None:
        self._learner, self._seed = learner, seed
        self._fitted, self._as_passed = fitted, as_passed

    @property
    def described(self) -> str:
        """Name of the model."""
        return str(self._learner.description["model"])

    @property
    def readable(self) -> bool:
        """Whether it has layers that can be read."""
        return hasattr(self._learner, "module")

    def fitted(self, progress: bool = False) -> Fitted:
        """The model; trained on all rows, once, where the audit has trained it in folds only."""
        if self._fitted is None and self._as_passed:
            self._fitted = self._learner.untrained()
        elif self._fitted is None:
            learner: Any = self._learner
            rows = np.arange(len(learner.examples), dtype=np.int64)
            self._fitted = self._learner.fit(rows, self._seed, None, progress)
        return self._fitted

    def on(self, examples: Examples, progress: bool = False) -> Fitted:
        """The model for the rows of other examples, whose inputs have the same shape.

        Raises
        ------
        ModelError
            If a model of this kind is bound to its own data set.
        """
        if hasattr(self._learner, "trial"):
            return self._of_features(examples)
        fitted = self.fitted(progress)
        if not hasattr(fitted, "on"):
            raise ModelError(
                f"a {self.described}, which answers for its own data set alone",
                "a model that can be asked about other rows",
                "pass a torch module or a scikit-learn classifier to dataaudit.score",
            )
        found: Fitted = fitted.on(examples)
        return found

    def _of_features(self, examples: Examples) -> Fitted:
        """A model of features is fitted to the audited rows of both data sets together: it holds them in memory."""
        learner: Any = copy.copy(self._learner)
        audited = learner.examples
        learner.examples, learner._trial = _Both(audited, examples), None
        fitted = learner.fit(np.arange(len(audited), dtype=np.int64), self._seed, None, False)
        return _Shifted(fitted, len(audited))


class _Both:
    """Two data sets, one behind the other; the second one's labels are not read."""

    def __init__(self, first: Examples, second: Examples) -> None:
        self._first, self._second = first, second
        self.labels: IntArray = np.concatenate([first.labels, np.zeros(len(second), np.int64)])
        self.class_names, self.source = first.class_names, first.source

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: IntArray) -> AnyArray:
        """Rows, flattened; tables as numbers."""
        from dataaudit.learners.features import feature_rows

        own = indices < len(self._first)
        parts = (own, self._first, 0), (~own, self._second, len(self._first))
        found = [
            (chosen, feature_rows(examples, indices[chosen] - first))
            for chosen, examples, first in parts
            if chosen.any()
        ]
        made = np.empty((len(indices), found[0][1].shape[1]), np.float32)
        for chosen, part in found:
            made[chosen] = part
        return made


class _Shifted:
    """A model whose rows begin at `first`."""

    def __init__(self, fitted: Fitted, first: int) -> None:
        self._fitted, self._first = fitted, first

    def logits(self, indices: IntArray) -> Any:
        """Logits of the rows `indices` of the second data set."""
        return self._fitted.logits(indices + self._first)
