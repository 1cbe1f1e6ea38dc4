"""Numbers whose sign decides a claim of the paper; `NotMade` where the data cannot tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import dynamics, evidence, ratios, schedules
from benchmarks.paper.evidence import Recording
from benchmarks.paper.intervals import Interval, correlation_gap, least_step, mean_gap
from benchmarks.paper.result import NotMade
from benchmarks.paper.schedules import ADAM, RATES, STAGEWISE, constant
from benchmarks.paper.setting import Data, Setting
from dataaudit.holdout.settings import GRID

Measured = tuple[str, Interval]
"""What the number is, and the number."""
Measure = Callable[[Setting, Data], Measured]

RUNS = 50
"""Fewest holdout runs of each ratio by which ratios are compared: with fewer, what differs is their noise."""
LEARNED = 0.05
"""Least share of what guessing the commonest class gets wrong that a schedule gets right, to say how it learns."""


def order_of_ratios(setting: Setting, data: Data) -> Measured:
    counts = evidence.counts_of(setting, data)
    if counts.doublings[-1] < 2:
        raise NotMade("one run of each ratio: groups are made by some runs, and compared by others")
    # Groups by one half of the runs, means by the other: a group is not in order because it was chosen so.
    chosen, compared = counts.halves(counts.doublings[-1])
    edges = np.linspace(0, 1, 11)
    with np.errstate(invalid="ignore"):
        groups = dynamics.groups_of(chosen.mean(0), edges)
    row, low, high, interval = least_step(compared, groups)
    return (
        f"least sure rise of the mean score from one group (a tenth wide) to the next: ratio {GRID[row]}, from "
        f"{edges[low]:.1f} to {edges[high]:.1f}",
        interval,
    )


def peak_of_ratios(setting: Setting, data: Data) -> Measured:
    counts = evidence.counts_of(setting, data)
    if counts.runs < RUNS:
        raise NotMade(f"{counts.runs} runs of each ratio: it takes {RUNS}")
    scores, whole = counts.scores(), counts.integral
    agreement = [evidence.spearman(own, whole) for own in scores]
    claimed = [GRID.index(ratios.PEAKS[data.name])] if data.name in ratios.PEAKS else list(range(1, len(GRID) - 1))
    best, rival = (
        max(places, key=lambda place: agreement[place])
        for places in (claimed, [place for place in range(len(GRID)) if place not in claimed])
    )
    return (
        f"Spearman with the integral, ratio {GRID[best]} less ratio {GRID[rival]}",
        correlation_gap(whole, scores[best], scores[rival]),
    )


def input_densities(setting: Setting, data: Data) -> dict[str, Array]:
    """The paper's three densities [n] of the inputs."""
    rows = evidence.part(setting, data)

    def make() -> dict[str, Array]:
        names = [f"{kind}/input" for kind in dynamics.KINDS]
        audit = dataaudit.score(None, (rows.inputs.reshape(len(rows), -1), rows.labels), names, progress=False)
        return {kind: audit.columns[f"{kind}/input"] for kind in dynamics.KINDS}

    return setting.kept(data, "input-densities", make)


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def input_gap(kind: str, other: str) -> Measure:
    """Measure of two densities of the inputs."""

    def measure(setting: Setting, data: Data) -> Measured:
        truth, found = evidence.truth(setting, data).values, input_densities(setting, data)
        return f"Spearman, {_words(kind)} less {_words(other)}", correlation_gap(truth, found[kind], found[other])

    return measure


def hidden_gap(kind: str, other: str) -> Measure:
    """Measure of two densities in the hidden layer after training."""

    def measure(setting: Setting, data: Data) -> Measured:
        truth, found = evidence.truth(setting, data).values, dynamics.hidden(setting, data)
        last = max(epoch for *_, epoch in found)
        interval = correlation_gap(truth, found["hidden", kind, last], found["hidden", other, last])
        return f"Spearman, {_words(kind)} less {_words(other)} after epoch {last}", interval

    return measure


def hidden_growth(setting: Setting, data: Data) -> Measured:
    truth, found = evidence.truth(setting, data).values, dynamics.hidden(setting, data)
    epochs = sorted({epoch for *_, epoch in found})
    first, last = (found["hidden", "relative_density", epoch] for epoch in (epochs[0], epochs[-1]))
    return (
        f"Spearman, relative density after epoch {epochs[-1]} less that after epoch {epochs[0]}",
        correlation_gap(truth, last, first),
    )


