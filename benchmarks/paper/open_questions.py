"""What the paper leaves open: curricula by C-score, and what people disagree about."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from torch.nn import functional

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import drawing, dynamics, evidence, schedules
from benchmarks.paper.item import Item
from benchmarks.paper.measures import best_confidence, best_density
from benchmarks.paper.result import NotMade, Result
from benchmarks.paper.setting import Data, Setting
from dataaudit.data import as_examples
from dataaudit.learners.devices import resolve_device
from dataaudit.learners.fitted import TorchFitted
from dataaudit.learners.steps import optimizer_of
from dataaudit.learners.torch import TorchLearner

SEEDS = 3
"""Trainings of each curriculum, paired by their seeds."""
MOST = 3000
"""Most examples of a curriculum in a short run."""
STRATEGIES = ("uniform", "easy_to_hard", "hard_to_easy")
"""Order in which a curriculum admits examples: by falling or by rising C-score, or all from the start."""
DOUBTED = 0.9
"""People disagree about an image where fewer chose its label."""
SHOWN = 8
"""Images of either kind in the figure of people and networks."""


@lru_cache(maxsize=8)
def consensus(setting: Setting, data: Data) -> Array:
    """The library's default score [n]."""
    rows = evidence.part(setting, data)
    network, recipe = setting.network(data)

    def make() -> dict[str, Array]:
        audit = dataaudit.score(
            network,
            (rows.inputs, rows.labels),
            ["consensus"],
            recipe=recipe,
            device=setting.device,
            seed=setting.seed,
            progress=False,
        )
        return {"consensus": audit.columns["consensus"]}

    return setting.kept(data, "consensus", make)["consensus"]


def proxies(setting: Setting, data: Data) -> dict[str, Array]:
    """What one training run says of each example [n], by name: the paper's proxies first."""
    hidden = dynamics.hidden(setting, data)
    epochs = [epoch for *_, epoch in hidden]
    first, last = min(epochs), max(epochs)
    (kind, density_epoch, density), (epoch, label) = best_density(setting, data), best_confidence(setting, data)
    return {
        "epochs in which it was right (CBTL)": dynamics.main_run(setting, data).correct.mean(0),
        f"probability of the label, best epoch ({epoch})": label,
        f"{kind}, hidden, best epoch ({density_epoch})": density,
        "density of gradients, first epoch": hidden["gradient", "density", first],
        "density of gradients, last epoch": hidden["gradient", "density", last],
        "Parzen posterior, hidden, last epoch": hidden["hidden", "parzen", last],
        "consensus": consensus(setting, data),
    }


