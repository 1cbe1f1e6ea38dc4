"""One card: the main job beside a plain loop, holdout runs at once beside one by one, neighbours by FAISS.

    python -m benchmarks.speed.card [--device cuda] [--dry]

Makes its own data. Ratios are of medians of three that take turns in one process, after a first that is not timed;
the plain loop keeps all images on the card, in the fastest layout and precision. Every line is appended to
results/card.csv when it is known, with the card's name. --dry runs through on few rows and keeps nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

import dataaudit
from benchmarks.common import Array, append, machine
from benchmarks.speed.cases import CLASSES, Network
from benchmarks.speed.plain import Loop
from benchmarks.speed.score import train
from dataaudit.learners.networks import MLP, BlockCNN, ResNet18, SmallCNN
from dataaudit.learners.recipes import Recipe, auto
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import Faiss
from dataaudit.representations.spaces import Space

NEIGHBOURS = 50


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    images: int = 50000
    epochs: int = 3
    holdout: int = 10000
    runs: tuple[int, ...] = (1, 8, 32, 64)
    rows: int = 1000000
    repeats: int = 3


DRY = Sizes(images=40, epochs=1, holdout=100, runs=(1, 3), rows=3000, repeats=1)


def pictures(rows: int, side: int, channels: int) -> tuple[Array, Array]:
    """Noise uint8 [n, channels, side, side] around ten means, and labels int64 [n]."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=rows)
    means = rng.integers(64, 192, size=(CLASSES, channels, side, side), dtype=np.uint8)
    return means[labels] + rng.integers(0, 64, size=(rows, channels, side, side), dtype=np.uint8), labels


def seconds(device: str, work: Callable[[], Any]) -> float:
    """Time until all that `work` began is done."""
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main_job(device: str, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """`score` beside the plain loop of the same recipe."""
    images, labels = pictures(sizes.images, 32, 3)
    for name, factory in (("BlockCNN", partial(BlockCNN, 3, 10)), ("ResNet18(16)", partial(ResNet18, 3, 10, 16))):
        recipe = Network(factory, images, labels).recipe(sizes.epochs)
        loop = Loop(factory, torch.from_numpy(images).float() / 255, torch.from_numpy(labels), recipe, device)
        way = loop.fastest()
        options: dict[str, Any] = {"recipe": auto(epochs=sizes.epochs), "device": device, "progress": False}
        jobs: dict[str, Callable[[], Any]] = {
            "plain": partial(train, loop, way),
            "score": partial(dataaudit.score, factory, (images, labels), **options),
        }
        taken: dict[str, list[float]] = {job: [] for job in jobs}
        for _ in range(sizes.repeats + 1):
            for job, work in jobs.items():
                taken[job].append(seconds(device, work))
        medians = {job: median(spent[1:]) for job, spent in taken.items()}
        for job, spent in medians.items():
            yield {"what": f"{name}, {job}", "seconds": spent, "ratio": spent / medians["plain"], "detail": way}


def holdout(device: str, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Runs a second of small networks, trained one by one and at once."""
    images, labels = pictures(sizes.holdout, 28, 1)
    networks: dict[str, Callable[[], nn.Module]] = {"MLP": partial(MLP, 784, 10), "SmallCNN": partial(SmallCNN, 1, 10)}
    recipe = Recipe(epochs=sizes.epochs, batch_size=256)
    for name, factory in networks.items():
        base = 0.0
        for at_once in sizes.runs:
            runs = max(at_once, min(8, sizes.runs[-1]))
            plan = dataaudit.Holdout(runs=runs, at_once=at_once)
            options: dict[str, Any] = {"recipe": recipe, "holdout": plan, "device": device, "progress": False}
            work = partial(dataaudit.score, factory, (images, labels), "c_score", **options)
            if at_once == sizes.runs[0]:
                # What a first call loads and chooses is not timed.
                short = options | {"recipe": replace(recipe, epochs=1), "holdout": replace(plan, runs=1)}
                dataaudit.score(factory, (images, labels), "c_score", **short)
            rate = runs / seconds(device, work)
            base = base or rate
            yield {"what": f"holdout {name}, {at_once} at once", "seconds": 1 / rate, "ratio": rate / base}


def neighbours(device: str, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Graph of 50 neighbours of each row by FAISS, on the card where it has one."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(1000, 64)).astype(np.float32)
    rows = means[rng.integers(1000, size=sizes.rows)] + 0.5 * rng.standard_normal((sizes.rows, 64), np.float32)
    need, base = NeighbourNeed(Space("input"), depth=NEIGHBOURS), 0.0
    for index in ("exact", "ivf"):
        search = Faiss(index, gpu=True if device == "cuda" else None)
        neighbour_graph(need, rows[:2000], {}, search, 0, False)
        graph = neighbour_graph(need, rows, {}, search, 0, False)
        spent = float(graph.settings["seconds"])
        base = base or spent
        found = {key: graph.settings.get(key) for key in ("device", "recall")}
        yield {"what": f"neighbours {index}", "seconds": spent, "ratio": spent / base, "detail": found}


PARTS = {"score": main_job, "holdout": holdout, "neighbours": neighbours}


def main() -> int:
    """Print and keep a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--dry", action="store_true", help="few rows, and nothing is kept")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("found no CUDA device: nothing was measured; --device cpu --dry runs through without one")
        return 1
    name = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    print(name, flush=True)
    for part in options.part:
        for row in PARTS[part](options.device, DRY if options.dry else Sizes()):
            print(f"{row['what']}: {row['seconds']:.3f} s, {row['ratio']:.3f} {row.get('detail', '')}", flush=True)
            if not options.dry:
                line = {"device": name, "detail": "", **row, **machine()}
                append(Path(__file__).parent / "results" / "card.csv", list(line), [line])
    return 0


if __name__ == "__main__":
    sys.exit(main())
