"""Laws of scorers, and evidence to try them on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities
from dataaudit.common.types import IntArray
from dataaudit.density.base import DensityNeed, DensitySums
from dataaudit.dynamics.recorder import Recorder
from dataaudit.evidence.base import Evidence, Need
from dataaudit.holdout.base import Outcome
from dataaudit.holdout.plan import Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.tally import Tally, integrated
from dataaudit.labels.combine import contradicted
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.scores.base import Scorer


def example_evidence(
    n: int = 63,
    classes: int = 4,
    epochs: int = 5,
    seed: int = 0,
    needs: Collection[Need | DensityNeed | NeighbourNeed | NeighbourLabelsNeed] = (),
) -> Evidence:
    """Evidence of a made-up training run, with every part present and one example never seen in training.

    Densities and neighbours are there for those of `needs` that ask for one; the last example has no neighbour within
    reach of a density, and the neighbours of the first are all at one distance.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    recorder, heldout = Recorder(n, classes), Recorder(n, classes)
    logits = rng.normal(size=(epochs, n, classes)) + 2.0 * np.eye(classes)[labels]
    for epoch in range(epochs):
        seen = rng.permutation(n - 1)
        recorder.update(seen, torch.tensor(logits[epoch][seen]), labels[seen])
        recorder.end_epoch()
    densities, neighbours = {}, {}
    for need in needs:
        if isinstance(need, DensityNeed):
            same = rng.random(n) * (np.bincount(labels)[labels] - 1)
            total = same + rng.random(n) * n
            total[-1] = same[-1] = 0.0
            densities[need] = DensitySums(total, same, {"bandwidth": 1.0, "out_of_reach": 1})
        elif isinstance(need, NeighbourNeed):
            apart = np.array([rng.permutation(n - 1) + 1 for _ in range(n)])[:, : need.depth]
            distances = np.sort(rng.random(apart.shape), axis=1)
            distances[0] = 0.0
            graph = Neighbours((apart + np.arange(n)[:, None]) % n, distances, {"depth": apart.shape[1], "cut_ties": 0})
            neighbours[need] = graph
    everything = np.arange(n)
    recorder.evaluate(everything, torch.tensor(logits[-1]), labels)
    estimates = _example_holdouts(labels, seed)
    dynamics = recorder.dynamics()
    assert dynamics is not None
    shares = ClassProbabilities.empty(n, classes)
    shares.put(slice(0, n), dynamics.dense(slice(0, n)), labels)
    heldout.evaluate(everything, torch.tensor(logits[0]), labels)
    return Evidence(
        labels=labels,
        class_names=tuple(f"class {c}" for c in range(classes)),
        dynamics=dynamics,
        evaluations=dynamics,
        predictions=recorder.predictions(),
        heldout=heldout.predictions(),
        densities=densities,
        holdout=estimates.scores(),
        holdout_integral=integrated([estimates, estimates]),
        neighbours=neighbours,
        beliefs=CombinedProbabilities(
            shares, None, dynamics.seen > 0, contradicted({"dynamics": dynamics}, labels, classes)
        ),
    )


def _example_holdouts(labels: IntArray, seed: int) -> Tally:
    """Six made-up holdout runs that never hold out the last example."""
    rng, tally = np.random.default_rng([seed, 1]), Tally(len(labels), seed)
    for number in range(6):
        held = rng.random(len(labels)) < 0.5
        held[-1] = False
        outcome = Outcome(rng.random(held.sum()) < 0.7, rng.random(held.sum()))
        tally.add(Record.of(Run(0.5, number), held, outcome))
    return tally


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

    def test_it_is_pure(self) -> None:
        """Equal evidence gives equal scores, and read-only evidence will do."""
        evidence = example_evidence(needs=self.scorer().needs)
        asked = (*evidence.densities.values(), *evidence.neighbours.values())
        for part in (evidence.dynamics, evidence.predictions, evidence.heldout, *asked):
            for value in vars(part).values():
                if isinstance(value, np.ndarray):
                    value.flags.writeable = False
        first, second = self.scorer().score(evidence), self.scorer().score(evidence)
        np.testing.assert_array_equal(first.values, second.values)

    def test_it_reads_only_what_it_needs(self) -> None:
        """Parts of the evidence that are not in `needs` may be missing."""
        scorer = self.scorer()
        others = (DensityNeed("input", 0.123), NeighbourNeed("input", depth=3))
        evidence = example_evidence(needs=[*scorer.needs, *(need for need in others if need not in scorer.needs)])
        absent: dict[str, Any] = {need.value: None for need in Need if need not in scorer.needs}
        for part in ("densities", "neighbours"):
            absent[part] = {need: found for need, found in getattr(evidence, part).items() if need in scorer.needs}
        np.testing.assert_array_equal(scorer.score(replace(evidence, **absent)).values, scorer.score(evidence).values)
