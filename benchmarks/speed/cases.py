"""Models and data that the main job is timed on.

Images come from a file. Vectors, texts and table rows are made by a seed: how long they take depends on their sizes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor, nn

from benchmarks.common import Array
from benchmarks.peers.cases import small_transformer
from benchmarks.speed.boosted import Boosted
from benchmarks.speed.plain import Loop
from dataaudit.data import as_examples
from dataaudit.learners.networks import MLP, BlockCNN, ResNet18
from dataaudit.learners.recipes import TRANSFORMER, Automatic, Recipe, of_length
from dataaudit.learners.sklearn import SklearnLearner
from dataaudit.learners.torch import TorchLearner
from dataaudit.pipeline.choice import FEW
from dataaudit.pipeline.evidence_sources.cross_validation import draws_of

CLASSES = 10
ROUNDS = 100
DIMENSIONS = 384
"""Of vectors of sentences, as many as those of all-MiniLM-L6-v2."""


class Plain(Protocol):
    """Training without an audit; what `run` gives, `predict` takes."""

    labels: Tensor

    @property
    def epochs(self) -> int:
        """Passes over all rows."""

    @property
    def evaluations(self) -> int:
        """Evaluations of all rows that belong to the run."""

    def settings(self) -> dict[str, Any]:
        """What an audit's settings say of the same training."""

    def fastest(self) -> Any:
        """How it runs fastest here."""

    def without_evaluations(self) -> Plain:
        """The same, evaluated never."""

    def run(
        self,
        way: Any,
        record: Callable[[Tensor, Tensor, Tensor], object] | None = None,
        epoch_done: Callable[[], object] | None = None,
        rows: Tensor | None = None,
    ) -> Any:
        """Train on rows, all of them if None."""

    def predict(self, model: Any, way: Any, rows: Tensor) -> Tensor:
        """Logits [b, C] of rows."""


class Case(ABC):
    """A model, and inputs as a user holds them."""

    labels: Array

    @property
    def draws(self) -> int:
        """How often the audit trains on folds besides, as it does for few rows of numbers."""
        return 0

    @abstractmethod
    def arguments(self, epochs: int | None) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Arguments of `score`."""

    @abstractmethod
    def loop(self, epochs: int | None = None) -> Plain:
        """The same training without an audit."""


@dataclass(frozen=True)
class Network(Case):
    """A network and arrays."""

    factory: Callable[[], nn.Module]
    inputs: Array
    labels: Array

    @property
    def draws(self) -> int:
        return int(self.inputs.ndim == 2 and len(self.labels) <= FEW)

    def arguments(self, epochs: int | None) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        recipe = "auto" if epochs is None else Automatic(epochs)
        return (self.factory, (self.inputs, self.labels)), {"recipe": recipe}

    def recipe(self, epochs: int | None) -> Recipe:
        """What `score` chooses by its rules."""
        examples = as_examples((self.inputs, self.labels))
        learner = TorchLearner(self.factory, examples, Automatic(epochs), torch.device("cpu"))
        learner.check(0)
        return learner.recipe

    def loop(self, epochs: int | None = None) -> Loop:
        inputs = torch.from_numpy(np.ascontiguousarray(self.inputs))
        if inputs.dtype == torch.uint8:
            inputs = (inputs.float() / 255).permute(0, 3, 1, 2)
        return Loop(self.factory, inputs, torch.from_numpy(self.labels), self.recipe(epochs))


class _Padded(nn.Module):
    """A transformers model that takes token ids [b, l], filled up with zeros, as one tensor."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        there = ids != 0
        longest = int(there.sum(1).max())
        logits: Tensor = self.model(input_ids=ids[:, :longest], attention_mask=there[:, :longest].long()).logits
        return logits


