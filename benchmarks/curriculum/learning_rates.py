"""Do stage-wise learning rates put off the exceptions? The paper's appendix G (and figure 16) on Fashion-MNIST.

    python -m benchmarks.curriculum.learning_rates [--fashion FOLDER] [--store FOLDER]

C-scores of the first training images are estimated first, by holdout runs of the same network with the recipe
"default" on 70 % of them (kept in --store, so that a second call makes none). Then the network trains on all images
with SGD and a rate that falls by 5 at 30, 45 and 60 % of the epochs (as the paper's at 60, 90 and 120 of 200), with
each of these four rates held constant, and with Adam; batches of 128, Nesterov momentum .9, weight decay 5e-4 for SGD.
Printed, and drawn to learning_rates.png: training accuracy by group of C-scores after each epoch (figures 9a, 17, 18
and 19), the same where every group has as many images as the smallest (figure 16), and test accuracy over the last
tenth of the epochs (table 3).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dataaudit
from benchmarks.common import FASHION, Array, fashion, fashion_test, table, write
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.learners.torch import TorchLearner

EDGES = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
RATES = (0.1, 0.02, 0.004, 0.0008)
DECAY = 5e-4
NETWORK = dataaudit.networks.build("small_cnn", (1, 28, 28), 10)


def recipes(epochs: int) -> dict[str, dataaudit.Recipe]:
    """By the paper's name of each row of table 3."""
    plain: dict[str, Any] = {"epochs": epochs, "warmup": 0.0, "weight_decay": DECAY}
    found = {
        "SGD, stage-wise": dataaudit.Recipe(
            schedule="step", milestones=(0.3, 0.45, 0.6), decay=0.2, learning_rate=RATES[0], **plain
        )
    }
    for rate in RATES:
        found[f"SGD, {rate:g}"] = dataaudit.Recipe(schedule="constant", learning_rate=rate, **plain)
    # Without decay of the weights this is Adam.
    adam: dict[str, Any] = plain | {"weight_decay": 0.0}
    found["Adam"] = dataaudit.Recipe(optimizer="adamw", schedule="constant", learning_rate=0.001, **adam)
    return found


def groups_of(scores: Array) -> Array:
    """Which interval of `EDGES` each C-score lies in; -1 without a score."""
    found = np.clip(np.searchsorted(EDGES, scores, side="right") - 1, 0, len(EDGES) - 2)
    return np.where(np.isnan(scores), -1, found)


def train(images: Array, labels: Array, recipe: dataaudit.Recipe, seed: int, test: tuple[Array, Array]) -> Any:
    """Recorder of a training, and test accuracy after each epoch."""
    learner = TorchLearner(NETWORK, as_examples((images, labels)), recipe, torch.device("cpu"))
    recorder, accuracy = Recorder(len(labels), 10), []
    asked = (torch.from_numpy(test[0].copy()).float() / 255, test[1])

    def look(epoch: int, fitted: Any) -> None:
        module = fitted.module.eval()
        with torch.no_grad():
            guessed = torch.cat([module(part).argmax(1) for part in asked[0].split(2000)])
        module.train()
        accuracy.append(float((guessed.numpy() == asked[1]).mean()))

    learner.fit(np.arange(len(labels)), seed, recorder, False, look)
    return recorder.dynamics(), accuracy


def curves(dynamics: Any, groups: Array) -> Array:
    """Share of each group classified correctly after each epoch, [groups, epochs]; NaN for an empty one."""
    right = np.stack([dynamics.correct_in(epoch) for epoch in range(1, dynamics.epochs + 1)])
    members = [groups == group for group in range(len(EDGES) - 1)]
    return np.array([right[:, own].mean(1) if own.any() else np.full(len(right), np.nan) for own in members])