def best_density(setting: Setting, data: Data) -> tuple[str, int, Array]:
    """Which of the paper's densities of the hidden layer agrees best with C-scores, after which epoch, and it [n]."""
    truth, found = evidence.truth(setting, data).values, dynamics.hidden(setting, data)
    own = {key: values for key, values in found.items() if key[1] in dynamics.KINDS and key[0] == "hidden"}
    best = max(own, key=lambda key: np.nan_to_num(evidence.spearman(own[key], truth), nan=-1))
    return best[1], best[2], own[best]


def best_confidence(setting: Setting, data: Data, kind: str = "confidence") -> tuple[int, Array]:
    """Epoch whose confidences agree best with C-scores, and those confidences [n]."""
    truth, values = evidence.truth(setting, data).values, getattr(dynamics.main_run(setting, data), kind)
    agreement = [evidence.spearman(own.astype(np.float64), truth) for own in values]
    best = int(np.argmax(np.nan_to_num(agreement, nan=-1)))
    return best + 1, values[best].astype(np.float64)


def label_above_largest(setting: Setting, data: Data) -> Measured:
    truth = evidence.truth(setting, data).values
    (epoch, label), (other, largest) = best_confidence(setting, data), best_confidence(setting, data, "largest")
    return (
        f"Spearman, probability of the label (epoch {epoch}) less the largest one (epoch {other})",
        correlation_gap(truth, label, largest),
    )


