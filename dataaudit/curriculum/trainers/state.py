"""A recorder's state beside the checkpoint of a trainer, one file a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError


def pack(recorder: Recorder, unfinished: bool, processes: int) -> dict[str, Any]:
    """What a checkpoint holds of a record: tensors, numbers and strings."""
    return {"recorder": recorder.state_dict(), "unfinished": unfinished, "processes": processes}


def unpack(state: dict[str, Any], recorder: Recorder, processes: int, device: torch.device | str, where: str) -> bool:
    """Restore what `pack` gave; whether its epoch is unfinished.

    Raises
    ------
    DataError
        If it was recorded by another number of processes, or of another n or number of classes.
    """
    if state["processes"] != processes:
        raise DataError(
            f"a record of {state['processes']} processes in {where}, resumed in {processes}",
            "the same number: each holds the rows that it saw",
            f"resume with {state['processes']} processes",
        )
    recorder.load_state_dict(state["recorder"], device)
    return bool(state["unfinished"])


def save_record(folder: Path, recorder: Recorder, unfinished: bool, rank: int, processes: int) -> None:
    """Write the record of one process into a checkpoint folder; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(rank)
    beside = path.with_suffix(".partial")
    torch.save(pack(recorder, unfinished, processes), beside)
    os.replace(beside, path)


def load_record(folder: Path, recorder: Recorder, rank: int, processes: int, device: torch.device | str) -> bool:
    """Restore what `save_record` wrote; whether its epoch is unfinished.

    Raises
    ------
    DataError
        If there is none, or it does not belong to this training.
    """
    path = folder / _name(rank)
    if not path.is_file():
        raise DataError(
            f"a checkpoint without {path.name} in {folder}",
            "the record that the callback saves in every checkpoint",
            "resume from a checkpoint that was made with the callback, or pass RecordDynamics(checkpoint=folder)",
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    return unpack(state, recorder, processes, device, str(path))


def _name(rank: int) -> str:
    return f"dataaudit_{rank}.pt"


def emptied(state: dict[str, Any]) -> dict[str, Any]:
    """A recorder's state of as many epochs in which no row was seen: what all ranks but one resume a whole from."""
    fills: dict[str, float] = {"labels": -1, "final": torch.nan, "block": torch.nan, "classes": -1, "position": -1}

    def fill(name: str, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.full_like(value, fills.get(name, 0))
        if isinstance(value, dict):
            return {inner: fill(inner, one) for inner, one in value.items()}
        return [fill(name, one) for one in value] if name.endswith("_bits") else value

    return {name: fill(name, value) for name, value in state.items()}
