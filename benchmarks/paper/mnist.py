"""Every training-dynamics score against the published C-scores of MNIST, after each epoch.

    python -m benchmarks.paper.mnist FILE.npz [--epochs 20] [--examples 60000]

FILE.npz holds `images` uint8 [60000, 28, 28], `labels` [60000] and `cscores` [60000] in the original order: the
authors' published scores, means over nine subset ratios. The network and recipe are the paper's (table 2): an MLP
512-256-10 and 20 epochs. Spearman's rank correlation; ties of learning_speed as they are and broken by margin.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

import dataaudit
from benchmarks.common import table, write
from dataaudit import scores as registered
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.evidence.base import Evidence, Need
from dataaudit.learners.torch import TorchLearner


class EveryEpoch(Recorder):
    """A recorder that compares all scores with the truth whenever an epoch ends."""

    def __init__(self, n: int, truth: Any, names: tuple[str, ...], labels: Any) -> None:
        super().__init__(n, len(names), history_bytes=0)
        self.truth, self.names, self.given = truth, names, labels
        self.rows: list[dict[str, Any]] = []

    def end_epoch(self, group: Any = None) -> None:
        super().end_epoch(group)
        evidence = Evidence(self.given, self.names, dynamics=self.dynamics())
        for name in registered.REGISTRY.builtin_names():
            scorer = registered.REGISTRY.get(name)
            if scorer.needs != {Need.DYNAMICS}:
                continue
            scores = scorer.score(evidence)
            found = {name: scores.values}
            if name == "learning_speed":
                order = np.lexsort((scores.ties, scores.values))
                ranks = np.empty(len(order))
                ranks[order] = np.arange(len(order))
                found["learning_speed, ties by margin"] = ranks
            for label, values in found.items():
                rho = float(spearmanr(values, self.truth).statistic)
                self.rows.append({"epoch": self.epochs, "score": label, "spearman": round(rho, 4)})
        print(f"epoch {self.epochs}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--examples", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "mnist.csv")
    options = parser.parse_args()
    with np.load(options.file) as data:
        images, labels, truth = (data[name][: options.examples] for name in ("images", "labels", "cscores"))
    examples = as_examples((images, labels.astype(np.int64)))
    recipe = dataaudit.recipes.get("mnist")
    if options.epochs != recipe.epochs:
        from dataclasses import replace

        recipe = replace(recipe, epochs=options.epochs)
    learner = TorchLearner(dataaudit.networks.build("mlp", (28, 28), 10), examples, recipe, torch.device("cpu"))
    recorder = EveryEpoch(len(examples), truth, examples.class_names, examples.labels)
    learner.fit(np.arange(len(examples)), options.seed, recorder, False)
    names = list(dict.fromkeys(row["score"] for row in recorder.rows))
    cells = {(row["score"], row["epoch"]): row["spearman"] for row in recorder.rows}
    epochs = range(1, recorder.epochs + 1)
    table(["Spearman after epoch", *epochs], [[name, *(f"{cells[name, e]:.3f}" for e in epochs)] for name in names])
    write(options.out, [{"seed": options.seed, "examples": len(examples), **row} for row in recorder.rows])


if __name__ == "__main__":
    main()
