"""Refusals of strategies and samplers: whatever they advise works when it is followed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.distributed as dist

import dataaudit
from dataaudit import CurriculumSampler, DistributedCurriculumSampler, LevelBatchSampler
from dataaudit.curriculum import Balanced, DropLeastRegular, EasyToHard, SelfPaced, SmallLoss
from dataaudit.curriculum.weights import resolve, weights
from dataaudit.testing import example_scores

N = 12
ONES = np.ones(N)
SCORED = example_scores(N, 2)
BARE = replace(SCORED, error_probability=None, noise_rate=None, losses=None)
VAGUE = replace(SCORED, unknown="held-out predictions are as good as chance")
UNSCORED = replace(SCORED, scores=np.where(np.arange(N) == 3, np.nan, SCORED.scores))
NOTHING = replace(SCORED, scores=np.full(N, np.nan))


def recorder(n=N, labels=SCORED.labels, closed=True):
    labels = torch.as_tensor(np.resize(labels, n))
    made = dataaudit.Recorder(n, 2)
    made.update(torch.arange(n), torch.eye(2)[labels], labels)
    if closed:
        made.end_epoch()
    return made


class Weighs:
    """A strategy that says what it was made with."""

    name, summary = "mine", "says what it was made with"

    def __init__(self, given):
        self.given = given

    def weigh(self, examples, epoch, total_epochs):
        return self.given


class Zero(Weighs):
    """A strategy without weight for the class 1."""

    def weigh(self, examples, epoch, total_epochs):
        return np.where(examples.labels == 1, 0.0, 1.0)


def weighed(strategy, examples=SCORED, epoch=None, total_epochs=None, by=None, **more):
    """Weights of a strategy by name or as it is, of examples scored by another score where `by` says so."""
    made = resolve(strategy, {}) if isinstance(strategy, str) else strategy
    return weights(made, SCORED if by else examples, epoch, total_epochs, **more)


def balanced(inner=None, left_out=False):
    first = np.arange(0, N, 2)
    return weights(Balanced(inner), SCORED.among(first) if left_out else SCORED)


def named(strategy, **options):
    return resolve(strategy, options)


def small_loss(recorder, epoch=1):
    return weighed(SmallLoss(recorder, forget=0.2), epoch=epoch)


def state(made, **changed):
    return made.state_dict() | changed


def resumed(state, made=CurriculumSampler, given=ONES, **more):
    made(given, **more).load_state_dict(state)


def position(position):
    return CurriculumSampler(ONES).state_dict(position)


def distributed(num_replicas=None, rank=None, begun=False):
    if begun:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        DistributedCurriculumSampler(ONES, num_replicas=num_replicas, rank=rank)
    finally:
        if begun:
            dist.destroy_process_group()


BY_EPOCH = CurriculumSampler(lambda epoch: ONES).state_dict()

CASES = {
    "no epoch for a strategy of epochs": (weighed, {"strategy": EasyToHard()}),
    "no epoch for the losses of now": (weighed, {"strategy": SmallLoss(recorder())}),
    "an epoch before the first": (weighed, {"strategy": "suspects", "epoch": -1}),
    "an epoch after the last": (weighed, {"strategy": "suspects", "epoch": 5, "total_epochs": 5}),
    "weights in words": (
        weighed,
        {"strategy": Weighs(["a"] * N)},
        {"StrategyContract": {"strategy": Weighs(ONES)}},
    ),
    "negative weights": (weighed, {"strategy": Weighs(-ONES)}, {"StrategyContract": {"strategy": Weighs(ONES)}}),
    "errors that cannot be counted": (
        weighed,
        {"strategy": "suspects", "examples": VAGUE},
        {"better model": {"examples": SCORED}},
    ),
    "no probabilities of errors": (
        weighed,
        {"strategy": "suspects", "examples": BARE},
        {"scorers='auto'": {"examples": SCORED}},
    ),
    "no number of errors": (
        weighed,
        {"strategy": SmallLoss(recorder()), "examples": BARE, "epoch": 1},
        {"scorers='auto'": {"examples": SCORED}, "such as 0.2": {"strategy": SmallLoss(recorder(), forget=0.2)}},
    ),
    "no losses": (
        weighed,
        {"strategy": "self_paced", "examples": BARE, "epoch": 0, "total_epochs": 3},
        {"SelfPaced(recorder)": {"strategy": SelfPaced(recorder())}},
    ),
    "no share": (SelfPaced, {"start": 0.0}),
    "no pace": (EasyToHard, {"pacing": "quadratic"}, {"choose from": {"pacing": "linear"}}),
    "no steps": (EasyToHard, {"steps": 0}),
    "no growth": (SmallLoss, {"recorder": recorder(), "gradual": 0}),
    "no recorder": (SmallLoss, {"recorder": 3}, {"SmallLoss(recorder)": {"recorder": recorder()}}),
    "a function that gives no recorder": (
        small_loss,
        {"recorder": lambda: None},
        {"gather_recorder(recorder)": {"recorder": recorder}},
    ),
    "a recorder of other rows": (
        small_loss,
        {"recorder": recorder(N + 1)},
        {"Recorder(n=12": {"recorder": recorder()}},
    ),
    "a recorder of other labels": (
        small_loss,
        {"recorder": recorder(labels=1 - SCORED.labels)},
        {"with its labels": {"recorder": recorder()}},
    ),
    "a recorder without an epoch": (
        small_loss,
        {"recorder": recorder(closed=False)},
        {"end_epoch()": {"recorder": recorder()}},
    ),
    "a class without weight": (
        balanced,
        {"inner": Zero(None)},
        {"leave the class out": {"left_out": True}},
    ),
    "no strategy": (named, {"strategy": 3}, {"choose from": {"strategy": "suspects"}}),
    "an option that it lacks": (
        named,
        {"strategy": "easy_to_hard", "stat": 0.5},
        {"did you mean 'start'": {"stat": ..., "start": 0.5}},
    ),
    "an option that it needs": (named, {"strategy": "small_loss"}, {"recorder=": {"recorder": recorder()}}),
    "options beside an instance": (
        named,
        {"strategy": EasyToHard(), "start": 0.5},
        {"give them to the instance": {"strategy": EasyToHard(start=0.5), "start": ...}},
    ),
    "weights that are all zero": (
        weighed,
        {"strategy": Weighs(0 * ONES)},
        {"strategy=": {"strategy": "suspects"}, "by=": {"by": "el2n", "strategy": "suspects"}},
    ),
    "weights beyond float32": (
        weighed,
        {"strategy": Weighs(1e300 * ONES), "normalise": False},
        {"another scale": {"strategy": Weighs(ONES)}},
    ),
    "no score of a row": (
        weighed,
        {"strategy": DropLeastRegular(0.2), "examples": UNSCORED, "unscored": "raise"},
        {"by=": {"by": "el2n"}},
    ),
    "no score of any row": (
        weighed,
        {"strategy": DropLeastRegular(0.2), "examples": NOTHING},
        {"strategy=": {"strategy": "suspects"}, "by=": {"by": "el2n"}},
    ),
    "no policy": (
        weighed,
        {"strategy": "suspects", "unscored": "zero"},
        {"choose from": {"unscored": "mean"}},
    ),
    "scores in words": (
        LevelBatchSampler,
        {"scores": ["a"] * N, "batch_size": 2},
        {"audit.scores": {"scores": SCORED.scores}},
    ),
    "scores of few rows": (
        LevelBatchSampler,
        {"scores": [0.1, 0.2], "batch_size": 2},
        {"audit.scores": {"scores": SCORED.scores}},
    ),
    "levels smaller than a batch": (
        LevelBatchSampler,
        {"scores": SCORED.scores, "batch_size": 9, "drop_last": True},
        {"fewer levels": {"levels": 1}},
    ),
    "no order": (
        LevelBatchSampler,
        {"scores": SCORED.scores, "batch_size": 2, "order": "hard"},
        {"choose from": {"order": "hard_first"}},
    ),
    "a strategy for weights": (
        CurriculumSampler,
        {"weights": "suspects"},
        {
            "audit.weights(strategy)": {"weights": weighed("suspects")},
            "audit.schedule(strategy, total_epochs=10)": {"weights": lambda epoch: ONES},
        },
    ),
    "no numbers for weights": (
        CurriculumSampler,
        {"weights": ["a"] * N},
        {"audit.weights(strategy)": {"weights": weighed("suspects")}},
    ),
    "weights of other rows": (
        CurriculumSampler,
        {"weights": ONES[1:], "dataset": range(N)},
        {"the same rows": {"weights": ONES}},
    ),
    "a negative weight": (CurriculumSampler, {"weights": ONES - 2.0}, {"put 0": {"weights": np.eye(N)[0]}}),
    "weights of zero": (CurriculumSampler, {"weights": 0 * ONES}, {"give one": {"weights": np.eye(N)[0]}}),
    "more rows than have weight": (
        CurriculumSampler,
        {"weights": np.eye(N)[0], "num_samples": 2, "replacement": False},
    ),
    "a position beyond the pass": (position, {"position": N + 1}, {"from 0": {"position": N}}),
    "no state of a sampler": (
        resumed,
        {"state": {"model": 3}},
        {"of the sampler": {"state": state(CurriculumSampler(ONES))}},
    ),
    "a state of other arguments": (
        resumed,
        {"state": state(CurriculumSampler(ONES, seed=3))},
        {"the arguments of the one": {"seed": 3}},
    ),
    "a state without its weights": (
        resumed,
        {"state": BY_EPOCH | {"weights_now": None}, "given": lambda epoch: ONES},
        {"unchanged": {"state": BY_EPOCH}},
    ),
    "no process group": (
        distributed,
        {},
        {"rank=0": {"num_replicas": 2, "rank": 0}, "init_process_group": {"begun": True}},
    ),
}

ELSEWHERE = {
    "curriculum/rank_check.py: same_everywhere": "only ranks that differ show it: tests/curriculum/test_rank_check.py",
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    # What the folder trainers/ refuses is followed in test_curriculum_trainers.py.
    assert {place for place in left("curriculum") if "/trainers/" not in place} == set(ELSEWHERE)
