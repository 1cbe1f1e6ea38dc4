"""Natural images that people labelled, carefully and less so, and features of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import Array
from benchmarks.peers.cases import Source, channels_first, feature_peers

DATA = "cifar10_human"
LABELLINGS = ("careless", "one_annotator", "very_careless")


def labels_of(folder: Path, labelling: str, n: int, first: int = 0) -> tuple[Array, Array]:
    """True and given labels of `n` images from the `first` on, int64 [n]."""
    chosen = slice(first, first + n)
    with np.load(folder / f"{DATA}.npz") as found:
        return found["clean_label"][chosen].astype(np.int64), found[labelling][chosen].astype(np.int64)


def block_cnn() -> Any:
    return dataaudit.networks.BlockCNN(3, 10)


def narrow_resnet() -> Any:
    return dataaudit.networks.ResNet18(3, 10, width=16)


NETWORKS: dict[str, Callable[[], Any]] = {"cnn": block_cnn, "resnet18": narrow_resnet}


def pictures(folder: Path, labelling: str, network: str = "cnn", n: int = 10000, first: int = 0) -> Source:
    """`n` images from the `first` on and a network; three seeds of the careless labelling of all, else one."""
    true, given = labels_of(folder, labelling, n, first)
    with np.load(folder / f"{DATA}.npz") as found:
        images = channels_first(found["images"][first : first + n])
    vectors = images.reshape(len(images), -1).astype(np.float32) / 255
    return Source(
        DATA,
        network,
        NETWORKS[network],
        images,
        vectors,
        true,
        {},
        given,
        labelling=labelling,
        seeds=3 if (labelling, n) == ("careless", 10000) else 1,
        images=True,
    )


def features(folder: Path, labelling: str, model: str, n: int = 10000, first: int = 0) -> Source:
    """What a network that was trained on other images makes of these, with a linear model or none.

    `n` images from the `first` on; a labelling is named with where it begins, unless at the beginning.
    """
    vectors = np.load(folder / f"{DATA}_features.npy")[first : first + n].astype(np.float32)
    true, given = labels_of(folder, labelling, n, first)
    peers = feature_peers()
    named = f"{labelling} from {first}" if first else labelling
    return Source(
        f"{DATA} features", model, peers.get(model), vectors, vectors, true, {}, given, labelling=named, peers=peers
    )


def people(folder: Path) -> dict[str, Callable[[], Source]]:
    """By name: labellings with the network, fewer rows, another network, features."""
    networks: dict[str, Callable[[], Source]] = {
        **{f"{labelling} cnn": partial(pictures, folder, labelling) for labelling in LABELLINGS},
        "careless last 5000 cnn": partial(pictures, folder, "careless", n=5000, first=5000),
        "careless 3000 cnn": partial(pictures, folder, "careless", n=3000),
        "careless 1000 cnn": partial(pictures, folder, "careless", n=1000),
        "careless 3000 resnet18": partial(pictures, folder, "careless", "resnet18", 3000),
    }
    linear = {
        f"{labelling} features {model}": partial(features, folder, labelling, model)
        for labelling in LABELLINGS
        for model in ("none", "probe", "logistic")
    }
    return networks | linear