@dataclass(frozen=True)
class Transformer(Case):
    """A transformers model of random weights, and texts."""

    texts: list[str]
    labels: Array

    def arguments(self, epochs: int | None) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        factory, tokenizer = small_transformer(self.texts, CLASSES)
        recipe = of_length(TRANSFORMER, Automatic(epochs))
        return (factory, (self.texts, self.labels)), {"processor": tokenizer, "recipe": recipe}

    def loop(self, epochs: int | None = None) -> Loop:
        factory, tokenizer = small_transformer(self.texts, CLASSES)
        ids = tokenizer(self.texts, padding=True, return_tensors="pt")["input_ids"]
        recipe = of_length(TRANSFORMER, Automatic(epochs))
        return Loop(lambda: _Padded(factory()), ids, torch.from_numpy(self.labels), recipe)


@dataclass(frozen=True)
class Table(Case):
    """Histogram boosting, and rows of numbers."""

    inputs: Array
    labels: Array

    @property
    def draws(self) -> int:
        examples = as_examples((self.inputs, self.labels))
        learner = SklearnLearner(HistGradientBoostingClassifier(max_iter=ROUNDS), examples, None)
        return draws_of(learner, len(self.labels)) if len(self.labels) <= FEW else 0

    def arguments(self, epochs: int | None) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        model = HistGradientBoostingClassifier(max_iter=ROUNDS, random_state=0)
        return (model, (self.inputs, self.labels)), {}

    def loop(self, epochs: int | None = None) -> Boosted:
        return Boosted(self.inputs, self.labels, ROUNDS)


def _images(factory: Callable[[], nn.Module], file: Path | None, rows: int, copies: int = 1) -> Network:
    if file is None:
        raise SystemExit("cases of images need --images FILE")
    with np.load(file) as data:
        images, labels = data["images"][:rows], data["careless"][:rows].astype(np.int64)
    return Network(factory, np.concatenate([images] * copies), np.concatenate([labels] * copies))


def _around_means(rows: int, features: int) -> tuple[Array, Array]:
    """Rows float32 [n, d] around the means of ten classes, and labels int64 [n], a tenth of them wrong."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=rows)
    means = rng.normal(size=(CLASSES, features))
    inputs = (means[labels] + 2 * rng.normal(size=(rows, features))).astype(np.float32)
    return inputs, np.where(rng.random(rows) < 0.1, rng.integers(CLASSES, size=rows), labels)


def _vectors(file: Path | None, rows: int) -> Network:
    inputs, labels = _around_means(rows, DIMENSIONS)
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    return Network(partial(nn.Linear, DIMENSIONS, CLASSES), inputs, labels)


def _texts(file: Path | None, rows: int) -> Transformer:
    """Texts of 5 to 24 words, of which every class has some that are its own."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=rows)
    lengths = rng.integers(5, 25, size=rows)
    texts = []
    for label, length in zip(labels, lengths, strict=True):
        common, own = rng.zipf(1.3, length) % 4000, 4000 + label * 50 + rng.integers(50, size=length)
        texts.append(" ".join(f"w{word}" for word in np.where(rng.random(length) < 0.2, own, common)))
    return Transformer(texts, np.where(rng.random(rows) < 0.1, rng.integers(CLASSES, size=rows), labels))


def _table(file: Path | None, rows: int) -> Table:
    return Table(*_around_means(rows, 30))


CASES: dict[str, Callable[[Path | None, int], Case]] = {
    "BlockCNN": partial(_images, partial(BlockCNN, 3, CLASSES)),
    "ResNet18(16)": partial(_images, partial(ResNet18, 3, CLASSES, 16)),
    "MLP": partial(_images, partial(MLP, 3072, CLASSES)),
    "vectors + linear": _vectors,
    "transformer": _texts,
    "boosting": _table,
    "BlockCNN, twice the rows": partial(_images, partial(BlockCNN, 3, CLASSES), copies=2),
}
"""By name: from the file of images [n, H, W, 3] and labels `careless`, and the number of examples."""
