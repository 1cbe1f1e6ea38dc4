"""Holdout runs per minute of the paper's MLP on MNIST, against loops in plain PyTorch.

    python -m benchmarks.holdout.throughput FILE.npz [--runs 4] [--epochs 20] [--repeats 3] [--one-thread]

Subset ratio .7, the paper's recipe (batch 256, momentum .9, rate .1 with warm-up and linear decay), the same subsets.
The plain loop keeps float32 tensors of all images in memory, trains one model after the other with all threads and
evaluates the rows held out; the other one does the same through a DataLoader of a TensorDataset. Ours: one process with
all threads, and joblib with a thread a process; float32, and bfloat16 where the hardware multiplies it natively. The
last line is a bound: the float32 matrix products of the training steps and nothing else, with all threads. All take
turns, and medians count. --one-thread takes the processor's time of the ways in one process, which other work on the
machine does not touch; it goes to results/throughput_one_thread.csv.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset, TensorDataset

import dataaudit
from benchmarks.common import table, write
from dataaudit.holdout.backends import Joblib
from dataaudit.holdout.plan import Plan, Run
from dataaudit.learners.precisions import resolve_precision
from dataaudit.learners.recipes import Recipe

RATIO = 0.7


def network() -> nn.Module:
    layers = (nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    return nn.Sequential(nn.Flatten(), *layers)


def plainly(x: Tensor, y: Tensor, plan: Plan, run: Run, recipe: Recipe, loader: bool) -> float:
    """One holdout run as one would write it down; its held-out accuracy."""
    train = torch.from_numpy(plan.train(run))
    torch.manual_seed(plan.training_seed(run))
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), recipe.learning_rate, momentum=recipe.momentum)
    steps = -(-len(train) // recipe.batch_size) * recipe.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: recipe.rate(min(step, steps - 1), steps))
    loaded = DataLoader(Subset(TensorDataset(x, y), train.tolist()), recipe.batch_size, shuffle=True)

    def batches() -> Iterable[Any]:
        if loader:
            return loaded
        return ((x[rows], y[rows]) for rows in train[torch.randperm(len(train))].split(recipe.batch_size))

    for _ in range(recipe.epochs):
        for inputs, labels in batches():
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
            schedule.step()
    rest = torch.from_numpy(np.flatnonzero(plan.held_out(run)))
    with torch.inference_mode():
        return float((model(x[rest]).argmax(1) == y[rest]).double().mean())


def products_alone(recipe: Recipe, train: int, clock: Callable[[], float], seconds: float = 4.0) -> float:
    """Runs per minute if a run were nothing but its float32 matrix products, in the shapes of the batches."""
    b, sizes = recipe.batch_size, [(784, 512), (512, 256), (256, 10)]
    made = [(torch.randn(b, i), torch.randn(i, o), torch.randn(b, o)) for i, o in sizes]

    def step() -> None:
        for number, (inputs, weights, errors) in enumerate(made):
            torch.mm(inputs, weights)
            torch.mm(inputs.t(), errors)
            if number:
                torch.mm(errors, weights.t())

    step()
    start, steps = clock(), 0
    while clock() - start < seconds:
        step()
        steps += 1
    per_step = (clock() - start) / steps
    return 60 / (per_step * -(-train // b) * recipe.epochs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--examples", type=int, default=60000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one-thread", action="store_true")
    chosen = parser.parse_args()
    clock = time.perf_counter
    if chosen.one_thread:
        torch.set_num_threads(1)
        clock = time.process_time
    with np.load(chosen.file) as archive:
        images, labels = archive["images"][: chosen.examples], archive["labels"][: chosen.examples].astype(np.int64)
    named = dataaudit.recipes.get("mnist")
    assert isinstance(named, dataaudit.Recipe)
    recipe = replace(named, epochs=chosen.epochs, precision="float32")
    x, y = torch.tensor(images).float() / 255, torch.tensor(labels)
    plan = Plan(labels, 0)
    runs = [Run(RATIO, number) for number in range(chosen.runs)]

    def ours(backend: Any, precision: Any) -> Callable[[], list[float]]:
        def go() -> list[float]:
            holdout = dataaudit.Holdout(ratio=RATIO, runs=chosen.runs, backend=backend)
            way = replace(recipe, precision=precision)
            audit = dataaudit.score(
                network, (images, labels), "c_score", recipe=way, device="cpu", holdout=holdout, progress=False
            )
            return [float(np.nanmean(audit.columns["c_score"]))]

        return go

    ways: dict[str, Callable[[], list[float]]] = {
        "plain loop": lambda: [plainly(x, y, plan, run, recipe, False) for run in runs],
        "DataLoader loop": lambda: [plainly(x, y, plan, run, recipe, True) for run in runs],
        "ours, serial, float32": ours("serial", "float32"),
        "ours, joblib, float32": ours(Joblib(), "float32"),
    }
    if resolve_precision("auto", torch.device("cpu")).name == "bfloat16":
        ways["ours, serial, bfloat16"] = ours("serial", "bfloat16")
        ways["ours, joblib, bfloat16"] = ours(Joblib(), "bfloat16")
    if chosen.one_thread:
        ways = {way: go for way, go in ways.items() if "joblib" not in way}
    short = replace(recipe, epochs=1)
    plainly(x, y, plan, runs[0], short, False)
    dataaudit.score(network, (images[:500], labels[:500]), recipe=short, device="cpu", progress=False)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    accuracy: dict[str, list[float]] = {}
    for _ in range(chosen.repeats):
        for way, go in ways.items():
            start = clock()
            accuracy[way] = go()
            taken[way].append(60 * chosen.runs / (clock() - start))
            print(f"{way}: {taken[way][-1]:.2f} runs a minute", flush=True)
    first = median(taken["plain loop"])
    rows: list[dict[str, Any]] = [
        {
            "way": way,
            "runs_per_minute": round(median(rates), 2),
            "over_plain": round(median(rates) / first, 3),
            "accuracy": round(float(np.mean(accuracy[way])), 4),
        }
        for way, rates in taken.items()
    ]
    bound = products_alone(recipe, plan.size(RATIO), clock)
    rows.append(
        {
            "way": "float32 products alone",
            "runs_per_minute": round(bound, 2),
            "over_plain": round(bound / first, 3),
            "accuracy": float("nan"),
        }
    )
    table(list(rows[0]), [list(row.values()) for row in rows])
    name = "throughput_one_thread.csv" if chosen.one_thread else "throughput.csv"
    sizes = {"epochs": chosen.epochs, "examples": chosen.examples, "repeats": chosen.repeats}
    write(Path(__file__).parent / "results" / name, [{**row, **sizes} for row in rows])


if __name__ == "__main__":
    main()
