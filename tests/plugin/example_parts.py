"""Parts of another package: each keeps the laws of its kind, and is found by the name in pyproject.toml."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional

from dataaudit.density.base import PLAIN, Context, DensityEngine
from dataaudit.density.sums import DensitySums
from dataaudit.evidence.base import Evidence, Need
from dataaudit.exports import Export, ExportFormat
from dataaudit.neighbours.base import FunctionIndex
from dataaudit.representations.base import are_rows
from dataaudit.scores.base import Scores
from dataaudit.tasks.base import CONFIDENCE
from dataaudit.tasks.classification import Classification
from dataaudit_kernels.reference import written_out


@dataclass(frozen=True)
class LastConfidence:
    """A score: the probability of the label at the end of training."""

    name: str = "last_confidence"
    summary: str = "probability of the label at the end of training"
    needs: tuple[Need, ...] = (Need.PREDICTIONS,)

    def score(self, evidence: Evidence) -> Scores:
        return Scores(evidence.predictions.confidence.astype(np.float64))


class CdistEngine(DensityEngine):
    """A density engine: all distances at once, by SciPy; for small data."""

    name = "cdist"

    def check(self) -> None:
        """SciPy runs everywhere."""

    def sums(self, features: Any, labels: Any, bandwidth: float, context: Context = PLAIN) -> DensitySums:
        rows = np.asarray(features if are_rows(features) else written_out(features), np.float64)
        kernel = np.exp(-cdist(rows, rows, "sqeuclidean") / bandwidth**2)
        np.fill_diagonal(kernel, 0.0)
        context.advance(1.0)
        same = (kernel * (labels[:, None] == labels)).sum(1)
        return DensitySums(kernel.sum(1), same, {"distances": "scipy"})


@dataclass(frozen=True)
class ScikitLearn:
    """A neighbour search: scikit-learn's trees."""

    name: str = "scikit_learn"

    def check(self) -> None:
        """Scikit-learn is there wherever the library is."""

    def open(self, rows: Any, depth: int) -> FunctionIndex:
        tree = NearestNeighbors(algorithm="ball_tree").fit(np.asarray(rows[:], np.float64))

        def nearest(queries: Any, depth: int) -> Any:
            return tree.kneighbors(np.asarray(queries, np.float64), depth, return_distance=False).astype(np.int64)

        return FunctionIndex(True, {"tree": "ball"}, nearest)


@dataclass(frozen=True)
class LastFirst:
    """A holdout backend: runs in this process, the last one first."""

    name: str = "last_first"

    def describe(self) -> dict[str, Any]:
        return {"order": "backwards"}

    def check(self) -> None:
        """It runs everywhere."""

    def map(self, job: Any, groups: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        for group in reversed(groups):
            yield group, job(group)


@dataclass(frozen=True)
class ByRank:
    """A training strategy: the more regular an example is among all, the more it weighs."""

    name: str = "by_rank"
    summary: str = "weight by the rank of the score"

    def weigh(self, examples: Any, epoch: int | None, total_epochs: int | None) -> Any:
        return np.where(np.isnan(examples.scores), np.nan, rankdata(examples.scores, nan_policy="omit"))


class TabSeparated(ExportFormat):
    """An export: rows, labels and texts between tabs, which are spelled as JSON."""

    name = "tab_separated"
    summary = "rows, labels and texts between tabs"
    shows = ("text",)

    def files(self, export: Export) -> Iterator[tuple[str, Iterable[str]]]:
        names = [*next((export.carried(row) for row in export.rows), {}), "text"]
        cells = ([*export.carried(row).values(), row.text] for row in export.rows)
        yield "rows.tsv", ("\t".join(map(json.dumps, line)) + "\n" for line in chain([names], cells))


class Focal(Classification):
    """A task: one class an example, trained by the focal loss, which leaves easy examples alone."""

    name = "focal"

    def loss(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        losses = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        missed: Tensor = 1 - self.measure(logits, labels)[0][:, CONFIDENCE]
        return (missed**2 * losses).mean()