def early_above_last(setting: Setting, data: Data) -> Measured:
    truth, label = evidence.truth(setting, data).values, dynamics.main_run(setting, data).confidence.astype(np.float64)
    if len(label) < 2:
        raise NotMade("one epoch is early and late at once: more epochs are needed")
    # Half of the examples choose the epoch, the others test it: the best of many is high by chance too.
    agreement = [evidence.spearman(own[::2], truth[::2]) for own in label[: len(label) // 2]]
    best = int(np.argmax(np.nan_to_num(agreement, nan=-1)))
    return (
        f"Spearman, probability of the label after epoch {best + 1}, the best of the first half, less that after the "
        f"last, {len(label)}; half of the examples choose the epoch, the others are measured",
        correlation_gap(truth[1::2], label[best][1::2], label[-1][1::2]),
    )


def confidence_above_density(setting: Setting, data: Data) -> Measured:
    (epoch, label), (kind, other, density) = best_confidence(setting, data), best_density(setting, data)
    return (
        f"Spearman, probability of the label (epoch {epoch}) less {_words(kind)} (epoch {other})",
        correlation_gap(evidence.truth(setting, data).values, label, density),
    )


def counts_above_confidence(setting: Setting, data: Data) -> Measured:
    epoch, label = best_confidence(setting, data)
    learned = dynamics.main_run(setting, data).correct.mean(0)
    return (
        f"Spearman, epochs in which an example was right less its label's probability (epoch {epoch})",
        correlation_gap(evidence.truth(setting, data).values, learned, label),
    )


def counts_above_density(setting: Setting, data: Data) -> Measured:
    kind, epoch, density = best_density(setting, data)
    learned = dynamics.main_run(setting, data).correct.mean(0)
    return (
        f"Spearman, epochs in which an example was right less {_words(kind)} (epoch {epoch})",
        correlation_gap(evidence.truth(setting, data).values, learned, density),
    )


def groups_in_order(setting: Setting, data: Data) -> Measured:
    groups = dynamics.groups_of(evidence.truth(setting, data).values)
    learned = dynamics.main_run(setting, data).correct.mean(0)
    _, low, high, interval = least_step(learned[None], groups)
    edges = dynamics.EDGES
    return (
        "least sure rise of the share of epochs in which a group is right, from one group (.05 wide) to the next: from "
        f"{edges[low]:.2f} to {edges[high]:.2f}",
        interval,
    )


def exceptions_last(setting: Setting, data: Data) -> Measured:
    learned = dynamics.main_run(setting, data).correct.mean(0)
    low, high = schedules.ends(evidence.truth(setting, data).values)
    return "share of epochs that are right, regular examples less exceptions", mean_gap(learned[high], learned[low])


def that_learned(recordings: list[Recording], labels: Array, name: str) -> list[Recording]:
    """The runs of a schedule; `NotMade` where they learned next to nothing, and say nothing of what is learned when."""
    right = float(np.mean([one.correct[-1].mean() for one in recordings]))
    guess = np.bincount(labels).max() / len(labels)
    if right - guess < LEARNED * (1 - guess):
        raise NotMade(
            f"by {name} this network gets {100 * right:.0f} % right at the end, where the commonest class has "
            f"{100 * guess:.0f} %: it learned next to nothing"
        )
    return recordings


def _by(setting: Setting, data: Data, name: str) -> list[Recording]:
    return that_learned(schedules.runs(setting, data, name), evidence.part(setting, data).labels, name)


def _over_epochs(setting: Setting, data: Data, name: str) -> Array:
    """Share of epochs in which each example was right [n], mean over runs."""
    return np.asarray(np.mean([one.correct.mean(0) for one in _by(setting, data, name)], axis=0))


def _at_end(setting: Setting, data: Data, name: str) -> Array:
    """Whether each example was right after the last epoch [n], mean over runs."""
    return np.asarray(np.mean([one.correct[-1] for one in _by(setting, data, name)], axis=0))


def _epochs(setting: Setting, data: Data) -> str:
    """How long the schedules trained: a small rate gets less far in a short run."""
    return f"; {schedules.recipes(setting, data)[STAGEWISE].epochs} epochs (the paper's: 200)"


def falls_help_exceptions(setting: Setting, data: Data) -> Measured:
    low, high = schedules.ends(evidence.truth(setting, data).values)
    trained = _by(setting, data, STAGEWISE)
    recipe = schedules.recipes(setting, data)[STAGEWISE]
    before = int(recipe.milestones[0] * recipe.epochs) - 1
    if before < 0:
        raise NotMade("the rate falls in the first epoch: more epochs are needed")
    gain = np.mean([one.correct[-1].astype(float) - one.correct[before] for one in trained], axis=0)
    return (
        f"what is right at the end more than after epoch {before + 1}, before the rate falls, exceptions less regular "
        f"examples{_epochs(setting, data)}",
        mean_gap(gain[low], gain[high]),
    )


def large_rates_limit(setting: Setting, data: Data) -> Measured:
    low, _ = schedules.ends(evidence.truth(setting, data).values)
    gap = _at_end(setting, data, constant(RATES[-1])) - _at_end(setting, data, constant(RATES[0]))
    return (
        f"share of exceptions that is right at the end, rate {RATES[-1]:g} less rate {RATES[0]:g}"
        f"{_epochs(setting, data)}",
        mean_gap(gap[low]),
    )


def small_rates_early(setting: Setting, data: Data) -> Measured:
    low, _ = schedules.ends(evidence.truth(setting, data).values)
    gap = _over_epochs(setting, data, constant(RATES[-1])) - _over_epochs(setting, data, STAGEWISE)
    return (
        f"share of epochs in which exceptions are right, rate {RATES[-1]:g} less stage-wise{_epochs(setting, data)}",
        mean_gap(gap[low]),
    )


def adam_flattens(setting: Setting, data: Data) -> Measured:
    low, high = schedules.ends(evidence.truth(setting, data).values)
    gap = _over_epochs(setting, data, STAGEWISE) - _over_epochs(setting, data, ADAM)
    return (
        "share of epochs that are right, regular examples less exceptions: stage-wise less Adam"
        f"{_epochs(setting, data)}",
        mean_gap(gap[high], gap[low]),
    )


def stagewise_generalises(setting: Setting, data: Data) -> Measured:
    test = schedules.tested(setting, data).test
    if test is None:
        raise NotMade("no rows are left to test on")
    _by(setting, data, STAGEWISE)
    reached = {
        name: float(np.mean([schedules.last_accuracy(one) for one in schedules.runs(setting, data, name)]))
        for name in schedules.recipes(setting, data)
    }
    own = reached.pop(STAGEWISE)
    rival = max(reached, key=lambda name: reached[name])
    _by(setting, data, rival)
    # As of two sets of rows: that both are tested on the same ones would make it narrower.
    half = 1.96 * float(np.sqrt((own * (1 - own) + reached[rival] * (1 - reached[rival])) / len(test[1])))
    value = own - reached[rival]
    return f"test accuracy, stage-wise less {rival}", (value, value - half, value + half)


def equal_groups(which: str) -> Measure:
    """Measure of the lowest or the highest group among groups of equal size, against the same rows among all."""

    def measure(setting: Setting, data: Data) -> Measured:
        rows, few = schedules.equal_runs(setting, data)
        that_learned(few, evidence.part(setting, data).labels[rows], f"{STAGEWISE}, of equal groups,")
        groups = dynamics.groups_of(evidence.truth(setting, data).values[rows], schedules.WIDE)
        equal = np.mean([one.correct.mean(0) for one in few], axis=0)
        gap = equal - _over_epochs(setting, data, STAGEWISE)[rows]
        if which == "low":
            return (
                "share of epochs in which the lowest group is right, equal groups less all",
                mean_gap(gap[groups == groups.min()]),
            )
        if which == "high":
            return (
                "share of epochs in which the highest group is right, all less equal groups",
                mean_gap(-gap[groups == groups.max()]),
            )
        return (
            "share of epochs that are right, highest group less lowest, equal groups",
            mean_gap(equal[groups == groups.max()], equal[groups == groups.min()]),
        )

    return measure
