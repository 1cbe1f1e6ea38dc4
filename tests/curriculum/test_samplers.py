"""Samplers: one sequence for any number of workers and ranks, resumed where it stopped."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataaudit import CurriculumSampler, DistributedCurriculumSampler, LevelBatchSampler, errors
from dataaudit.curriculum import EasyToHard

WEIGHTS = np.random.default_rng(0).random(63) * (np.arange(63) % 5 > 0)
SCORES = np.where(np.arange(63) % 9 == 0, np.nan, np.random.default_rng(1).random(63))
WORLDS = (1, 2, 3, 5)


def by_epoch(epoch):
    """Weights that grow to more examples."""
    return (np.arange(63) < 10 * (epoch + 1)).astype(np.float32)


def single(**settings):
    return CurriculumSampler(WEIGHTS, **settings)


def ranked(world, **settings):
    return [DistributedCurriculumSampler(WEIGHTS, None, world, rank, **settings) for rank in range(world)]


def interleaved(parts):
    """What ranks saw, in the order of the one sequence."""
    parts = [list(part) for part in parts]
    assert len({len(part) for part in parts}) == 1
    return [index for turn in zip(*parts, strict=True) for index in turn]


@pytest.mark.parametrize("replacement", [True, False])
def test_a_pass(replacement):
    sampler = single(replacement=replacement)
    found = list(sampler)
    able = np.flatnonzero(WEIGHTS)
    assert len(found) == len(sampler) == sampler.num_samples == (63 if replacement else len(able))
    assert set(found) <= set(able)
    assert (len(set(found)) == len(found)) is not replacement
    assert all(type(index) is int for index in found)
    assert list(sampler) == found
    sampler.set_epoch(1)
    other = list(sampler)
    assert other != found
    sampler.set_epoch(0)
    assert list(sampler) == found != list(single(replacement=replacement, seed=1))


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("drop_last", [True, False])
def test_ranks_together_draw_the_one_sequence(world, replacement, drop_last):
    whole, ranks = single(replacement=replacement), ranked(world, replacement=replacement, drop_last=drop_last)
    for epoch in (0, 3):
        for sampler in (whole, *ranks):
            sampler.set_epoch(epoch)
        sequence, together = list(whole), interleaved(ranks)
        assert {len(rank) for rank in ranks} == {len(together) // world}
        if drop_last:
            assert together == sequence[: len(sequence) // world * world]
        else:
            assert together[: len(sequence)] == sequence
            assert together[len(sequence) :] == sequence[: len(together) - len(sequence)]
            assert len(together) - len(sequence) < world


def test_fewer_samples_than_ranks():
    ranks = [DistributedCurriculumSampler([0.0, 1.0], 1, 3, rank) for rank in range(3)]
    assert [list(rank) for rank in ranks] == [[1], [1], [1]]


@given(
    st.sampled_from(WORLDS),
    st.sampled_from(WORLDS),
    st.booleans(),
    st.booleans(),
    st.integers(0, 63),
    st.integers(0, 4),
)
def test_a_resumed_pass_is_the_rest_of_the_undisturbed_one(before, after, replacement, counted, used, epoch):
    settings = {"replacement": replacement}
    undisturbed, first, second = (ranked(world, **settings) for world in (before, before, after))
    for sampler in (*undisturbed, *first):
        sampler.set_epoch(epoch)
    whole = interleaved(undisturbed)
    used = min(used, len(first[0]))
    states = []
    for rank in first:
        steps = iter(rank)
        ahead = used if not counted else min(used + 7, len(rank))
        for _ in range(ahead):
            next(steps)
        states.append(rank.state_dict(position=used if counted else None))
    assert all(state == states[0] for state in states)
    saved = io.BytesIO()
    torch.save(states[0], saved)
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    for rank in second:
        rank.load_state_dict(state)
        rank.set_epoch(epoch)
    rest = interleaved(second)
    done = min(used * before, first[0].num_samples)
    expected = whole[done : first[0].num_samples]
    assert rest[: len(expected)] == expected
    if before == after:
        assert rest == whole[used * before :]
    # The next epoch is a whole one.
    for rank in (*undisturbed, *second):
        rank.set_epoch(epoch + 1)
    sequence = interleaved(second)[: second[0].num_samples]
    assert sequence == interleaved(undisturbed)[: second[0].num_samples]


def test_only_the_first_pass_after_a_state_is_a_rest():
    sampler, other = single(), single()
    steps = iter(sampler)
    for _ in range(20):
        next(steps)
    state = sampler.state_dict()
    other.load_state_dict(state)
    assert other.state_dict() == state
    assert list(other) == list(sampler)[20:]
    assert list(other) == list(sampler)
    assert other.state_dict()["reached"] == 63


@given(
    st.lists(st.sampled_from(WORLDS), min_size=3, max_size=4),
    st.lists(st.integers(0, 9), min_size=2, max_size=3),
    st.sampled_from(["weights", "levels"]),
    st.booleans(),
)
def test_a_pass_resumed_again_and_again_on_other_numbers_of_ranks(worlds, used, kind, ahead):
    """The position counts this rank's own examples since the last resume, as a loop that was restarted counts."""

    def made(world):
        if kind == "levels":
            return [LevelBatchSampler(SCORES, 2, num_replicas=world, rank=rank) for rank in range(world)]
        return ranked(world)

    (alone,) = made(1)
    whole, done, state = list(alone), [], None
    for world, count in zip(worlds, [*used, None], strict=False):
        ranks = made(world)
        for rank in ranks:
            if state is not None:
                rank.load_state_dict(state)
                assert rank.state_dict(position=0) == state
        steps = [iter(rank) for rank in ranks]
        left = -(-(len(whole) - len(done)) // world)
        count = left if count is None else min(count, left)
        done += [next(step) for _ in range(count) for step in steps]
        for step in steps:
            if ahead:
                next(step, None)
        states = [rank.state_dict(position=count) for rank in ranks]
        assert all(each == states[0] for each in states)
        state = states[0]
        assert state["reached"] == min(len(done), len(whole))
        done = done[: len(whole)]
        for over in (left + 1, 1000):
            with pytest.raises(errors.SettingError, match=rf"position={over}.*0\.\.{left}, counted since"):
                ranks[0].state_dict(position=over)
    assert done == whole[: len(done)]


def test_positions_of_the_next_epoch_count_from_its_beginning():
    sampler = CurriculumSampler(WEIGHTS, 12)
    sampler.load_state_dict({**sampler.state_dict(), "reached": 7})
    assert len(list(sampler)) == 5
    assert sampler.state_dict(position=5)["reached"] == 12
    sampler.set_epoch(1)
    assert sampler.state_dict(position=5)["reached"] == 5
    sampler.load_state_dict({**sampler.state_dict(), "reached": 7})
    sampler.set_epoch(2)
    assert len(list(sampler)) == 12


def test_a_refused_state_changes_nothing():
    sampler = CurriculumSampler(by_epoch, 40)
    before = list(sampler)
    good = CurriculumSampler(by_epoch, 40)
    good.set_epoch(3)
    for wrong in ({"reached": 41}, {"epoch": -1}, {"weights_now": None}, {"weights_now": torch.ones(62)}, {"seed": 9}):
        with pytest.raises(errors.DataAuditError):
            sampler.load_state_dict({**good.state_dict(), **wrong})
        assert (sampler.epoch, list(sampler)) == (0, before)


def test_states_of_other_arguments():
    def states(**settings):
        return DistributedCurriculumSampler(WEIGHTS, num_replicas=2, rank=0, **settings).state_dict()

    with pytest.raises(errors.DataError, match="num_samples=3; expected num_samples=63"):
        single().load_state_dict(single(num_samples=3).state_dict())
    with pytest.raises(errors.DataError, match="drop_last=True; expected drop_last=False"):
        DistributedCurriculumSampler(WEIGHTS, num_replicas=2, rank=0).load_state_dict(states(drop_last=True))
    shrinking = CurriculumSampler(by_epoch, 7, replacement=False)
    with pytest.raises(errors.DataError, match="num_samples=7; expected num_samples=None"):
        CurriculumSampler(by_epoch, replacement=False).load_state_dict(shrinking.state_dict())
    for name in ("epoch", "reached", "weights_now", "seed"):
        state = single().state_dict()
        del state[name]
        with pytest.raises(errors.DataError, match=f"a state without '{name}'"):
            single().load_state_dict(state)
    for name in ("epoch", "order"):
        state = LevelBatchSampler(SCORES, 4).state_dict()
        del state[name]
        with pytest.raises(errors.DataError, match=f"a state without '{name}'"):
            LevelBatchSampler(SCORES, 4).load_state_dict(state)


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("size", [1e308, 5e-324])
def test_weights_of_any_size_draw_alike(size, replacement):
    found = list(CurriculumSampler([size] * 3, replacement=replacement))
    assert found == list(CurriculumSampler([1.0] * 3, replacement=replacement))
    assert set(CurriculumSampler([size] * 3, 300)) == {0, 1, 2}


def test_weights_by_epoch():
    seen = []

    def source(epoch):
        seen.append(epoch)
        return by_epoch(epoch)

    sampler = CurriculumSampler(source, replacement=False)
    assert sorted(sampler) == list(range(10))
    sampler.set_epoch(0)
    sampler.set_epoch(2)
    assert len(sampler) == 30
    assert sorted(sampler) == list(range(30))
    np.testing.assert_array_equal(sampler.weights, by_epoch(2))
    assert seen == [0, 2]


def test_weights_by_epoch_are_resumed_as_they_were():
    """What they are made of, such as a recorder, may have moved on since the epoch began."""
    now = {"first": 0}

    def source(epoch):
        return np.roll(by_epoch(0), now["first"])

    sampler = CurriculumSampler(source, 40)
    sampler.set_epoch(1)
    whole, steps = list(sampler), iter(sampler)
    for _ in range(15):
        next(steps)
    now["first"] = 30
    state = sampler.state_dict()
    other = CurriculumSampler(source, 40)
    other.load_state_dict(state)
    other.set_epoch(1)
    assert list(other) == whole[15:]
    other.set_epoch(2)
    assert set(other) <= set(range(30, 40))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CurriculumSampler("suspects"), errors.SettingError, "audit.schedule"),
        (lambda: CurriculumSampler(EasyToHard()), errors.SettingError, "audit.schedule"),
        (lambda: CurriculumSampler(EasyToHard), errors.SettingError, "audit.schedule"),
        (lambda: single(replacement=1), errors.SettingError, "replacement=1"),
        (lambda: single(seed=-1), errors.SettingError, "seed=-1"),
        (lambda: single(seed=2**64), errors.SettingError, "seed="),
        (lambda: single(num_samples=0), errors.SettingError, "num_samples=0"),
        (lambda: single(num_samples=51, replacement=False), errors.DataError, "51 distinct examples of 50 that have"),
        (lambda: single(dataset=range(62)), errors.DataError, r"shape \(63,\); expected shape \(62,\)"),
        (lambda: CurriculumSampler([]), errors.DataError, r"shape \(0,\)"),
        (lambda: CurriculumSampler(np.ones((3, 1))), errors.DataError, r"shape \(3, 1\)"),
        (lambda: CurriculumSampler(["a", "b"]), errors.DataError, "weights that are no numbers.*audit.weights"),
        (lambda: CurriculumSampler([[1], [1, 2]]), errors.DataError, "weights that are no numbers"),
        (lambda: LevelBatchSampler(["a"], 2), errors.DataError, "scores that are no numbers.*audit.scores"),
        (lambda: LevelBatchSampler([[1], [1, 2]], 2), errors.DataError, "scores that are no numbers"),
        (lambda: CurriculumSampler([1.0, -0.5]), errors.DataError, r"-0\.5 in row 1"),
        (lambda: CurriculumSampler([1.0, 2.0, np.nan]), errors.DataError, "nan in row 2"),
        (lambda: CurriculumSampler([0.0, 0.0]), errors.DataError, "all zero"),
        (lambda: single().set_epoch(-1), errors.SettingError, "epoch=-1"),
        (lambda: single().state_dict(position=-1), errors.SettingError, "position=-1"),
        (lambda: single().load_state_dict(None), errors.DataError, "a state of None"),
        (lambda: single().load_state_dict(single(seed=1).state_dict()), errors.DataError, "seed=1; expected seed=0"),
        (
            lambda: single().load_state_dict(CurriculumSampler(np.ones(63)).state_dict()),
            errors.DataError,
            "weights='",
        ),
        (lambda: DistributedCurriculumSampler(WEIGHTS), errors.SettingError, "without a process group"),
        (lambda: DistributedCurriculumSampler(WEIGHTS, 9, 2, 2), errors.SettingError, "rank=2"),
        (lambda: DistributedCurriculumSampler(WEIGHTS, 9, 0, 0), errors.SettingError, "num_replicas=0"),
        (lambda: DistributedCurriculumSampler(WEIGHTS, 9, 2, 0, drop_last=0), errors.SettingError, "drop_last=0"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_weights_of_a_later_epoch_are_checked_too():
    sampler = CurriculumSampler(lambda epoch: np.ones(4 - epoch), 3, replacement=False)
    with pytest.raises(errors.DataError, match=r"shape \(3,\); expected shape \(4,\)"):
        sampler.set_epoch(1)
    sampler = CurriculumSampler(lambda epoch: np.arange(4) >= epoch, 3, replacement=False)
    sampler.set_epoch(1)
    before = list(sampler)
    with pytest.raises(errors.DataError, match=r"3 distinct examples of 2 that have weight \(epoch 2\)"):
        sampler.set_epoch(2)
    assert sampler.epoch == 1
    assert list(sampler) == before
