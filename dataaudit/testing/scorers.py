"""Laws of scorers, and evidence to try them on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities
from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.density.sums import DensityNeed, DensitySums
from dataaudit.dynamics.recorder import Recorder
from dataaudit.evidence.base import Evidence, Need
from dataaudit.holdout.base import Outcome
from dataaudit.holdout.plan import Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.tally import Tally, integrated
from dataaudit.labels.combine import contradicted
from dataaudit.neighbours.graph import NeighbourNeed, Neighbours
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.representations.spaces import Space
from dataaudit.scores.base import Scorer


def example_evidence(
    n: int = 63,
    classes: int = 4,
    epochs: int = 5,
    seed: int = 0,
    needs: Collection[Need | DensityNeed | NeighbourNeed | NeighbourLabelsNeed] = (),
    wrong: BoolArray | None = None,
) -> Evidence:
    """Evidence of a synthetic training run, with every part present and one example never seen in training.

    Densities and neighbours are there for those of `needs` that ask for one; the last example has no neighbour within
    reach of a density, and the neighbours of the first are all at one distance.

    Where `wrong` (bool [n]), examples carry the next class's label, and are irregular in whatever a score may look at:
    learned and forgotten by turns, mispredicted when held out, far from others, among neighbours of their true class.
    """
    rng = np.random.default_rng(seed)
    true = np.arange(n) % classes
    labels = true if wrong is None else np.where(wrong, (true + 1) % classes, true)
    logits = _example_logits(true, labels, classes, epochs, rng, wrong)
    recorder, heldout = Recorder(n, classes), Recorder(n, classes)
    for epoch in range(epochs):
        seen = rng.permutation(n - 1)
        recorder.update(seen, torch.tensor(logits[epoch][seen]), labels[seen])
        recorder.end_epoch()
    everything = np.arange(n)
    recorder.evaluate(everything, torch.tensor(logits[-1]), labels)
    heldout.evaluate(everything, torch.tensor(logits[0]), labels)
    dynamics = recorder.dynamics()
    assert dynamics is not None
    combined = ClassProbabilities.empty(n, classes)
    combined.put(slice(0, n), dynamics.dense(slice(0, n)), labels)
    estimates = _example_holdouts(labels, seed, wrong)
    return Evidence(
        labels=labels,
        class_names=tuple(f"class {c}" for c in range(classes)),
        dynamics=dynamics,
        evaluations=dynamics,
        predictions=recorder.predictions(),
        heldout=heldout.predictions(),
        densities={need: _example_sums(labels, rng, wrong) for need in needs if isinstance(need, DensityNeed)},
        holdout=estimates.scores(),
        holdout_integral=integrated([estimates, estimates]),
        neighbours={
            need: _example_neighbours(true, labels, rng, need.depth)
            for need in needs
            if isinstance(need, NeighbourNeed)
        },
        combined=CombinedProbabilities(
            combined, None, dynamics.seen > 0, contradicted({"dynamics": dynamics}, labels, classes)
        ),
    )


def _example_logits(
    true: IntArray, labels: IntArray, classes: int, epochs: int, rng: np.random.Generator, wrong: BoolArray | None
) -> FloatArray:
    """Logits [E, n, C] that lean to the label; to the true class and, every second epoch, the label where `wrong`."""
    noise = rng.normal(size=(epochs, len(labels), classes))
    to_label, to_true = np.eye(classes)[labels], np.eye(classes)[true]
    if wrong is None:
        return np.asarray(noise + 2.0 * to_label)
    wavering = 1.5 * to_true + 3.0 * (np.arange(epochs) % 2)[:, None, None] * to_label
    return np.asarray(noise + np.where(wrong[:, None], wavering, 4.0 * to_label))


def _example_sums(labels: IntArray, rng: np.random.Generator, wrong: BoolArray | None) -> DensitySums:
    """Kernel sums of which a few percent come from the same label where `wrong`."""
    n, others = len(labels), np.bincount(labels)[labels] - 1
    same = rng.random(n) * others
    total = same + 0.5 * rng.random(n) * others
    if wrong is not None:
        total, same = np.where(wrong, 0.3 * (total - same), total), np.where(wrong, 0.02 * (total - same), same)
    total[-1] = same[-1] = 0.0
    return DensitySums(total, same, {"bandwidth": 1.0, "out_of_reach": 1})


def _example_neighbours(true: IntArray, labels: IntArray, rng: np.random.Generator, depth: int) -> Neighbours:
    """Neighbours of which those labelled with the true class come first more often than not."""
    order = rng.random((len(true), len(true))) - 0.5 * (labels == true[:, None])
    np.fill_diagonal(order, np.inf)
    indices = np.argsort(order, axis=1)[:, :-1][:, :depth]
    distances = np.sort(rng.random(indices.shape), axis=1)
    distances[0] = 0.0
    return Neighbours(indices, distances, {"depth": indices.shape[1], "cut_ties": 0})


def _example_holdouts(labels: IntArray, seed: int, wrong: BoolArray | None) -> Tally:
    """Six synthetic holdout runs that never hold out the last example."""
    rng, tally = np.random.default_rng([seed, 1]), Tally(len(labels), seed)
    for number in range(6):
        held = rng.random(len(labels)) < 0.5
        held[-1] = False
        ease = np.ones(held.sum()) if wrong is None else np.where(wrong[held], 0.1, 1.0)
        outcome = Outcome(rng.random(held.sum()) < 0.7 * ease, rng.random(held.sum()) * ease)
        tally.add(Record.of(Run(0.5, number), held, outcome))
    return tally


def rank_share(values: FloatArray, wrong: BoolArray) -> float:
    """Share of the pairs of a right and a wrong label whose wrong one has the lower value (AUROC); ties count half."""
    known = ~np.isnan(values)
    ranks, planted = rankdata(values[known]), wrong[known]
    right = int((~planted).sum())
    return float((ranks[~planted].sum() - right * (right + 1) / 2) / (right * planted.sum()))


class ScorerContract(ABC):
    """Laws of a `dataaudit.scores.base.Scorer`."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """Return the scorer under test."""

    def test_it_describes_itself(self) -> None:
        """Name, one line, and known needs."""
        scorer = self.scorer()
        assert isinstance(scorer, Scorer)
        assert scorer.name
        assert scorer.name.strip() == scorer.name
        assert scorer.summary
        assert "\n" not in scorer.summary
        assert all(isinstance(need, (Need, DensityNeed, NeighbourNeed, NeighbourLabelsNeed)) for need in scorer.needs)

    def test_values_are_one_finite_number_an_example(self) -> None:
        """float64 [n], never infinite, for many and for few examples."""
        for n, classes in ((2, 2), (63, 4), (257, 3)):
            scorer = self.scorer()
            scores = scorer.score(example_evidence(n, classes, needs=scorer.needs))
            for values in (scores.values, scores.ties):
                if values is not None:
                    assert values.shape == (n,)
                    assert values.dtype == np.float64
                    assert not np.isinf(values).any()

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_higher_is_more_regular(self, seed: int) -> None:
        """Planted errors, irregular in whatever the evidence shows, do not rank above the other examples."""
        wrong, scorer = np.random.default_rng([seed, 2]).random(257) < 0.2, self.scorer()
        scores = scorer.score(example_evidence(257, epochs=6, seed=seed, needs=scorer.needs, wrong=wrong))
        assert rank_share(scores.values, wrong) >= 0.5

    def test_it_is_pure(self) -> None:
        """Equal evidence gives equal scores, and read-only evidence will do."""
        evidence = example_evidence(needs=self.scorer().needs)
        requested = (*evidence.densities.values(), *evidence.neighbours.values())
        for part in (evidence.dynamics, evidence.predictions, evidence.heldout, *requested):
            for value in vars(part).values():
                if isinstance(value, np.ndarray):
                    value.flags.writeable = False
        first, second = self.scorer().score(evidence), self.scorer().score(evidence)
        np.testing.assert_array_equal(first.values, second.values)

    def test_it_reads_only_what_it_needs(self) -> None:
        """Parts of the evidence that are not in `needs` may be missing."""
        scorer = self.scorer()
        others = (DensityNeed(Space("input"), 0.123), NeighbourNeed(Space("input"), 3))
        evidence = example_evidence(needs=[*scorer.needs, *(need for need in others if need not in scorer.needs)])
        absent: dict[str, Any] = {need.value: None for need in Need if need not in scorer.needs}
        for part in ("densities", "neighbours"):
            absent[part] = {need: value for need, value in getattr(evidence, part).items() if need in scorer.needs}
        np.testing.assert_array_equal(scorer.score(replace(evidence, **absent)).values, scorer.score(evidence).values)
