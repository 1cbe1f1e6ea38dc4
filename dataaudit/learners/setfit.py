"""SetFit models: a classifier of the vectors that a sentence model makes of texts."""

from __future__ import annotations

import copy
from typing import Any, Self

from sklearn.base import BaseEstimator, clone

from dataaudit.common.types import IntArray
from dataaudit.data.kinds import is_a
from dataaudit.errors import ModelError


class SetFitClassifier:
    """A SetFit model's head, fitted anew to texts; the sentence model below it stays as it is, and is not copied."""

    def __init__(self, model: Any) -> None:
        self.body, self.head = model.model_body, model.model_head
        self._model = model
        if not isinstance(self.head, BaseEstimator):
            raise ModelError(
                f"a SetFitModel with a head of type {type(self.head).__name__}",
                "a head of scikit-learn, which is fitted anew to each part of the data",
                "load it with SetFitModel.from_pretrained(..., use_differentiable_head=False)",
            )

    def __deepcopy__(self, memory: dict[int, Any]) -> Self:
        copied = copy.copy(self)
        copied.head = clone(self.head)
        return copied

    def fit(self, texts: Any, labels: IntArray) -> Self:
        """Fit the head to the vectors of texts."""
        self.head.fit(self._vectors(texts), labels)
        self.classes_ = self.head.classes_
        return self

    def predict_proba(self, texts: Any) -> Any:
        """Probabilities [b, k] of texts."""
        return self.head.predict_proba(self._vectors(texts))

    def _vectors(self, texts: Any) -> Any:
        return self._model.encode(list(texts), show_progress_bar=False)


def as_classifier(model: Any) -> Any:
    """The model itself, or what makes a classifier of it."""
    return SetFitClassifier(model) if is_a(model, "setfit", "SetFitModel") else model