def train(learner: TorchLearner, weigh: Callable[[int], Array], seed: int) -> TorchFitted:
    """Network trained on examples that each epoch draws with replacement by weight, in as many steps as plainly."""
    recipe, module = learner.recipe, learner.module(seed).train()
    labels = torch.tensor(learner.examples.labels)
    generator = torch.Generator().manual_seed(seed)
    optimizer = optimizer_of(recipe, module)
    steps = -(-len(labels) // recipe.batch_size) * recipe.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: recipe.rate(min(step, steps - 1), steps))
    sampler = dataaudit.CurriculumSampler(weigh, len(labels), replacement=True, seed=seed)
    for epoch in range(recipe.epochs):
        sampler.set_epoch(epoch)
        for batch in torch.tensor(list(sampler)).split(recipe.batch_size):
            inputs = learner.inputs(batch.numpy())
            if recipe.augment is not None:
                inputs = recipe.augment(inputs, generator)
            loss = functional.cross_entropy(module(inputs), labels[batch].to(learner.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return TorchFitted(module.eval(), learner)


def accuracies(setting: Setting, data: Data) -> dict[str, Array]:
    """Test accuracy of each strategy after each of the seeds' trainings."""
    rows = evidence.part(setting, data)
    truth = evidence.truth(setting, data).values
    if not setting.full:
        rows, truth = rows.first(MOST), truth[:MOST]
    test = schedules.tested(setting, data).test
    if test is None:
        raise NotMade("no rows are left to test on: add test_images and test_labels to the file")
    network, recipe = setting.network(data)
    learner = TorchLearner(network, as_examples((rows.inputs, rows.labels)), recipe, resolve_device(setting.device))
    learner.check(setting.seed)
    audit = dataaudit.score(
        None, (rows.inputs.reshape(len(rows), -1), rows.labels), known_scores={"c_score": truth}, progress=False
    )

    def weigher(strategy: str) -> Callable[[int], Array]:
        if strategy == "uniform":
            return lambda epoch: np.ones(len(rows))
        return lambda epoch: audit.weights(strategy, epoch, recipe.epochs, by="c_score")

    def make() -> dict[str, Array]:
        found: dict[str, list[float]] = {strategy: [] for strategy in STRATEGIES}
        for seed in range(setting.seed, setting.seed + SEEDS):
            for strategy, own in found.items():
                fitted = train(learner, weigher(strategy), seed)
                logits = fitted.on(as_examples(test)).logits(np.arange(len(test[1])))
                own.append(float((logits.argmax(1).cpu().numpy() == test[1]).mean()))
        return {strategy: np.array(own) for strategy, own in found.items()}

    return setting.kept(data, "curricula", make)


def curricula(setting: Setting, data: Data) -> Result:
    reached = accuracies(setting, data)
    found: list[dict[str, Any]] = []
    for strategy, own in reached.items():
        gains = own - reached["uniform"]
        # Intervals of all orders hold together (Bonferroni): none is told from chance because several were tried.
        level = 1 - 0.025 / (len(reached) - 1)
        half = float(student.ppf(level, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains)))
        found.append(
            {
                "strategy": strategy,
                "trainings": len(own),
                "test_accuracy": round(float(own.mean()), 4),
                "difference": round(float(gains.mean()), 4),
                "half_interval": round(half, 4),
            }
        )
    told = [row["strategy"] for row in found[1:] if abs(row["difference"]) > row["half_interval"]]
    sentence = (
        f"Against a test accuracy of {found[0]['test_accuracy']:.4f} without an order: "
        + ", ".join(f"{row['strategy']} {row['difference']:+.4f} ± {row['half_interval']:.4f}" for row in found[1:])
        + (f"; beyond chance: {', '.join(told)}." if told else "; neither can be told from chance.")
    )
    return Result("curriculum", data.name, sentence, found)


def people(setting: Setting, data: Data) -> Result:
    rows, truth = evidence.part(setting, data), evidence.truth(setting, data).values
    if rows.votes is None:
        raise NotMade("nobody's votes are known: add votes [n, classes] to the file, as people gave them")
    agreed = rows.votes[np.arange(len(rows)), rows.labels]
    doubted = agreed < DOUBTED
    low, found = schedules.ends(truth)[0], list[dict[str, Any]]()
    for name, values in {"C-score": truth, **proxies(setting, data)}.items():
        value, lower, upper = evidence.agreement(values, agreed)
        found.append({"score": name, "spearman": round(value, 4), "lower": round(lower, 4), "upper": round(upper, 4)})
    best = max(found, key=lambda row: float(row["spearman"]))
    sentence = (
        f"C-scores and the share of people who chose the label agree by {found[0]['spearman']:.3f} (Spearman; "
        f"{best['score']} by {best['spearman']:.3f}): of the {int(low.sum())} exceptions people disagree about "
        f"{100 * doubted[low].mean():.0f} %, of all images about {100 * doubted.mean():.0f} %."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 2, 10, 4.2)
        edges = np.array([0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
        groups = dynamics.groups_of(agreed, edges)
        filled = [group for group in np.unique(groups) if (groups == group).any()]
        axes[0, 0].boxplot([truth[(groups == group) & np.isfinite(truth)] for group in filled], showfliers=False)
        names = [f"{edges[group]:.2f} to {edges[group + 1]:.2f}\n({(groups == group).sum()})" for group in filled]
        axes[0, 0].set_xticks(range(1, len(filled) + 1), names, fontsize=8)
        axes[0, 0].set(xlabel="share of people who chose the label (images)", ylabel="C-score", title=data.name)
        if data.images:
            pairs = [rows.inputs[[low, high]] for low, high in zip(*apart(truth, agreed), strict=False)]
            drawing.show_columns(axes[0, 1], pairs, 2)
            axes[0, 1].set_title(
                "above: exceptions that people agree on\nbelow: regular, and people disagree", fontsize=9
            )
        else:
            axes[0, 1].axis("off")
        drawing.save(figure, path)

    return Result("people", data.name, sentence, found, draw)


def apart(truth: Array, agreed: Array) -> tuple[Array, Array]:
    """Rows of low C-score on which people agree most, and of high C-score on which they agree least."""
    low, high = (np.flatnonzero(own) for own in schedules.ends(truth))
    return low[np.lexsort((truth[low], -agreed[low]))][:SHOWN], high[np.lexsort((-truth[high], agreed[high]))][:SHOWN]


def _curriculum_cost(setting: Setting, data: Data) -> float:
    rows = len(evidence.part(setting, data))
    trainings = SEEDS * len(STRATEGIES)
    learner = setting.network(data)
    return trainings * evidence.training_seconds(setting, data, learner, rows if setting.full else min(rows, MOST))


def _consensus_cost(setting: Setting, data: Data) -> float:
    if data.votes is None:
        return 0.0
    rows = len(evidence.part(setting, data))
    return evidence.training_seconds(setting, data, setting.network(data), rows)


ITEMS = (
    Item(
        "curriculum",
        "Left open: curricula by C-score",
        "Whether C-scores improve generalisation as a curriculum is an open question of the paper (section 5). "
        "Examples are admitted by falling or by rising C-score, in as many steps as without an order.",
        curricula,
        _curriculum_cost,
    ),
    Item(
        "people",
        "Left open: what a network finds irregular, and what people disagree about",
        "The paper finds ambiguous and mislabelled images among the lowest C-scores; votes of people say how many.",
        people,
        _consensus_cost,
        after=("figure-8", "figure-9"),
    ),
)
