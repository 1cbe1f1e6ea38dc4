"""How vectors of a model that was trained before should be scaled: as they are, to length 1, or column by column.

    python -m benchmarks.peers.scales --data FOLDER --cache FOLDER [--fashion FOLDER] [--seeds 0 1 2]
        [--models none] [--table]

Needs cifar10_human.npz, cifar10_human_features.npy, mnist_cscores.npz, conll03_test.csv, trec.csv, hausa_news.csv and
yoruba_news.csv in --data. The vectors are features of natural images by a residual network; of written digits and of
clothes by small networks that were trained on the respective other kind; and of four sets of texts by a sentence model.
Errors are those that people and rules made where there are any, and else planted ones: uniform, and near other classes
by pixels or words, which favours no scale. Families were parted into a choosing and a reporting half before anything
was measured; digits, two ways to pool texts and planted pairs were dropped later, for time, when a table of some cells
had been seen (it chose the same scale).

A variant's figure is its average precision and AUROC by the default score: the mean over seeds and labellings of each
set of vectors, over the sets of a family, then over families. Every cell is appended to results/scales.csv, and skipped
when it is there.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dataaudit
from benchmarks.common import FASHION, Array, append, fashion, kept, machine, merit, table
from benchmarks.peers.bed.data import Data, Folders, everything
from benchmarks.peers.bed.noise import given_of
from benchmarks.peers.cases import minilm
from dataaudit.representations.words import WordVectors

RESULTS = Path(__file__).parent / "results" / "scales.csv"
ROWS, WHOLE, TRAINED, EPOCHS = 2000, 3000, 3000, 4
PLANTED = ("symmetric 20%", "nearest 10%")
SCALES: dict[str, Callable[[Array], Array]] = {
    "as they are": lambda vectors: vectors,
    "length 1": lambda vectors: vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12),
    "columns": lambda vectors: (vectors - vectors.mean(0)) / np.maximum(vectors.std(0), 1e-12),
}
MODELS: dict[str, Callable[[], Any]] = {"none": lambda: None, "LinearProbe": dataaudit.LinearProbe}
KEYS = ("family", "vectors", "labels", "seed", "model", "scale")


@dataclass(frozen=True)
class Vectors:
    """One set of vectors: of which data, and how they are made."""

    family: str
    name: str
    make: Callable[[Folders], Data]


@lru_cache
def network(trained_on: str, folders: Folders) -> torch.nn.Module:
    """A small network of grey images, trained on the first `TRAINED` ones of a kind."""
    if trained_on == "fashion":
        images, labels = fashion(folders.fashion, TRAINED)
    else:
        with np.load(folders.data / "mnist_cscores.npz") as found:
            images, labels = found["images"][:TRAINED, None], found["labels"][:TRAINED].astype(np.int64)
    torch.manual_seed(0)
    module = dataaudit.networks.BlockCNN(1, 10)
    optimizer = torch.optim.AdamW(module.parameters(), 2e-3)
    pixels, classes = torch.from_numpy(images / np.float32(255)), torch.from_numpy(labels)
    for _ in range(EPOCHS):
        for batch in torch.randperm(TRAINED).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(pixels[batch]), classes[batch]).backward()
            optimizer.step()
    return module.eval()


def seen_by(trained_on: str, kind: str, folders: Folders) -> Data:
    """Images that stand for themselves where errors are planted, as vectors by a network that saw others."""
    data = everything(f"{kind} images", folders)
    # The last ones: a network of its kind was trained on the first.
    data = data.rows(np.arange(len(data.true) - WHOLE, len(data.true)))
    images = data.inputs[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dataaudit.errors.AuditWarning)
        found = dataaudit.embed(images, network(trained_on, folders), normalise=False, progress=False)
    return replace(data, inputs=found)


def written(kind: str, folders: Folders) -> Data:
    """Texts as vectors of a sentence model, not scaled; their words stand for them where errors are planted."""
    data = everything(f"{kind} words", folders)
    data = data.rows(np.sort(np.random.default_rng(0).permutation(len(data.true))[:WHOLE]))
    path = folders.cache / f"scales_{kind}.npy"
    if not path.exists():
        np.save(path, dataaudit.embed(data.inputs, minilm(), normalise=False, progress=False))
    words = WordVectors(data.inputs, 128, ("words",)).of(data.inputs)
    return replace(data, inputs=np.load(path), vectors=np.asarray(words))


def sets() -> list[Vectors]:
    """All sets of vectors, by family."""
    images = (("fashion", "mnist"), ("mnist", "fashion"))
    texts = {"conll03": "names", "hausa": "hausa", "trec": "trec", "yoruba": "yoruba"}
    return sorted(
        [
            Vectors("cifar10_human", "features", partial(everything, "cifar features")),
            *(Vectors(kind, f"network of {other}", partial(seen_by, other, kind)) for kind, other in images),
            *(Vectors(family, "sentence model", partial(written, kind)) for family, kind in texts.items()),
        ],
        key=lambda vectors: (vectors.family, vectors.name),
    )


HALVES = {"choosing": ["cifar10_human", "hausa", "trec"], "reporting": ["conll03", "fashion", "mnist", "yoruba"]}
"""Families that choose, and that report."""


def cells(
    vectors: Vectors, seeds: Sequence[int], models: Sequence[str], folders: Folders, done: set[tuple[str, ...]]
) -> Iterator[dict[str, Any]]:
    """Figures of one set of vectors that are not there yet."""
    about = (vectors.family, vectors.name)
    data: Data | None = None
    for seed in seeds:
        data = vectors.make(folders) if data is None else data
        n = len(data.true)
        some = data.rows(np.sort(np.random.default_rng(seed).permutation(n)[: min(ROWS, int(0.8 * n))]))
        for labels in some.given or PLANTED:
            given = given_of(some, labels, seed)
            for model, scale in product(models, SCALES):
                if (*about, labels, str(seed), model, scale) in done:
                    continue
                rows = SCALES[scale](np.asarray(some.inputs, np.float32))
                audit = dataaudit.score(MODELS[model](), (rows, given), seed=seed, progress=False)
                auroc, average = merit(audit.columns[audit.default], given != some.true)
                figures = {"auroc": round(auroc, 5), "average_precision": round(average, 5)}
                yield {**dict(zip(KEYS, (*about, labels, seed, model, scale), strict=True)), **figures}


def mean_of(lines: Sequence[dict[str, str]], field: str) -> float:
    """Mean over cells of each set of vectors, then over sets of each family, then over families."""
    families: dict[str, dict[str, list[float]]] = {}
    for line in lines:
        families.setdefault(line["family"], {}).setdefault(line["vectors"], []).append(float(line[field]))
    return float(np.mean([np.mean([np.mean(own) for own in found.values()]) for found in families.values()]))


def shown(lines: Sequence[dict[str, str]]) -> None:
    """Tables: halves by scale and model, and every set of vectors."""
    for model in MODELS:
        head = [f"model {model}: average precision / AUROC", *SCALES]
        rows = []
        groups = {half: [line for line in lines if line["family"] in own] for half, own in HALVES.items()}
        for vectors in sets():
            about = (vectors.family, vectors.name)
            groups[", ".join(about)] = [line for line in lines if (line["family"], line["vectors"]) == about]
        for name, group in groups.items():
            row: list[Any] = [name]
            for scale in SCALES:
                own = [line for line in group if (line["model"], line["scale"]) == (model, scale)]
                figures = [mean_of(own, field) for field in ("average_precision", "auroc")] if own else []
                row.append(" / ".join(f"{figure:.4f}" for figure in figures) or "-")
            rows.append(row)
        table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=Path("cache"), metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", choices=MODELS, nargs="+", default=["none"])
    parser.add_argument("--table", action="store_true", help="only sum up what is there")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    folders = Folders(options.data, options.fashion, options.cache)
    here = machine()
    done = {tuple(line[name] for name in KEYS) for line in kept(RESULTS)}
    for vectors in () if options.table else sets():
        for line in cells(vectors, options.seeds, options.models, folders, done):
            append(RESULTS, [*KEYS, "auroc", "average_precision", *here], [{**line, **here}])
    shown(kept(RESULTS))


if __name__ == "__main__":
    main()
