"""Whether a change of the code left every score as it was, to the bit.

    python -m benchmarks.same_scores --data FOLDER --write before.npz      # in a checkout of the code before
    python -m benchmarks.same_scores --data FOLDER --against before.npz    # in the one after, on the same machine

Needs satellite.csv, trec.csv and cifar10_human_features.npy in --data. Bits differ from one kind of processor to
another, so that both must run on one machine, with the same number of threads. Compared are scores, what orders equal
ones, suggested labels, margins, probabilities of errors and their number, in twelve cases: an MLP on digits, boosting
on readings of a satellite and these without a model, words, embeddings, a small convolutional network with densities
and neighbours in its hidden layer, one whose recipe is chosen by rules, two runs taken together, holdout runs on
joblib, the same from their store, a recorder beside its module, and one alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn
from torch.nn import functional

import dataaudit
from benchmarks.common import Array, symmetric, table
from benchmarks.peers.cases import satellite, texts
from dataaudit.learners.networks import MLP, SmallCNN

SEED = 3

Case = Callable[[], dataaudit.Audit]


def digits() -> tuple[Array, Array]:
    """Flat inputs float32 [n, 64] and labels of which a tenth is wrong."""
    inputs, labels = load_digits(return_X_y=True)
    return inputs.astype(np.float32) / 16, symmetric(labels.astype(np.int64), 10, 0.1, SEED)


def small_mlp() -> nn.Module:
    return MLP(64, 10, (32,))


def small_cnn() -> nn.Module:
    return SmallCNN(1, 10)


def recorded(inputs: Array, labels: Array, epochs: int = 4) -> tuple[dataaudit.Recorder, nn.Module]:
    """A training loop as a user writes one, and the module that it trained."""
    torch.manual_seed(SEED)
    module, recorder = small_mlp(), dataaudit.Recorder(len(labels), 10)
    optimizer = torch.optim.SGD(module.parameters(), 0.1, 0.9)
    x, y = torch.tensor(inputs), torch.tensor(labels)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(64):
            logits = module(x[rows])
            recorder.update(rows, logits, y[rows])
            optimizer.zero_grad()
            functional.cross_entropy(logits, y[rows]).backward()
            optimizer.step()
        recorder.end_epoch()
    return recorder, module


def cases(folder: Path, work: Path) -> dict[str, Case]:
    """By name, in the order in which they run."""
    flat = digits()
    readings, grounds = satellite(folder / "satellite.csv")
    given = symmetric(grounds, int(grounds.max()) + 1, 0.1, SEED)
    words, kinds, _ = texts(folder / "trec.csv")
    vectors = np.load(folder / "cifar10_human_features.npy")[:2000]
    pictures = (flat[0].reshape(-1, 1, 8, 8), flat[1])
    runs = dataaudit.Holdout(runs=12, store=work / "runs", backend="joblib")
    deep = [
        "consensus",
        "mean_margin",
        "class_density/hidden",
        "density/hidden",
        "density/gradient",
        "knn_c_score/hidden",
    ]

    def score(model: Any, data: Any, scorers: Any = "auto", **options: Any) -> dataaudit.Audit:
        return dataaudit.score(model, data, scorers, seed=SEED, device="cpu", progress=False, **options)

    def beside() -> dataaudit.Audit:
        recorder, module = recorded(*flat)
        return score(recorder, flat, trained=module)

    def alone() -> dataaudit.Audit:
        return dataaudit.score(recorded(*flat)[0], progress=False)

    boosting = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    return {
        "digits, MLP": lambda: score(small_mlp, flat),
        "satellite, boosting": lambda: score(boosting, (readings[:1500], given[:1500])),
        "satellite, no model": lambda: score(None, (readings, given)),
        "words": lambda: score(None, (words[:2000], kinds[:2000])),
        "embeddings": lambda: score(None, (vectors, np.arange(2000) % 10)),
        "hidden layer": lambda: score(small_cnn, pictures, deep, recipe=dataaudit.Recipe(epochs=3)),
        "recipe by rules": lambda: score(small_cnn, pictures, recipe=dataaudit.recipes.auto(epochs=3)),
        "two runs": lambda: score(small_mlp, flat, recipe=dataaudit.Recipe(epochs=3), repeats=2),
        "holdout, joblib": lambda: score(small_mlp, flat, "c_score", recipe=dataaudit.Recipe(epochs=3), holdout=runs),
        "holdout, resumed": lambda: score(small_mlp, flat, "c_score", recipe=dataaudit.Recipe(epochs=3), holdout=runs),
        "recorder beside its module": beside,
        "recorder alone": alone,
    }


def arrays(name: str, audit: dataaudit.Audit) -> dict[str, Array]:
    """All that is compared of an audit, by name."""
    found: dict[str, Array] = {f"{name}: {key}": values for key, values in audit.columns.items()}
    found |= {f"{name}: {key}, ties": values for key, values in audit.ties.items()}
    found |= {f"{name}: suggested": audit.suggested, f"{name}: margin": audit.margin}
    if audit.label_errors is not None:
        rate = audit.noise_rate()
        found |= {
            f"{name}: probability": audit.label_errors.probability,
            f"{name}: rate": np.array([rate.rate, rate.lower, rate.upper]),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="CASE")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--write", type=Path, metavar="FILE")
    where.add_argument("--against", type=Path, metavar="FILE")
    options = parser.parse_args()
    found: dict[str, Array] = {}
    with tempfile.TemporaryDirectory() as work:
        for name, case in cases(options.data, Path(work)).items():
            if options.only is None or name in options.only:
                found |= arrays(name, case())
                print(name, flush=True)
    if options.write is not None:
        np.savez(options.write, allow_pickle=False, **found)
        return
    with np.load(options.against) as file:
        before = {key: file[key] for key in file if options.only is None or key.split(":")[0] in options.only}
    rows = []
    for key in sorted(before.keys() | found.keys()):
        one, other = before.get(key), found.get(key)
        if one is None or other is None:
            rows.append([key, "there after alone" if one is None else "there before alone"])
        elif one.shape != other.shape or not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            rows.append([key, f"differs by {np.abs(one - other).max():.3g}" if one.shape == other.shape else "shape"])
    table(["array", "difference"], rows)
    print(f"{len(before)} arrays before, {len(found)} after, {len(rows)} differ")
    raise SystemExit(bool(rows))


if __name__ == "__main__":
    main()
