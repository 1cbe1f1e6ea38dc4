"""Table 2: what was run, beside what the paper ran."""

from __future__ import annotations

from typing import Any

from benchmarks.paper import evidence
from benchmarks.paper.item import Item
from benchmarks.paper.result import Result
from benchmarks.paper.setting import Data, Setting

PAPER: dict[str, dict[str, Any]] = {
    "mnist": {"network": "MLP(512, 256, 10)", "epochs": 20, "batch_size": 256, "learning_rate": 0.1, "examples": 60000},
    "cifar10": {
        "network": "small Inception",
        "epochs": 80,
        "batch_size": 512,
        "learning_rate": 0.4,
        "examples": 50000,
    },
    "cifar100": {
        "network": "small Inception",
        "epochs": 160,
        "batch_size": 512,
        "learning_rate": 0.4,
        "examples": 50000,
    },
    "imagenet": {
        "network": "ResNet-50 (V2)",
        "epochs": 100,
        "batch_size": 896,
        "learning_rate": 0.7,
        "examples": 1281167,
    },
}
"""The paper's table 2; all with SGD and momentum .9, 2000 runs of each subset ratio."""


def table_2(setting: Setting, data: Data) -> Result:
    network, recipe = setting.network(data)
    # MNIST's counts may be committed ones, whose runs are those that were made.
    rows = evidence.part(setting, data)
    ours: dict[str, Any] = {
        "network": type(network()).__name__,
        **recipe.to_dict(),
        "runs": evidence.counts_of(setting, data).runs,
        "inputs": " x ".join(map(str, data.inputs.shape[1:])),
        "examples": len(rows),
        "classes": len(data.classes),
    }
    paper = PAPER.get(data.name, {})
    found = [{"what": name, "here": value, "paper": paper.get(name, "")} for name, value in ours.items()]
    sentence = (
        f"Holdout runs of {ours['network']} for {recipe.epochs} epochs in batches of {recipe.batch_size}, "
        f"{ours['runs']} runs of each subset ratio."
    )
    return Result("table-2", data.name, sentence, found)


ITEMS = (
    Item(
        "table-2",
        "Table 2. What was run",
        "Architectures and recipes: an MLP for MNIST, a small Inception for CIFAR-10 and CIFAR-100, a ResNet-50 for "
        "ImageNet; SGD with momentum, 2000 runs of each subset ratio.",
        table_2,
        after=("figure-2",),
    ),
)
