"""Recorder's state beside the checkpoint of a trainer, one file a process."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

from dataaudit.common.types import FloatArray
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError

KEYS = {"recorder", "unfinished", "processes", "losses"}


def pack(recorder: Recorder, unfinished: bool, processes: int, losses: FloatArray | None) -> dict[str, Any]:
    """Record as a checkpoint holds it: tensors, numbers and strings; `losses` of the complete epochs [n]."""
    kept = None if losses is None else torch.from_numpy(losses.copy())
    return {"recorder": recorder.state_dict(), "unfinished": unfinished, "processes": processes, "losses": kept}


def unpack(
    state: dict[str, Any], recorder: Recorder, processes: int, device: torch.device | str, where: str
) -> tuple[bool, FloatArray | None]:
    """Restore what `pack` gave; returns whether its epoch is unfinished, and the losses of those before."""
    if state["processes"] != processes:
        raise DataError(
            f"a record of {state['processes']} processes in {where}, resumed in {processes}",
            "the same number: each holds the rows that it saw",
            f"resume with {state['processes']} processes",
        )
    recorder.load_state_dict(state["recorder"], device)
    return bool(state["unfinished"]), None if state["losses"] is None else state["losses"].numpy().copy()


def save_record(
    folder: Path, recorder: Recorder, unfinished: bool, rank: int, processes: int, losses: FloatArray | None
) -> None:
    """Write the record of one process into a checkpoint folder; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(rank)
    beside = path.with_suffix(".partial")
    torch.save(pack(recorder, unfinished, processes, losses), beside)
    os.replace(beside, path)


def load_record(
    folder: Path, recorder: Recorder, rank: int, processes: int, device: torch.device | str
) -> tuple[bool, FloatArray | None]:
    """Restore what `save_record` wrote, as `unpack`; a `DataError` if there is none, or a damaged or foreign one."""
    path = folder / _name(rank)
    if not path.is_file():
        raise DataError(
            f"a checkpoint without {path.name} in {folder}",
            "the record that the callback saves in every checkpoint",
            "resume from a checkpoint that was made with the callback, or pass RecordDynamics(checkpoint=folder)",
        )
    state = _read(path)
    return unpack(state, recorder, processes, device, str(path))


def _read(path: Path) -> dict[str, Any]:
    damaged = DataError(
        f"{path}, which is damaged or of another kind",
        "the record that the callback saves in every checkpoint",
        "resume from another checkpoint",
    )
    # A file that was cut off has lost the table at the archive's end.
    if not zipfile.is_zipfile(path):
        raise damaged
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except RuntimeError as error:
        raise damaged from error
    if not isinstance(state, dict) or not state.keys() >= KEYS:
        raise damaged
    return state


def _name(rank: int) -> str:
    return f"dataaudit_{rank}.pt"


def emptied(state: dict[str, Any]) -> dict[str, Any]:
    """State of as many epochs in which no row was seen, from which all ranks but one resume a gathered record."""
    fills: dict[str, float] = {"labels": -1, "final": torch.nan, "block": torch.nan, "classes": -1, "position": -1}

    def fill(name: str, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.full_like(value, fills.get(name, 0))
        if isinstance(value, dict):
            return {inner: fill(inner, one) for inner, one in value.items()}
        return [fill(name, one) for one in value] if name.endswith("_bits") else value

    return {name: fill(name, value) for name, value in state.items()}
