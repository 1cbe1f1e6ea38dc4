"""What acting on an audit buys: test accuracy after training on given, cleaned and true labels. Real errors come first.

    python -m benchmarks.peers.cleaning --data FOLDER [--fashion FOLDER] [--only PATTERN ...] [--ways WAY ...]
        [--seeds 0 1 2 3 4] [--table]

Needs cifar10_human.npz, cifar10_human_features.npy and satellite.csv in --data. Of the 10000 images with `careless`
labels 7000, drawn by the seed, train and 3000 test, on their clean labels: the network of blocks on images, trained
by `auto(epochs=8)`, and logistic regression on features by a network that learned from others. A third of the satellite
readings tests; of Fashion-MNIST 6000 images train and 10000 test. Those get 20 % symmetric noise, 20 % noise in pairs
of look-alike classes, or none.

`score` audits the training rows with every setting its default, and its flags are dropped or relabelled, its rows
weighed by `weights("suspects")`. cleanlab drops the issues that it finds by five folds of the same model and recipe.
All trainings of a seed share model, recipe and seed; "true" trains on clean labels and is what cleaning cannot exceed.
Where an audit does not know how many labels are wrong, nothing is flagged. A finished cell is appended to
results/cleaning.csv, one that is there is skipped, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits
from torch.nn import functional

import dataaudit
from benchmarks.common import (
    FASHION,
    PAIRS,
    Array,
    append,
    fashion,
    fashion_test,
    kept,
    machine,
    paired,
    symmetric,
    table,
)
from benchmarks.peers.cases import channels_first, nearest_partner, satellite
from benchmarks.peers.collect import probabilities
from benchmarks.peers.people import labels_of
from dataaudit.data import as_examples
from dataaudit.learners.adapt import as_learner
from dataaudit.learners.recipes import auto
from dataaudit.learners.torch import TorchLearner

RESULTS = Path(__file__).parent / "results" / "cleaning.csv"
WAYS = ("given", "dropped", "relabelled", "weighted", "cleanlab", "true")
KEY = ("data", "noise", "seed", "way")
FIELDS = [*KEY, "accuracy", "wrong", "touched", "commit", "machine", "versions"]
TRAINED, FEWER, FOLDS = 7000, 6000, 5


@dataclass(frozen=True)
class Parts:
    """Rows to train on, the first `train` of them, and rows to test on.

    Attributes
    ----------
    model
        A factory of networks, or a model of scikit-learn's kind.
    inputs
        All rows.
    given, true
        Labels of all rows, int64 [n].
    train
        Number of rows to train on.
    recipe
        Of networks, for the trainings; the audit has its own.
    """

    model: Any
    inputs: Array
    given: Array
    true: Array
    train: int
    recipe: Any = None

    @property
    def network(self) -> bool:
        return self.recipe is not None

    def trained(self, rows: Array, labels: Array, weights: Array, seed: int) -> float:
        """Accuracy on the test rows after training on `rows` with their labels and weights."""
        test = np.arange(self.train, len(self.inputs))
        if not self.network:
            model = copy.deepcopy(self.model).fit(self.inputs[rows], labels, sample_weight=weights)
            return float((model.predict(self.inputs[test]) == self.true[test]).mean())
        every, factors = self.true.copy(), np.ones(len(self.inputs))
        every[rows], factors[rows] = labels, weights
        learner = self.learner(every, seed)
        fitted = Weighted.of(learner, factors).fit(np.sort(rows), seed, None, False)
        return float((probabilities(fitted.logits(test)).argmax(1) == self.true[test]).mean())

    def learner(self, labels: Array, seed: int) -> Any:
        learner = as_learner(self.model, as_examples((self.inputs, labels)), self.recipe, "auto", None)
        assert learner is not None
        learner.check(seed)
        return learner

    def folds(self, seed: int) -> Array:
        """Predictions of the training rows by models that were trained on four fifths of the others, [train, C]."""
        given = self.given[: self.train]
        split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        if not self.network:
            inputs = self.inputs[: self.train]
            return np.asarray(cross_val_predict(self.model, inputs, given, cv=split, method="predict_proba"))
        learner = self.learner(self.given, seed)
        found = np.zeros((self.train, int(given.max()) + 1))
        for train, test in split.split(given, given):
            found[test] = probabilities(learner.fit(train, seed, None, False).logits(test))
        return found


class Weighted(TorchLearner):
    """A learner whose loss counts every row by its weight."""

    weights: torch.Tensor

    @classmethod
    def of(cls, learner: TorchLearner, weights: Array) -> Weighted:
        found = copy.copy(learner)
        found.__class__ = cls
        assert isinstance(found, Weighted)
        found.weights = torch.tensor(weights, dtype=torch.float32)
        return found

    def _step(self, module: Any, batch: Any, optimizer: Any, generator: Any, recorder: Any) -> None:
        inputs = self.inputs(batch.numpy())
        if self.recipe.augment is not None:
            inputs = self.recipe.augment(inputs, generator)
        with self.running():
            logits = self.run(module, inputs)
        losses = functional.cross_entropy(
            logits,
            self._labels[batch],
            reduction="none",
            label_smoothing=self.recipe.label_smoothing,
        )
        optimizer.zero_grad(set_to_none=True)
        (losses * self.weights[batch]).mean().backward()
        optimizer.step()


def split(seed: int) -> Array:
    """Order of the natural images: those to train on, then those to test on."""
    return np.random.default_rng(seed).permutation(10000)


def pictures(folder: Path, noise: str, seed: int) -> Parts:
    order = split(seed)
    true, given = labels_of(folder, noise, 10000)
    with np.load(folder / "cifar10_human.npz") as found:
        images = channels_first(found["images"])[order]
    return Parts(lambda: dataaudit.networks.BlockCNN(3, 10), images, given[order], true[order], TRAINED, auto(epochs=8))


def features(folder: Path, noise: str, seed: int) -> Parts:
    order = split(seed)
    true, given = labels_of(folder, noise, 10000)
    vectors = np.load(folder / "cifar10_human_features.npy")[order].astype(np.float32)
    return Parts(LogisticRegression(max_iter=1000), vectors, given[order], true[order], TRAINED)


def planted(true: Array, partner: dict[int, int], noise: str, seed: int) -> Array:
    if noise == "none":
        return true
    classes = int(true.max()) + 1
    return symmetric(true, classes, 0.2, seed) if noise.startswith("symmetric") else paired(true, partner, 0.2, seed)


def satellite_mlp(folder: Path, noise: str, seed: int) -> Parts:
    inputs, labels = satellite(folder / "satellite.csv")
    held = np.random.default_rng(0).permutation(len(labels)) % 3 == 0
    order, train = np.argsort(held, kind="stable"), int((~held).sum())
    model = dataaudit.networks.build("mlp", (inputs.shape[1],), int(labels.max()) + 1)
    inputs, labels = inputs[order], labels[order]
    given = planted(labels[:train], nearest_partner(inputs[:train], labels[:train]), noise, seed)
    return Parts(model, inputs, np.concatenate([given, labels[train:]]), labels, train, auto())


def fashion_cnn(folder: str, noise: str, seed: int) -> Parts:
    images, labels = fashion(folder, FEWER)
    others, theirs = fashion_test(folder)
    model = dataaudit.networks.build("small_cnn", (1, 28, 28), 10)
    given = np.concatenate([planted(labels, dict(PAIRS), noise, seed), theirs])
    return Parts(model, np.concatenate([images, others]), given, np.concatenate([labels, theirs]), FEWER, auto())


class Cell:
    """A data set with a labelling and a seed; what its ways share is made once."""

    def __init__(self, parts: Parts, seed: int) -> None:
        self.parts, self.seed = parts, seed
        self.given, self.true = parts.given[: parts.train], parts.true[: parts.train]

    @cached_property
    def audit(self) -> dataaudit.Audit:
        inputs = self.parts.inputs[: self.parts.train]
        return dataaudit.score(self.parts.model, (inputs, self.given), seed=self.seed, progress=False)

    def cleaned(self, way: str) -> tuple[Array, Array, Array]:
        """Rows, labels and weights to train on."""
        rows, ones = np.arange(len(self.given)), np.ones(len(self.given))
        if way == "true":
            return rows, self.true, ones
        if way == "given":
            return rows, self.given, ones
        if way == "cleanlab":
            from cleanlab.filter import find_label_issues

            kept = ~find_label_issues(self.given, self.parts.folds(self.seed))
            return rows[kept], self.given[kept], ones[kept]
        if not self.audit.noise_rate().known:
            return rows, self.given, ones
        if way == "weighted":
            return rows, self.given, np.asarray(self.audit.weights("suspects"), np.float64)
        flagged = self.audit.mislabeled()
        labels, kept = self.given.copy(), np.ones(len(rows), bool)
        if way == "dropped":
            kept[flagged["row"]] = False
        else:
            labels[flagged["row"]] = [int(name) for name in flagged["suggested"]]
        return rows[kept], labels[kept], ones[kept]

    def line(self, way: str) -> dict[str, Any]:
        rows, labels, weights = self.cleaned(way)
        touched = len(self.given) - int((labels == self.given[rows]).sum())
        accuracy = round(self.parts.trained(rows, labels, weights, self.seed), 5)
        return {"accuracy": accuracy, "wrong": int((self.given != self.true).sum()), "touched": touched}


PLANTED = ("symmetric 20%", "pairs 20%", "none")
SEEDS = {"careless": 5}
"""Numbers of seeds by labelling; three of planted errors."""


def data_sets(options: argparse.Namespace) -> dict[str, tuple[Callable[[str, int], Parts], tuple[str, ...]]]:
    """By name, with their labellings."""
    folder = options.data
    return {
        "natural images, BlockCNN": (partial(pictures, folder), ("careless",)),
        "features of them, logistic regression": (partial(features, folder), ("careless",)),
        "satellite, MLP": (partial(satellite_mlp, folder), PLANTED),
        f"Fashion-MNIST {FEWER}, CNN": (partial(fashion_cnn, options.fashion), PLANTED),
    }


def wanted(options: argparse.Namespace) -> Iterator[tuple[tuple[str, str, str], Callable[[], Parts], int]]:
    for seed in options.seeds:
        for name, (make, noises) in data_sets(options).items():
            if options.only and not any(fnmatchcase(name, pattern) for pattern in options.only):
                continue
            for noise in noises:
                if seed < SEEDS.get(noise, 3):
                    yield (name, noise, str(seed)), partial(make, noise, seed), seed


def run(options: argparse.Namespace) -> None:
    """All cells that are not there yet."""
    here = machine()
    for key, make, seed in wanted(options):
        there = {line["way"] for line in kept(RESULTS) if (line["data"], line["noise"], line["seed"]) == key}
        missing = [way for way in options.ways if way not in there]
        if not missing:
            continue
        cell = Cell(make(), seed)
        for way in missing:
            line = {**dict(zip(KEY, (*key, way), strict=True)), **cell.line(way), **here}
            append(RESULTS, FIELDS, [line])
            print(*key, way, line["accuracy"], line["touched"], flush=True)


def tell() -> None:
    """Mean accuracies, and by how much each way is above training on the labels as given, with its standard error."""
    lines = kept(RESULTS)
    cases = dict.fromkeys((line["data"], line["noise"]) for line in lines)
    rows, gains = [], []
    for case in cases:
        own = [line for line in lines if (line["data"], line["noise"]) == case]
        by = {way: {line["seed"]: float(line["accuracy"]) for line in own if line["way"] == way} for way in WAYS}
        rows.append([", ".join(case), *(mean(list(by[way].values())) for way in WAYS)])
        pairs = {way: [by[way][seed] - by["given"][seed] for seed in by[way] if seed in by["given"]] for way in WAYS}
        gains.append([", ".join(case), str(len(by["given"])), *(gain(pairs[way]) for way in WAYS[1:])])
    table(["test accuracy after training on labels", *WAYS], rows)
    print()
    table(["gain over the labels as given", "seeds", *WAYS[1:]], gains)


def mean(values: list[float]) -> str:
    return f"{np.mean(values):.4f}" if values else ""


def gain(values: list[float]) -> str:
    if not values:
        return ""
    error = f" +- {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):+.4f}{error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="PATTERN")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY", help=", ".join(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    if not options.table:
        torch.set_num_threads(options.threads)
        with threadpool_limits(options.threads):
            run(options)
    tell()


if __name__ == "__main__":
    main()
