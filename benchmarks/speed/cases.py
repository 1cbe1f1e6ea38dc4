"""Networks and data that the main job is timed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import Array
from benchmarks.speed.plain import Loop
from dataaudit.data import as_examples
from dataaudit.learners.networks import MLP, BlockCNN, ResNet18
from dataaudit.learners.recipes import Automatic, Recipe
from dataaudit.learners.torch import TorchLearner

N = 10000


@dataclass(frozen=True)
class Case:
    """A network, and inputs as a user holds them."""

    factory: Callable[[], nn.Module]
    inputs: Array
    labels: Array

    def recipe(self, epochs: int | None = None) -> Recipe:
        """What `score` chooses by its rules."""
        learner = TorchLearner(
            self.factory, as_examples((self.inputs, self.labels)), Automatic(epochs), torch.device("cpu")
        )
        learner.check(0)
        return learner.recipe

    def loop(self, epochs: int | None = None) -> Loop:
        """The plain loop of the same recipe."""
        inputs: Any = torch.from_numpy(np.ascontiguousarray(self.inputs))
        if inputs.dtype == torch.uint8:
            inputs = (inputs.float() / 255).permute(0, 3, 1, 2)
        return Loop(self.factory, inputs, torch.from_numpy(self.labels.astype(np.int64)), self.recipe(epochs))


def _images(factory: Callable[[], nn.Module], path: str, rows: int = N, copies: int = 1) -> Case:
    with np.load(path) as data:
        images, labels = data["images"][:rows], data["careless"][:rows]
    return Case(factory, np.concatenate([images] * copies), np.concatenate([labels] * copies))


def _vectors(path: str) -> Case:
    with np.load(path) as data:
        labels = data["careless"]
    vectors = np.load(path.replace(".npz", "_features.npy")).astype(np.float32)
    return Case(partial(nn.Linear, vectors.shape[1], 10), vectors, labels)


def _mlp(path: str) -> Case:
    return _images(partial(MLP, 3072, 10), path)


CASES: dict[str, Callable[[str], Case]] = {
    "BlockCNN": partial(_images, partial(BlockCNN, 3, 10)),
    "BlockCNN, 20000 rows": partial(_images, partial(BlockCNN, 3, 10), copies=2),
    "ResNet18(16)": partial(_images, partial(ResNet18, 3, 10, 16)),
    "MLP": _mlp,
    "vectors + linear": _vectors,
}
"""By name: from the path of an npz with images [n, H, W, 3] and labels `careless`, whose features lie beside it."""
