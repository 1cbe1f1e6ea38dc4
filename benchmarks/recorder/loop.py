"""What `score` takes beyond a plain training loop of the same network, recipe and images.

    python -m benchmarks.recorder.loop --data FOLDER [--rows 3000] [--epochs 3] [--rounds 3]

The plain loop is what one would write by hand to be quick: channels last, one pass of crops and updates an epoch, no
record of anything. `score` records every epoch, looks for earlier training, and makes predictions and hidden layers of
all images at the end, whose neighbours it seeks. Processor seconds, in turns; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import dataaudit
from benchmarks.common import write
from benchmarks.peers.people import labels_of
from dataaudit import networks
from dataaudit.learners.recipes import CropFlip, Recipe

RESULTS = Path(__file__).parent / "results" / "loop.csv"


def plain(images: torch.Tensor, labels: torch.Tensor, recipe: Recipe) -> None:
    """Train the network of blocks by the recipe."""
    torch.manual_seed(0)
    network = networks.BlockCNN(3, 10).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), recipe.learning_rate, recipe.momentum, nesterov=True, fused=True)
    order, steps = torch.Generator().manual_seed(0), -(-len(images) // recipe.batch_size) * recipe.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: recipe.rate(min(step, steps - 1), steps))
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(images), generator=order).split(recipe.batch_size):
            inputs = images[batch].float() / 255
            if recipe.augment is not None:
                inputs = recipe.augment(inputs, order)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(network(inputs), labels[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with np.load(options.data / "cifar10_human.npz") as found:
        images = np.ascontiguousarray(found["images"][: options.rows].transpose(0, 3, 1, 2))
    labels = labels_of(options.data, "careless", options.rows)[1]
    recipe = Recipe(epochs=options.epochs, augment=CropFlip(4, True))
    spent: dict[str, list[float]] = {"plain loop": [], "score": []}
    for _ in range(options.rounds):
        start = time.process_time()
        plain(torch.from_numpy(images), torch.from_numpy(labels), recipe)
        spent["plain loop"].append(time.process_time() - start)
        start = time.process_time()
        dataaudit.score(lambda: networks.BlockCNN(3, 10), (images, labels), recipe=recipe, progress=False)
        spent["score"].append(time.process_time() - start)
        print({name: round(values[-1], 1) for name, values in spent.items()}, flush=True)
    ratio = float(np.median(spent["score"]) / np.median(spent["plain loop"]))
    print(f"score takes {ratio:.2f} times the plain loop")
    sizes = {"rows": options.rows, "epochs": options.epochs, "threads": options.threads}
    write(
        RESULTS,
        [
            {**sizes, "what": name, "round": place, "processor": round(value, 2), "ratio of medians": round(ratio, 3)}
            for name, values in spent.items()
            for place, value in enumerate(values)
        ],
    )


if __name__ == "__main__":
    main()