def equal_sizes(groups: Array, seed: int) -> Array:
    """As many rows of each group that is not empty as the smallest has, ascending."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups[groups >= 0])]
    least = min(map(len, members))
    return np.sort(np.concatenate([rng.choice(own, least, replace=False) for own in members]))


def draw(found: dict[tuple[str, str], Array], sizes: Array, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 4, figsize=(16, 7.5), sharey=True, layout="constrained")
    colours = pyplot.get_cmap("turbo_r")(np.linspace(0.05, 0.95, len(EDGES) - 1))
    for panel, ((name, kind), lines) in zip(panels.ravel(), found.items(), strict=False):
        for group, line in enumerate(lines):
            label = f"{EDGES[group]:.1f} to {EDGES[group + 1]:.1f} ({sizes[group]})"
            panel.plot(np.arange(1, len(line) + 1), line, color=colours[group], label=label, linewidth=1.6)
        panel.set_title(f"{name}{'' if kind == 'all' else ', groups of equal size'}", fontsize=11)
        panel.grid(alpha=0.3)
        panel.set_ylim(0, 1.02)
    for panel in panels[-1]:
        panel.set_xlabel("epoch")
    for panel in panels[:, 0]:
        panel.set_ylabel("training accuracy of the group")
    handles, names = panels[0, 0].get_legend_handles_labels()
    last = panels[-1, -1]
    if len(found) < panels.size:
        last.axis("off")
    last.legend(handles, names, title="C-score (images)", loc="center")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--examples", type=int, default=10000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--runs", type=int, default=60, help="holdout runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--store", metavar="FOLDER", help="where holdout runs are kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="FOLDER")
    options = parser.parse_args()
    images, labels = fashion(options.fashion, options.examples)
    test = fashion_test(options.fashion)
    holdout = dataaudit.Holdout(ratio=0.7, runs=options.runs, store=options.store)
    audit = dataaudit.score(NETWORK, (images, labels), "c_score", holdout=holdout, progress=False)
    print(f"C-scores from {options.runs} runs, reliability {audit.reliability['c_score']:.3f}", flush=True)
    groups = groups_of(audit.columns["c_score"])
    sizes = np.bincount(groups[groups >= 0], minlength=len(EDGES) - 1)
    rows: list[dict[str, Any]] = []
    drawn: dict[tuple[str, str], list[Array]] = {}
    ends: dict[tuple[str, str], list[float]] = {}
    for seed in options.seeds:
        few = equal_sizes(groups, seed)
        for kind, chosen in (("all", np.arange(len(labels))), ("equal groups", few)):
            for name, recipe in recipes(options.epochs).items():
                if kind != "all" and name != "SGD, stage-wise":
                    continue
                dynamics, accuracy = train(images[chosen], labels[chosen], recipe, seed, test)
                lines = curves(dynamics, groups[chosen])
                drawn.setdefault((name, kind), []).append(lines)
                last = max(1, options.epochs // 10)
                ends.setdefault((name, kind), []).append(float(np.mean(accuracy[-last:])))
                for epoch in range(options.epochs):
                    rows.append(
                        {
                            "seed": seed,
                            "examples": kind,
                            "optimizer": name,
                            "epoch": epoch + 1,
                            "test_accuracy": round(accuracy[epoch], 5),
                            **{
                                f"group {EDGES[g]:.1f} to {EDGES[g + 1]:.1f}": round(float(lines[g, epoch]), 4)
                                for g in range(len(EDGES) - 1)
                            },
                        }
                    )
        print(f"seed {seed}", flush=True)
    middle = {key: np.mean(lines, axis=0) for key, lines in drawn.items()}
    show(middle, ends, sizes)
    write(options.out / "learning_rates.csv", rows)
    draw(middle, sizes, options.out / "learning_rates.png")


def first_half(line: Array) -> str:
    """First epoch after which a group is classified correctly in half the cases."""
    reached = np.flatnonzero(line >= 0.5)
    return str(reached[0] + 1) if len(reached) else "never"


def show(middle: dict[tuple[str, str], Array], ends: dict[tuple[str, str], list[float]], sizes: Array) -> None:
    spans = [f"{EDGES[g]:.1f} to {EDGES[g + 1]:.1f}" for g in range(len(EDGES) - 1)]
    print(f"\nimages by C-score: {', '.join(f'{span}: {size}' for span, size in zip(spans, sizes, strict=True))}")
    lines = []
    for (name, kind), groups in middle.items():
        tests = np.array(ends[name, kind])
        lines.append(
            [
                f"{name}{'' if kind == 'all' else ', equal groups'}",
                f"{tests.mean():.4f} +- {tests.std(ddof=1) if len(tests) > 1 else np.nan:.4f}",
                *(f"{first_half(line)} / {line[-1]:.2f}" for line in groups),
            ]
        )
    print("\ntest accuracy, mean and standard deviation over seeds; by C-score the epoch at which half of the group is")
    print("right for the first time, and the share that is right at the end")
    table(["", "test accuracy", *spans], lines)


if __name__ == "__main__":
    main()
