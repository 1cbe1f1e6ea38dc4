"""Where in a run is the last hidden layer good? Average precision of its neighbours' labels, by epoch.

    python -m benchmarks.peers.layers --data FOLDER [--fashion FOLDER]

Needs cifar10_human.npz in --data. An example's score is the share of its 50 nearest neighbours in the input of the last
linear layer that carry its label. Runs by the recipe that the rules choose stand beside runs that learn labels by
heart: no augmentation, no weight decay. One seed; results/layers.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors

import dataaudit
from benchmarks.common import FASHION, Array, fashion, symmetric, table, write
from benchmarks.peers.cases import channels_first
from benchmarks.peers.people import block_cnn, labels_of
from dataaudit.data import as_examples
from dataaudit.learners.adapt import as_learner

VOTERS = 50
SHARES = (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
"""Of the epochs, after which the layer is read."""


def plain(epochs: int) -> dataaudit.Recipe:
    return dataaudit.Recipe(epochs=epochs, learning_rate=0.05)


def votes(hidden: Array, labels: Array) -> Array:
    """Share of the neighbours with an example's own label, [n]."""
    near = NearestNeighbors(n_neighbors=VOTERS + 1).fit(hidden).kneighbors(hidden, return_distance=False)
    others = np.where(near[:, :1] == np.arange(len(hidden))[:, None], near[:, 1:], near[:, :-1])
    return np.asarray((labels[others] == labels[:, None]).mean(1))


def run(name: str, model: Any, inputs: Array, given: Array, true: Array, recipe: Any) -> Iterator[dict[str, Any]]:
    """A line for each epoch at which the layer is read."""
    learner = as_learner(model, as_examples((inputs, given)), recipe, "auto", None)
    assert learner is not None
    learner.check(0)
    rows, found = np.arange(len(given)), []
    chosen = {max(1, round(learner.epochs * share)) for share in SHARES}

    def watch(epoch: int, fitted: Any) -> None:
        if epoch not in chosen:
            return
        seen: list[Array] = []
        last = [part for part in fitted.module.modules() if isinstance(part, torch.nn.Linear)][-1]
        hook = last.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach().float().numpy()))
        agreed = float((np.asarray(fitted.logits(rows).argmax(1)) == given).mean())
        hook.remove()
        precision = average_precision_score(given != true, -votes(np.concatenate(seen), given))
        line = {"case": name, "epoch": epoch, "epochs": learner.epochs}
        found.append({**line, "average_precision": round(precision, 4), "agrees": round(agreed, 4)})

    learner.from_scratch().fit(rows, 0, None, False, watch)
    yield from found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(options.data / "cifar10_human.npz") as found:
        images = channels_first(found["images"][:3000])
    true, given = labels_of(options.data, "careless", 3000)
    clothes, kinds = fashion(options.fashion, 4000)
    noisy, cnn = symmetric(kinds, 10, 0.2, 0), dataaudit.networks.build("small_cnn", (1, 28, 28), 10)
    lines = [
        *run("careless 3000, auto", block_cnn, images, given, true, None),
        *run("careless 3000, by heart", block_cnn, images, given, true, plain(15)),
        *run("Fashion-MNIST 4000 symmetric 20 %, auto", cnn, clothes, noisy, kinds, None),
        *run("Fashion-MNIST 4000 symmetric 20 %, plain 30", cnn, clothes, noisy, kinds, plain(30)),
    ]
    table(["", "epoch", "of", "average precision", "labels agreed with"], [list(line.values()) for line in lines])
    write(Path(__file__).parent / "results" / "layers.csv", lines)


if __name__ == "__main__":
    main()
