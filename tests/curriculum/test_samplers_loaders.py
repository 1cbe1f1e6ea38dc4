"""Samplers within torch's loaders, those of accelerate, and process groups."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from dataaudit import CurriculumSampler, DistributedCurriculumSampler, LevelBatchSampler

WEIGHTS = np.random.default_rng(0).random(63) * (np.arange(63) % 5 > 0)


SCORES = np.where(np.arange(63) % 9 == 0, np.nan, np.random.default_rng(1).random(63))


def by_epoch(epoch):
    """Weights that grow to more examples."""
    return (np.arange(63) < 10 * (epoch + 1)).astype(np.float32)


def single(**settings):
    return CurriculumSampler(WEIGHTS, **settings)


def interleaved(parts):
    """What ranks saw, in the order of the one sequence."""
    parts = [list(part) for part in parts]
    assert len({len(part) for part in parts}) == 1
    return [index for turn in zip(*parts, strict=True) for index in turn]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("replacement", [True, False])
def test_a_loader_with_any_number_of_workers(workers, replacement):
    data = TensorDataset(torch.arange(63))
    sampler = single(replacement=replacement, dataset=data)
    loader = DataLoader(data, batch_size=8, sampler=sampler, num_workers=workers)
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        assert torch.cat([batch for (batch,) in loader]).tolist() == list(sampler)
    assert len(loader) == -(-len(sampler) // 8)


def test_a_state_taken_behind_workers_counts_what_was_trained_on():
    data = TensorDataset(torch.arange(63))
    sampler, other = single(), single()
    loader = DataLoader(data, batch_size=8, sampler=sampler, num_workers=2)
    batches = iter(loader)
    used = torch.cat([next(batches)[0], next(batches)[0]]).tolist()
    assert sampler.state_dict()["reached"] > 16
    other.load_state_dict(sampler.state_dict(position=16))
    assert used + list(other) == list(single())


def loader_of(kind):
    """A loader, and the batches of its sampler alone by epoch."""
    data = TensorDataset(torch.arange(63))
    if kind == "levels":
        sampler = LevelBatchSampler(SCORES, 4, drop_last=True)
        return DataLoader(data, batch_sampler=sampler), list
    sampler = CurriculumSampler(by_epoch, 48)
    return DataLoader(data, batch_size=8, sampler=sampler), lambda alone: np.reshape(list(alone), (-1, 8)).tolist()


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("kind", ["weights", "levels"])
def test_accelerate_keeps_the_order_and_shards(world, kind):
    """What `Accelerator.prepare` does to a loader in each of its processes."""
    from accelerate.data_loader import prepare_data_loader

    for epoch in (0, 2):
        parts = []
        for rank in range(world):
            loader = prepare_data_loader(
                loader_of(kind)[0], num_processes=world, process_index=rank, put_on_device=False
            )
            loader.set_epoch(epoch)
            parts.append([batch.tolist() for (batch,) in loader])
        alone, batches = loader_of(kind)
        sampler = alone.batch_sampler if kind == "levels" else alone.sampler
        sampler.set_epoch(epoch)
        expected, together = batches(sampler), interleaved(parts)
        assert together[: len(expected)] == expected
        assert len(together) - len(expected) < world


def accelerator():
    """One on the CPU, whatever other tests left."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=True)


def test_accelerator_prepare():
    data = TensorDataset(torch.arange(63))
    loader = accelerator().prepare(DataLoader(data, batch_size=8, sampler=single(replacement=False)))
    loader.set_epoch(4)
    alone = single(replacement=False)
    alone.set_epoch(4)
    assert torch.cat([batch for (batch,) in loader]).tolist() == list(alone)


def test_a_prepared_loader_reads_a_batch_ahead_without_workers():
    """As `state_dict` warns: there a position is needed."""
    sampler, other = single(), single()
    batches = iter(accelerator().prepare(DataLoader(TensorDataset(torch.arange(63)), 8, sampler=sampler)))
    used = next(batches)[0].tolist()
    assert sampler.state_dict()["reached"] == 16
    other.load_state_dict(sampler.state_dict(position=8))
    assert used + list(other) == list(single())


def test_ranks_come_from_the_process_group(tmp_path):
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        sampler = DistributedCurriculumSampler(WEIGHTS)
        assert (sampler.num_replicas, sampler.rank) == (1, 0)
        assert list(sampler) == list(single())
    finally:
        distributed.destroy_process_group()
