"""Recorders of several processes: rows that count once, and one record of the whole training run.

Everything travels as plain tensors over torch.distributed. Its object collectives pickle what they send; these do not.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from dataaudit.common import checks
from dataaudit.dynamics.ranks import rank_and_size, wire
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, SettingError

CHUNK = 2**26
"""Bytes that are sent at a time, so that a CUDA backend needs no more of the device's memory."""


def gather_recorder(recorder: Recorder, *, dst: int | None = None, group: Any = None) -> Recorder | None:
    """One recorder of what all processes of a training run recorded.

    Every process calls it, with its own recorder of the same n, classes and number of complete epochs. Recorders stay
    as they are, so that training may go on and be gathered again. Scores equal those of one process that saw all
    batches: counts exactly, means up to the rounding of their sums.

    Parameters
    ----------
    recorder
        This process's recorder, without an open epoch. Where a row may reach several processes in one epoch (samplers
        fill up the last batches so), close epochs by `Recorder.end_epoch(group=...)`.
    dst
        Rank within the group that is to have the whole; None for all of them.
    group
        Process group; None for the default one.

    Returns
    -------
    Recorder or None
        The whole, on the CPU; None in processes other than `dst`.

    Raises
    ------
    SettingError
        If there is no process group, this process is not in it, `dst` is no rank of it, or `recorder` is no recorder.
    DataError
        If recorders do not belong together, or a row was seen by two processes in one epoch.

    Notes
    -----
    A process sends once, to `dst` or to all others, its labels, sums and predictions (76 bytes an example), a quarter
    byte an example and epoch, 4 bytes an example and kept epoch, and the class sums (4 C bytes an example, 64 where
    n x C > 2**24 and C > 8). Processes send in turn: at most three records beside its own are in a process's memory.

    Examples
    --------
    >>> import os, torch, torch.distributed as dist
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> recorder = Recorder(n=2, classes=2)
    >>> recorder.update(torch.arange(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
    >>> recorder.end_epoch(group=dist.group.WORLD)
    >>> gather_recorder(recorder).dynamics().correct
    array([1, 0])
    >>> dist.destroy_process_group()
    """
    if not isinstance(recorder, Recorder):
        raise SettingError(
            f"recorder={recorder!r}", "a dataaudit.Recorder", "pass this process's own, as gather_recorder(recorder)"
        )
    rank, size = rank_and_size(group)
    if dst is not None:
        ranks = f"a rank of the group, 0..{size - 1}"
        dst = checks.whole("dst", dst, 0, "pass dst=0, or dst=None for all", most=size - 1, expected=ranks)
    state = recorder.snapshot()
    _refuse_others(recorder, state, group, size)
    whole: Recorder | None = None
    for source in range(size):
        part = state if source == rank else _like(state)
        _send(part, source, rank, dst, group)
        if dst is None or rank == dst:
            held = recorder.empty()
            held.restore(part)
            if whole is None:
                whole = held
            else:
                whole.merge(held)
    return whole


def _refuse_others(recorder: Recorder, state: dict[str, Any], group: Any, size: int) -> None:
    """Raise, in every process alike, unless all recorders have the same shapes and no open epoch."""
    history = state["history"]
    facts = [recorder.n, recorder.classes, recorder.epochs, state["written"]]
    facts += [recorder.exact, history["stride"], history["capacity"], len(history["epochs"])]
    mine = torch.tensor(facts, dtype=torch.int64, device=wire(group))
    everyone = [torch.empty_like(mine) for _ in range(size)]
    dist.all_gather(everyone, mine, group=group)
    shapes = [tuple(each.tolist()) for each in everyone]
    if len({(*one[:3], *one[4:]) for one in shapes}) > 1 or any(one[3] for one in shapes):
        still_open = [str(rank) for rank, one in enumerate(shapes) if one[3]]
        raise DataError(
            f"recorders of (n, classes, epochs) {', '.join(str(one[:3]) for one in shapes)}"
            + (f", with an epoch still open in rank {', '.join(still_open)}" if still_open else ""),
            "the same n, classes, complete epochs, history_bytes and dense_elements in every process",
            "call end_epoch() in every process before gathering"
            if still_open
            else "make every Recorder with the same arguments, and close the same epochs",
        )


def _tensors(state: dict[str, Any]) -> list[Tensor]:
    """Tensors of a state that have to be sent, in a fixed order; the shapes follow from what was compared before."""
    bits = [*state["seen_bits"], *state["correct_bits"]]
    sums = [state["labels"], state["sums"], state["final"], state["losses"], *bits, state["history"]["block"]]
    if bits:
        # Before the first epoch a process that saw nothing has none of these.
        sums += [state["means"][name] for name in ("mass", "classes", "periods") if name in state["means"]]
    return sums


def _like(state: dict[str, Any]) -> dict[str, Any]:
    """A state of the same shapes to receive another process's into."""

    def copied(value: Any) -> Any:
        if isinstance(value, Tensor):
            # What is not sent, of an epoch that is not open, is zero.
            return torch.zeros_like(value)
        if isinstance(value, dict):
            return {name: copied(inner) for name, inner in value.items()}
        return [copied(inner) for inner in value] if isinstance(value, list) else value

    sent = ("labels", "sums", "final", "losses", "seen_bits", "correct_bits", "history", "means")
    return {name: copied(value) if name in sent else value for name, value in state.items()}


def _send(state: dict[str, Any], source: int, rank: int, dst: int | None, group: Any) -> None:
    """Fill the `state` of every receiver with that of `source`."""
    if dst is not None and (source == dst or rank not in (source, dst)):
        return
    device, origin = wire(group), _global(group, source)
    for tensor in _tensors(state):
        flat = tensor.reshape(-1).view(torch.uint8)
        for part in flat.split(CHUNK):
            if part.numel() == 0:
                continue
            sent = part.to(device)
            if dst is None:
                dist.broadcast(sent, origin, group=group)
            elif rank == source:
                dist.send(sent, _global(group, dst), group=group)
            else:
                dist.recv(sent, origin, group=group)
            if rank != source:
                part.copy_(sent)


def _global(group: Any, rank: int) -> int:
    return rank if group is None else dist.get_global_rank(group, rank)
