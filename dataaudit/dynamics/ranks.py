"""Rank of a process in a torch.distributed group, and the rows of an epoch that are its own."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from dataaudit.errors import DataError, SettingError


def claim(seen: Tensor, group: Any) -> Tensor:
    """Rows of one epoch that no lower rank has seen, bool [n]; every process of `group` calls it with its `seen`.

    Sends n bytes a process. At least one process must have seen a row.
    """
    rank, size = rank_and_size(group)
    mine = seen.to(wire(group), torch.uint8)
    everywhere = [torch.empty_like(mine) for _ in range(size)]
    dist.all_gather(everywhere, mine, group=group)
    if not any(bool(each.any()) for each in everywhere):
        raise DataError(
            "an epoch without a batch in any process", "update() before end_epoch()", "record every batch of the epoch"
        )
    taken = torch.zeros_like(mine)
    for lower in everywhere[:rank]:
        taken |= lower
    return seen & (taken == 0).to(seen.device)


def rank_and_size(group: Any) -> tuple[int, int]:
    """Rank and size of the group."""
    if not (dist.is_available() and dist.is_initialized()):
        raise SettingError(
            "no process group",
            "torch.distributed with one recorder in every process",
            "call torch.distributed.init_process_group() first, or leave this call out in a single process",
        )
    if not (group in (None, dist.GroupMember.NON_GROUP_MEMBER) or isinstance(group, dist.ProcessGroup)):
        raise SettingError(
            f"group={group!r}", "a torch.distributed process group", "pass torch.distributed.group.WORLD, for example"
        )
    rank = dist.get_rank(group)
    if rank < 0:
        raise SettingError(
            "a process outside the group", "one of its ranks", "call this in the processes of the group only"
        )
    return rank, dist.get_world_size(group)


def wire(group: Any) -> torch.device:
    """Device that tensors have to lie on to be sent."""
    backend = str(dist.get_backend(group))
    return torch.device("cuda", torch.cuda.current_device()) if backend == "nccl" else torch.device("cpu")
