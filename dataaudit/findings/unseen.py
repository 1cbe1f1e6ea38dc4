"""The frame of `Audit.score_new`: each new row beside the audited ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dataaudit.common.probabilities import softmax
from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.findings.novelty import Novelty

BLOCK = 4096
"""Rows that the model predicts at a time."""


def predictions(fitted: Any, count: int) -> FloatArray:
    """Class probabilities of all rows, float64 [m, C], block by block."""
    parts = []
    for start in range(0, count, BLOCK):
        logits = fitted.logits(np.arange(start, min(start + BLOCK, count), dtype=np.int64))
        parts.append(softmax(np.asarray(logits.detach().cpu() if hasattr(logits, "detach") else logits, np.float64)))
    return np.concatenate(parts)


def frame(
    new: Novelty,
    space: str,
    probabilities: FloatArray | None,
    labels: IntArray | None,
    class_names: Sequence[str],
    nearest: Mapping[str, AnyArray],
) -> pd.DataFrame:
    """One row a new example; see `dataaudit.audit.findings.Findings.score_new`.

    `nearest` says by column which audited row is the nearest [m].
    """
    names = np.asarray(class_names, dtype=object)
    columns: dict[str, AnyArray] = {
        "novelty": new.ratio,
        f"distance/{space}": new.distance,
        f"density/{space}": new.density,
        **nearest,
        "nearest_distance": new.nearest_distance,
    }
    suggested = (new.parzen if probabilities is None else probabilities).argmax(1)
    if probabilities is not None:
        columns |= {"predicted": names[suggested], "max_confidence": probabilities.max(1)}
    if labels is not None:
        each = np.arange(len(labels))
        columns |= {
            "label": names[labels],
            f"class_density/{space}": new.kernels[each, labels],
            f"parzen/{space}": new.parzen[each, labels],
            f"knn_agreement/{space}": new.votes[each, labels],
        }
        if probabilities is not None:
            columns["confidence"] = probabilities[each, labels]
        columns["suggested"] = np.where(suggested == labels, "", names[suggested])
    return pd.DataFrame(columns)
