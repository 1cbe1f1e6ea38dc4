"""Data sets of the bed by name: rows, numbers that stand for them, true labels, and given ones where people erred."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

from benchmarks.common import Array, fashion
from benchmarks.peers import cases, people
from benchmarks.peers.small_tables import rows_of

UNBALANCED = 0.6
"""Share of rows that each class keeps of the one before it, in data sets called unbalanced."""

HUNDRED = 20000
"""Pairs of digits side by side that are made."""


@dataclass(frozen=True)
class Folders:
    """Where files lie: data sets, Fashion-MNIST, and what this benchmark keeps."""

    data: Path
    fashion: str
    cache: Path


@dataclass(frozen=True)
class Data:
    """Rows with true labels.

    Attributes
    ----------
    family
        What shares its examples with it, or their kind: left out together where estimators are tried on others.
    inputs
        [n, ...], or texts.
    vectors
        Numbers float32 [n, d] that stand for them, to plant errors among.
    true
        int64 [n].
    given
        Labellings with errors of their own, int64 [n], by name.
    """

    family: str
    inputs: Any
    vectors: Array
    true: Array
    given: dict[str, Array] = field(default_factory=dict)

    def rows(self, chosen: Array) -> Data:
        """The `chosen` rows alone."""
        inputs = [self.inputs[row] for row in chosen] if isinstance(self.inputs, list) else self.inputs[chosen]
        given = {name: labels[chosen] for name, labels in self.given.items()}
        return replace(self, inputs=inputs, vectors=self.vectors[chosen], true=self.true[chosen], given=given)


def smaller(images: Array, factor: int) -> Array:
    """Images [n, c, H, W] as rows of means over squares of pixels, float32 [n, c * H * W / factor^2], 0..1."""
    n, channels, height, width = images.shape
    squares = images.reshape(n, channels, height // factor, factor, width // factor, factor)
    return np.asarray(squares.mean((3, 5), dtype=np.float32).reshape(n, -1) / 255)


def pictures(family: str, images: Array, true: Array, factor: int, flat: bool, given: Any = None) -> Data:
    """Images as they are, or as rows of pixels."""
    vectors = smaller(images, factor)
    return Data(family, vectors if flat else images, vectors, true, given or {})


def table(family: str, inputs: Array, true: Array, given: Any = None) -> Data:
    """Columns are standardised."""
    wide = np.asarray(inputs, np.float64)
    gap = np.maximum(wide.std(0), 1e-12)
    rows = ((wide - wide.mean(0)) / gap).astype(np.float32)
    return Data(family, rows, rows, np.asarray(true, np.int64), given or {})


def cifar(folders: Folders, kind: str) -> Data:
    """Images that people labelled: as they are, as pixels, or as features of a network that saw others."""
    with np.load(folders.data / f"{people.DATA}.npz") as found:
        true = found["clean_label"].astype(np.int64)
        given = {name: found[name].astype(np.int64) for name in people.LABELLINGS}
        if kind == "features":
            vectors = np.load(folders.data / f"{people.DATA}_features.npy").astype(np.float32)
            return Data(people.DATA, vectors, vectors, true, given)
        images = cases.channels_first(found["images"])
    return pictures(people.DATA, images, true, 4, kind == "pixels", given)


def mnist(folders: Folders, kind: str, only: tuple[int, ...] = ()) -> Data:
    """Written digits, all or a few of the classes."""
    with np.load(folders.data / "mnist_cscores.npz") as found:
        images, true = found["images"][:, None], found["labels"].astype(np.int64)
    if only:
        rows = np.isin(true, only)
        images, true = images[rows], np.searchsorted(np.array(only), true[rows])
    return pictures("mnist", images, true, 2, kind == "pixels")


def hundred(folders: Folders, kind: str) -> Data:
    """100 classes: two written digits side by side."""
    with np.load(folders.data / "mnist_cscores.npz") as found:
        images, digits = found["images"], found["labels"].astype(np.int64)
    both = np.random.default_rng(0).integers(0, len(digits), (2, HUNDRED))
    wide = np.concatenate([images[both[0]], images[both[1]]], axis=2)[:, None]
    return pictures("mnist", wide, 10 * digits[both[0]] + digits[both[1]], 2, kind == "pixels")


def clothes(folders: Folders, kind: str) -> Data:
    images, true = fashion(folders.fashion, 60000)
    return pictures("fashion", images, true, 2, kind == "pixels")


def written(folders: Folders, name: str, kind: str) -> Data:
    """Texts as they are, or as sentence embeddings."""
    path = folders.data / f"{name}.csv"
    lines, true, given = cases.texts(path)
    vectors = cases.embedded(path, lines, folders.cache)
    family = "news" if name.endswith("_news") else name
    found = {} if given is None else {cases.REAL: given}
    return Data(family, lines if kind == "words" else vectors, vectors, true, found)


def names(folders: Folders) -> Data:
    """Capitalised words of news with two neighbours on both sides, by what they name; tags as published and mended."""
    with (folders.data / "conll03_test.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = sorted({row["clean_tag"].split("-")[-1] for row in rows})
    lines, tags = [], []
    for place, row in enumerate(rows):
        if not row["token"][:1].isupper():
            continue
        near = rows[max(place - 2, 0) : place + 3]
        same = [other for other in near if other["sentence"] == row["sentence"]]
        # The word itself thrice: what it is counts more than what is around it.
        lines.append(" ".join([row["token"]] * 3 + [other["token"] for other in same if other is not row]))
        tags.append([kinds.index(row[name].split("-")[-1]) for name in ("clean_tag", "tag")])
    true, given = np.array(tags, np.int64).T
    return Data("conll03", lines, np.zeros((len(lines), 1), np.float32), true, {cases.REAL: given})


def several(folders: Folders, name: str, column: int) -> Data:
    """One label of several, which the columns hardly tell."""
    with np.load(folders.data / f"{name}.npz") as found:
        return table(name, found["x"], found["labels"][:, column])


def air(folders: Folders) -> Data:
    """Hours by which quarter of all their carbon monoxide is in: classes that border on each other."""
    with (folders.data / "air_quality.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name not in ("date", "time", "co")]
    values = np.array([[float(row[name] or "nan") for name in columns] for row in rows])
    filled = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    level = np.array([float(row["co"]) for row in rows])
    return table("air_quality", filled, np.searchsorted(np.quantile(level, (0.25, 0.5, 0.75)), level))


def tabular(folders: Folders, name: str) -> Data:
    return table(name.replace(" ", "_"), *rows_of(name, folders.data))


def blobs(folders: Folders, classes: int, apart: float, features: int = 8) -> Data:
    """Round clusters, one a class, with centres of standard deviation `apart` and a spread of 1."""
    rng = np.random.default_rng(classes)
    true = rng.integers(0, classes, 20000)
    centres = apart * rng.normal(size=(classes, features))
    rows = (centres[true] + rng.normal(size=(len(true), features))).astype(np.float32)
    return Data("blobs", rows, rows, true)


def tangled(folders: Folders, classes: int, apart: float) -> Data:
    """Several clusters a class among columns that say nothing; no labels of their own are wrong."""
    rows, true = datasets.make_classification(
        n_samples=20000,
        n_features=20,
        n_informative=8,
        n_classes=classes,
        n_clusters_per_class=3,
        class_sep=apart,
        flip_y=0.0,
        random_state=0,
    )
    return table("tangled", rows, true)


KINDS: dict[str, Callable[[Folders], Data]] = {
    **{f"cifar {kind}": partial(cifar, kind=kind) for kind in ("images", "pixels", "features")},
    **{f"mnist {kind}": partial(mnist, kind=kind) for kind in ("images", "pixels")},
    **{
        f"mnist {a}-{b} {kind}": partial(mnist, kind=kind, only=(a, b))
        for a, b in ((0, 1), (1, 6), (3, 8), (4, 9), (2, 7))
        for kind in ("images", "pixels")
    },
    **{f"mnist hundred {kind}": partial(hundred, kind=kind) for kind in ("images", "pixels")},
    **{f"fashion {kind}": partial(clothes, kind=kind) for kind in ("images", "pixels")},
    **{
        f"{name.split('_')[0]} {kind}": partial(written, name=name, kind=kind)
        for name in ("hausa_news", "yoruba_news", "trec")
        for kind in ("words", "embeddings")
    },
    "names words": names,
    **{name: partial(tabular, name=name) for name in ("wine", "breast cancer", "satellite", "digits")},
    "yeast 1": partial(several, name="yeast", column=1),
    "yeast 4": partial(several, name="yeast", column=4),
    "emotions": partial(several, name="emotions", column=2),
    "emotions sad": partial(several, name="emotions", column=4),
    "air quality": air,
    "blobs of 3, far": partial(blobs, classes=3, apart=30.0),
    "blobs of 3": partial(blobs, classes=3, apart=2.0),
    "blobs of 4, near": partial(blobs, classes=4, apart=0.8),
    "blobs of 20": partial(blobs, classes=20, apart=2.0),
    "blobs of 2": partial(blobs, classes=2, apart=1.0),
    "tangled 2": partial(tangled, classes=2, apart=1.0),
    "tangled 5": partial(tangled, classes=5, apart=1.5),
}
"""Makers of all rows, by name."""


@lru_cache(maxsize=3)
def everything(kind: str, folders: Folders) -> Data:
    return KINDS[kind](folders)


def data_of(kind: str, rows: int | None, unbalanced: bool, seed: int, folders: Folders) -> Data:
    """Some rows of a data set, drawn by `seed`; all of them for None.

    Parameters
    ----------
    kind
        One of `KINDS`.
    rows
        How many; of classes that are unbalanced, at most.
    unbalanced
        Whether each class keeps `UNBALANCED` of the share of the one before it.
    seed
        Of the draw.
    folders
        Where files lie.

    Raises
    ------
    ValueError
        If there are fewer rows.
    """
    whole = everything(kind, folders)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(whole.true))
    if unbalanced:
        order = order[rng.random(len(order)) < UNBALANCED ** whole.true[order]]
    if rows is None and not unbalanced:
        return whole
    if rows is not None and rows > len(order):
        raise ValueError(f"{rows} rows of {kind!r}, which has {len(order)}: ask for fewer")
    return whole.rows(np.sort(order[:rows]))
