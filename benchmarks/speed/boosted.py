"""Boosting as somebody would fit it who wants no audit, with the stages read where a record is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor

from benchmarks.common import Array


class Boosted:
    """One fit of scikit-learn's histogram boosting, with the interface of `plain.Loop`; rounds are epochs."""

    def __init__(self, inputs: Array, labels: Array, rounds: int) -> None:
        self.inputs, self.labels, self.epochs = inputs, torch.from_numpy(labels), rounds
        self.evaluations = 0

    def settings(self) -> dict[str, Any]:
        """What an audit's settings say of the same training."""
        return {"epochs": self.epochs}

    def fastest(self) -> None:
        """There is one way."""

    def without_evaluations(self) -> Boosted:
        """It makes none."""
        return self

    def run(
        self,
        way: None = None,
        record: Callable[[Tensor, Tensor, Tensor], object] | None = None,
        epoch_done: Callable[[], object] | None = None,
        rows: Tensor | None = None,
    ) -> HistGradientBoostingClassifier:
        """Fit; `record` sees log-probabilities [n, C], labels and rows of each stage."""
        rows = torch.arange(len(self.inputs)) if rows is None else rows
        inputs, labels = self.inputs[rows.numpy()], self.labels[rows]
        model = HistGradientBoostingClassifier(max_iter=self.epochs, random_state=0).fit(inputs, labels.numpy())
        if record is not None:
            for probabilities in model.staged_predict_proba(inputs):
                record(torch.from_numpy(np.log(np.maximum(probabilities, 1e-30))).float(), labels, rows)
                if epoch_done is not None:
                    epoch_done()
        return model

    def predict(self, model: HistGradientBoostingClassifier, way: None, rows: Tensor) -> Tensor:
        """Log-probabilities [b, C] of rows."""
        return torch.from_numpy(np.log(np.maximum(model.predict_proba(self.inputs[rows.numpy()]), 1e-30))).float()
