"""The frame of `Audit.score_new`: each new row beside the audited ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.findings.novelty import Novelty

BLOCK = 4096
"""Rows that the model is asked about at a time."""


def predictions(fitted: Any, count: int) -> FloatArray:
    """Class probabilities of all rows, float64 [m, C], block by block."""
    parts = [
        _softmax(_numbers(fitted.logits(np.arange(start, min(start + BLOCK, count), dtype=np.int64))))
        for start in range(0, count, BLOCK)
    ]
    return np.concatenate(parts)


def _numbers(logits: Any) -> FloatArray:
    found = logits.detach().cpu().numpy() if hasattr(logits, "detach") else logits
    return np.asarray(found, np.float64)


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float64)


def frame(
    placed: Novelty,
    space: str,
    probabilities: FloatArray | None,
    labels: IntArray | None,
    class_names: Sequence[str],
) -> pd.DataFrame:
    """One row a new example; see `dataaudit.audit.findings.Findings.score_new`."""
    names = np.asarray(class_names, dtype=object)
    columns: dict[str, AnyArray] = {
        "novelty": placed.ratio,
        f"distance/{space}": placed.distance,
        f"density/{space}": placed.density,
        "nearest": placed.nearest,
        "nearest_distance": placed.nearest_distance,
    }
    believed = placed.parzen if probabilities is None else probabilities
    suggested = believed.argmax(1)
    if probabilities is not None:
        columns |= {"predicted": names[suggested], "max_confidence": probabilities.max(1)}
    if labels is not None:
        each = np.arange(len(labels))
        columns |= {
            "label": names[labels],
            f"class_density/{space}": placed.kernels[each, labels],
            f"parzen/{space}": placed.parzen[each, labels],
            f"knn_agreement/{space}": placed.votes[each, labels],
        }
        if probabilities is not None:
            columns["confidence"] = probabilities[each, labels]
        columns["suggested"] = np.where(suggested == labels, "", names[suggested])
    made = pd.DataFrame(columns)
    made.index.name = "index"
    return made
