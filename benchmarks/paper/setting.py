"""Data that the user names, the sizes of a run, and the folder that keeps what was made of them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import Array
from benchmarks.paper.result import NotMade
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.learners.recipes import Automatic

ABOUT = "about.json"
"""File that says what a folder of results belongs to."""
WHAT = {
    "data": "another data set",
    "full": "the other of --quick and --full",
    "seed": "another seed",
    "sizes": "other sizes",
}
"""How results differ, by what `ABOUT` holds."""


@dataclass(frozen=True, eq=False)
class Data:
    """A labelled data set, and what is known of it from elsewhere."""

    name: str
    inputs: Array
    """Images uint8 [n, h, w] or [n, h, w, c], or rows of numbers [n, d]."""
    labels: Array
    """Classes int64 [n], from 0."""
    classes: tuple[str, ...]
    published: Array | None = None
    """C-scores that others published [n]."""
    votes: Array | None = None
    """Share of people who chose each class [n, C]."""
    test: tuple[Array, Array] | None = None
    """Inputs and labels that nothing trains on."""
    places: Array | None = None
    """Rows of the file or folder that these rows are [n]; None for all in their order."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def images(self) -> bool:
        """Whether inputs can be drawn."""
        return self.inputs.ndim >= 3

    @property
    def colour(self) -> bool:
        return self.inputs.ndim == 4

    @property
    def fingerprint(self) -> str:
        """Digest of inputs and labels."""
        return fingerprint_of([self.inputs, self.labels])

    def rows(self, chosen: Array) -> Data:
        """The rows `chosen`, with the same classes and test part."""

        def part(values: Array | None) -> Array | None:
            return None if values is None else values[chosen]

        return replace(
            self,
            inputs=self.inputs[chosen],
            labels=self.labels[chosen],
            published=part(self.published),
            votes=part(self.votes),
            places=self.index[chosen],
        )

    @property
    def index(self) -> Array:
        """Row of the file or folder that each row is [n]."""
        return np.arange(len(self)) if self.places is None else self.places

    def mixed(self) -> Data:
        """The rows in a fixed random order: files are often sorted, and parts are taken from the front.

        One of each class comes first, so that no part is without a class.
        """
        order = np.random.default_rng(0).permutation(len(self))
        ahead = np.sort(np.unique(self.labels[order], return_index=True)[1])
        return self.rows(np.concatenate([order[ahead], np.delete(order, ahead)]))

    def first(self, n: int | None) -> Data:
        """The first `n` rows; all of them for None."""
        return self if n is None or n >= len(self) else self.rows(np.arange(n))


@dataclass(frozen=True)
class Sizes:
    """How much is trained."""

    examples: int | None
    """Most examples of a training run, and of densities, where C-scores are known; None for all."""
    held: int | None
    """Most examples where C-scores have to be estimated first; None for all."""
    runs: int
    """Holdout runs of each subset ratio."""
    epochs: int | None
    """Most epochs of networks that convolve; None for the recipe's own."""
    seeds: int
    """Training runs, each with a seed of its own, where a figure is a mean over runs."""


QUICK = Sizes(examples=20000, held=3000, runs=10, epochs=8, seeds=1)
FULL = Sizes(examples=None, held=None, runs=2000, epochs=None, seeds=3)


@dataclass(frozen=True, eq=False)
class Setting:
    """Where results go, what they are made of, and how large."""

    folder: Path
    data: tuple[Data, ...]
    sizes: Sizes = QUICK
    full: bool = False
    backend: str = "joblib"
    device: str = "auto"
    seed: int = 0
    _checked: set[str] = field(default_factory=set)

    def named(self, name: str) -> Data | None:
        """Data set of that name, if the user named it."""
        return next((data for data in self.data if data.name == name), None)

    def network(self, data: Data) -> tuple[Callable[[], Any], dataaudit.Recipe]:
        """Network and recipe of the holdout runs: the paper's (table 2), or a small one for colour images in short."""
        if not data.colour:
            network = dataaudit.networks.build("mlp", data.inputs.shape[1:], len(data.classes))
            return network, self.shortened(_recipe("mnist"), convolves=False)
        shape = (data.inputs.shape[3], *data.inputs.shape[1:3])
        if self.full:
            many = "cifar100" if len(data.classes) > 10 else "cifar10"
            return dataaudit.networks.build("small_inception", shape, len(data.classes)), _recipe(many)
        small = replace(_recipe("cifar10"), batch_size=64, learning_rate=0.05)
        return dataaudit.networks.build("small_cnn", shape, len(data.classes)), self.shortened(small, convolves=True)

    def shortened(self, recipe: dataaudit.Recipe, convolves: bool) -> dataaudit.Recipe:
        """The recipe, with no more epochs than these sizes allow."""
        most = self.sizes.epochs
        return recipe if most is None or not convolves else replace(recipe, epochs=min(recipe.epochs, most))

    def described(self, data: Data) -> dict[str, Any]:
        """What a folder of results belongs to."""
        return {"data": data.fingerprint, "full": self.full, "seed": self.seed, "sizes": asdict(self.sizes)}

    def place(self, data: Data) -> Path:
        """Folder of a data set's results, made if need be; `NotMade` where it holds those of other data or sizes."""
        place = self.folder / data.name
        if data.name not in self._checked:
            self.check(data)
            if not (place / ABOUT).exists():
                put(place / ABOUT, json.dumps(self.described(data), indent=1).encode())
            self._checked.add(data.name)
        return place

    def check(self, data: Data) -> None:
        """Raise `NotMade` where the folder holds results of other data or sizes."""
        place, here = self.folder / data.name, self.described(data)
        if (place / ABOUT).exists():
            there = json.loads((place / ABOUT).read_text())
            differs = [WHAT[name] for name in here if there.get(name) != here[name]]
            if differs:
                raise NotMade(
                    f"{place} holds results of {' and '.join(differs)}: name another folder, or remove this one"
                )

    def kept(self, data: Data, name: str, make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
        """Arrays that `make` gives, made once and read from the folder from then on."""
        path = self.place(data) / "store" / f"{name}.npz"
        if not path.exists():
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **make())  # type: ignore[arg-type]
            put(path, buffer.getvalue())
        with np.load(path) as archive:
            return {key: archive[key] for key in archive.files}


def put(path: Path, content: bytes) -> None:
    """Write a file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _recipe(name: str) -> dataaudit.Recipe:
    recipe = dataaudit.recipes.get(name)
    assert not isinstance(recipe, Automatic)
    return recipe
