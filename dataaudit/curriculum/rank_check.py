"""Check that all ranks draw the same sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import FloatArray
from dataaudit.dynamics.ranks import wire
from dataaudit.errors import DataError

REFUSED = bytes(16)
"""Stands for the digest of a rank whose own weights were refused."""


def same_everywhere(
    make: Callable[[], tuple[FloatArray, int]], settings: tuple[Any, ...], num_replicas: int
) -> tuple[FloatArray, int]:
    """Weights and number of draws by `make`; a `DataError` in every process if these or `settings` differ in the group.

    So it is where `make` raised in another process. Without a group of `num_replicas` processes nothing is compared.
    """
    grouped = num_replicas > 1 and dist.is_available() and dist.is_initialized()
    if not grouped or dist.get_world_size() != num_replicas:
        return make()
    try:
        drawn = make()
    except Exception:
        # The others wait for this rank's digest, and would for ever.
        _gathered(REFUSED)
        raise
    digests = _gathered(bytes.fromhex(fingerprint_of((*drawn, settings))))
    refused = [rank for rank, digest in enumerate(digests) if digest == REFUSED]
    if refused:
        raise DataError(
            f"weights that were refused on {_ranks(refused)}", "weights on every rank", "see the error of that rank"
        )
    others = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
    if others:
        raise DataError(
            f"weights, settings, epoch or place in it that differ between rank 0 and {_ranks(others)}",
            "the same on every rank, for each draws the whole sequence",
            "weigh by one record of all ranks, SmallLoss(lambda: dataaudit.gather_recorder(recorder)) for example, "
            "and load the same state on each",
        )
    return drawn


def _gathered(digest: bytes) -> list[bytes]:
    """Digests of all processes, by rank."""
    mine = torch.tensor(list(digest), dtype=torch.uint8, device=wire(None))
    everyone = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, mine)
    return [bytes(each.tolist()) for each in everyone]


def _ranks(numbers: list[int]) -> str:
    return f"{'rank' if len(numbers) == 1 else 'ranks'} {', '.join(map(str, numbers))}"
