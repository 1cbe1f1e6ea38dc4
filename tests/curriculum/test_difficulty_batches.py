"""Batches of one level each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataaudit import LevelBatchSampler, errors

SCORES = np.where(np.arange(63) % 9 == 0, np.nan, np.random.default_rng(1).random(63))
score = st.floats(-5, 5) | st.just(float("nan"))


@given(st.lists(score, min_size=1, max_size=70), st.integers(1, 9), st.integers(1, 6), st.booleans(), st.integers(0, 3))
def test_every_example_comes_once_among_its_like(scores, batch_size, levels, drop_last, epoch):
    scores = np.array(scores)
    scored = np.isfinite(scores).sum()
    if scored < levels:
        with pytest.raises(errors.DataError, match=f"at least levels={levels}"):
            LevelBatchSampler(scores, batch_size, levels=levels)
        return
    sizes = [len(part) for part in np.array_split(np.arange(scored), levels)] + [len(scores) - scored]
    if drop_last and max(sizes) < batch_size:
        with pytest.raises(errors.DataError, match="one full batch"):
            LevelBatchSampler(scores, batch_size, levels=levels, drop_last=drop_last)
        return
    sampler = LevelBatchSampler(scores, batch_size, levels=levels, drop_last=drop_last)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert np.bincount(sampler.level, minlength=levels + 1).tolist() == sizes
    every = np.concatenate(batches)
    assert len(set(every)) == len(every)
    for batch in batches:
        assert len(set(sampler.level[batch])) == 1
        assert len(batch) == batch_size or (not drop_last and len(batch) < batch_size)
    if not drop_last:
        assert len(every) == len(scores)
    # A level is nowhere easier than the one before.
    for level in range(levels - 1):
        assert scores[sampler.level == level].min() >= scores[sampler.level == level + 1].max()


@pytest.mark.parametrize(("order", "sign"), [("easy_first", 1), ("hard_first", -1)])
def test_orders(order, sign):
    sampler = LevelBatchSampler(SCORES, 4, order=order)
    levels = [sampler.level[batch[0]] for batch in sampler]
    assert (np.diff(levels) * sign >= 0).all()
    assert set(levels) == set(range(6))
    shuffled = LevelBatchSampler(SCORES, 4)
    assert np.any(np.diff([shuffled.level[batch[0]] for batch in shuffled]) < 0)


def test_epochs_and_seeds_shuffle_batches_and_their_members():
    sampler, other = LevelBatchSampler(SCORES, 4), LevelBatchSampler(SCORES, 4, seed=1)
    first = list(sampler)
    assert list(sampler) == first
    assert list(other) != first
    sampler.set_epoch(1)
    second = list(sampler)
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    assert [sampler.level[batch[0]] for batch in first] != [sampler.level[batch[0]] for batch in second]


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_ranks_and_resuming(world):
    whole = list(LevelBatchSampler(SCORES, 4))
    ranks = [LevelBatchSampler(SCORES, 4, num_replicas=world, rank=rank) for rank in range(world)]
    parts = [list(rank) for rank in ranks]
    assert {len(part) for part in parts} == {len(ranks[0])}
    together = [batch for turn in zip(*parts, strict=True) for batch in turn]
    assert together == whole + whole[: len(together) - len(whole)]
    steps = [iter(rank) for rank in ranks]
    for step in steps:
        next(step), next(step)
    state = ranks[0].state_dict()
    assert all(rank.state_dict() == state for rank in ranks)
    for rank, part in zip(ranks, parts, strict=True):
        other = LevelBatchSampler(SCORES, 4, num_replicas=world, rank=rank._rank)
        other.load_state_dict(state)
        assert list(other) == part[2:]
    alone = LevelBatchSampler(SCORES, 4)
    alone.load_state_dict(ranks[0].state_dict(position=1))
    assert list(alone) == whole[world:]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"batch_size": 0}, errors.SettingError, "batch_size=0"),
        ({"levels": 0}, errors.SettingError, "levels=0"),
        ({"order": "easy"}, errors.SettingError, "did you mean 'easy_first'"),
        ({"drop_last": 1}, errors.SettingError, "drop_last=1"),
        ({"seed": 1.5}, errors.SettingError, r"seed=1\.5"),
        ({"num_replicas": 2, "rank": 2}, errors.SettingError, "rank=2"),
        ({"scores": [[0.1, 0.2]]}, errors.DataError, r"shape \(1, 2\)"),
        ({"scores": [0.1, np.inf], "levels": 1}, errors.DataError, "never infinite"),
    ],
)
def test_what_is_refused(settings, error, message):
    arguments = {"scores": SCORES, "batch_size": 4, **settings}
    with pytest.raises(error, match=message):
        LevelBatchSampler(**arguments)


def test_a_state_of_other_scores_is_refused():
    with pytest.raises(errors.DataError, match="scores='"):
        LevelBatchSampler(SCORES, 4).load_state_dict(LevelBatchSampler(-SCORES, 4).state_dict())
