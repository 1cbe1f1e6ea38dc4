"""What cleaning buys: test accuracy after training on given, cleaned and true labels.

    python -m benchmarks.peers.cleaning --data FOLDER [--fashion FOLDER]

Needs satellite.csv in --data; a third of it is the test set. Of Fashion-MNIST the first 6000 training images train and
all 10000 test images test. Labels get 20 % symmetric noise or 20 % noise in pairs of look-alike classes; `score` and
`clean` have their default settings. All five trainings share the model, the recipe, the seed and the loop, whose loss
is weighted by the column "weight" where there is one. Three seeds; means.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import dataaudit
from benchmarks.common import FASHION, PAIRS, Array, fashion, paired, symmetric, table, write
from benchmarks.peers.cases import nearest_partner, satellite
from dataaudit.learners.recipes import PLAIN

TRAINED = 6000
WAYS = ("given", "drop", "relabel", "weight", "true")
Parts = tuple[str, Callable[[], torch.nn.Module], Array, Array, Array, Array, dict[int, int]]


def fashion_parts(folder: str) -> Parts:
    images, labels = fashion(folder, TRAINED)
    with gzip.open(Path(folder) / "t10k-images-idx3-ubyte.gz") as file:
        others = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(Path(folder) / "t10k-labels-idx1-ubyte.gz") as file:
        theirs = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    model = dataaudit.networks.build("small_cnn", (1, 28, 28), 10)
    return f"fashion {TRAINED} cnn", model, images, labels, others, theirs, dict(PAIRS)


def satellite_parts(folder: Path) -> Parts:
    inputs, labels = satellite(folder / "satellite.csv")
    held = np.random.default_rng(0).permutation(len(labels)) % 3 == 0
    model = dataaudit.networks.build("mlp", (inputs.shape[1],), int(labels.max()) + 1)
    partner = nearest_partner(inputs[~held], labels[~held])
    return "satellite mlp", model, inputs[~held], labels[~held], inputs[held], labels[held], partner


def tensors(inputs: Array) -> torch.Tensor:
    values = torch.tensor(inputs)
    return values / 255 if values.dtype == torch.uint8 else values


def accuracy(
    model: Callable[[], torch.nn.Module],
    inputs: Array,
    labels: Array,
    weights: Array,
    test: tuple[Array, Array],
    seed: int,
) -> float:
    """Of a network trained by the default recipe, its loss weighted."""
    torch.manual_seed(seed)
    module, x, y, w = model(), tensors(inputs), torch.tensor(labels), torch.tensor(weights, dtype=torch.float32)
    optimizer = torch.optim.SGD(module.parameters(), PLAIN.learning_rate, PLAIN.momentum, nesterov=True)
    steps, step = -(-len(y) // PLAIN.batch_size) * PLAIN.epochs, 0
    for _ in range(PLAIN.epochs):
        for batch in torch.randperm(len(y)).split(PLAIN.batch_size):
            for group in optimizer.param_groups:
                group["lr"] = PLAIN.learning_rate * PLAIN.rate(step, steps)
            loss = functional.cross_entropy(module(x[batch]), y[batch], reduction="none")
            optimizer.zero_grad()
            (loss * w[batch]).mean().backward()
            optimizer.step()
            step += 1
    with torch.inference_mode():
        guessed = module.eval()(tensors(test[0])).argmax(1).numpy()
    return float((guessed == test[1]).mean())


def cleaned(audit: dataaudit.Audit, way: str, given: Array, true: Array) -> tuple[Array, Array, Array]:
    """Rows, labels and weights to train on."""
    rows = np.arange(len(given))
    if way == "true":
        return rows, true, np.ones(len(rows))
    if way == "weight":
        weights = audit.clean("weight")["weight"]
        return rows, given, np.asarray(weights, np.float64) / np.mean(weights)
    if way == "given":
        return rows, given, np.ones(len(rows))
    flagged = audit.mislabeled()
    labels, kept = given.copy(), np.ones(len(given), bool)
    if way == "drop":
        kept[flagged["index"]] = False
    else:
        labels[flagged["index"]] = [int(name) for name in flagged["suggested"]]
    return rows[kept], labels[kept], np.ones(int(kept.sum()))


def run(parts: Parts, seed: int) -> Iterator[dict[str, Any]]:
    name, model, inputs, true, others, theirs, partner = parts
    classes = int(true.max()) + 1
    noises = {
        "symmetric 20%": symmetric(true, classes, 0.2, seed),
        "pairs 20%": paired(true, partner, 0.2, seed),
        "none": true,
    }
    for noise, given in noises.items():
        audit = dataaudit.score(model, (inputs, given), seed=seed, progress=False)
        row: dict[str, Any] = {"data": name, "noise": noise, "seed": seed, "flagged": len(audit.mislabeled())}
        for way in WAYS:
            rows, labels, weights = cleaned(audit, way, given, true)
            row[way] = round(accuracy(model, inputs[rows], labels, weights, (others, theirs), seed), 5)
        print(row, flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    every = satellite_parts(options.data), fashion_parts(options.fashion)
    rows = [row for parts in every for seed in options.seeds for row in run(parts, seed)]
    lines = []
    for case in dict.fromkeys((row["data"], row["noise"]) for row in rows):
        own = [row for row in rows if (row["data"], row["noise"]) == case]
        lines.append([" ".join(case), *(f"{np.mean([row[way] for row in own]):.4f}" for way in WAYS)])
    table(["test accuracy after training on", "given", "dropped", "relabelled", "weighted", "true"], lines)
    write(Path(__file__).parent / "results" / "cleaning.csv", rows)


if __name__ == "__main__":
    main()
