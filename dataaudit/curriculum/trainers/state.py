"""Recorder's state beside the checkpoint of a trainer, one file a process."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataaudit.common import folders
from dataaudit.common.types import FloatArray
from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.sealing import is_plain, sealed
from dataaudit.errors import DataError

KIND = folders.FileKind("dataaudit checkpoint record", 3, r"dataaudit_\d+\.pt")
KEYS = {"recorder", "unfinished", "processes", "losses"}


def pack(
    recorder: Recorder, unfinished: bool, processes: int, losses: FloatArray | None, **more: Any
) -> dict[str, Any]:
    """Record as a checkpoint holds it: tensors, numbers and strings; `losses` of the complete epochs [n]."""
    return sealed(_packed(recorder, unfinished, processes, losses) | more)


def _packed(recorder: Recorder, unfinished: bool, processes: int, losses: FloatArray | None) -> dict[str, Any]:
    kept = None if losses is None else torch.from_numpy(losses.copy())
    return {"recorder": recorder.snapshot(), "unfinished": unfinished, "processes": processes, "losses": kept}


def unpack(
    content: Mapping[str, Any],
    recorder: Recorder,
    processes: int,
    device: torch.device | str,
    where: str,
    whole: bool = True,
) -> tuple[bool, FloatArray | None]:
    """Restore what was packed and is unsealed; returns whether its epoch is unfinished, and the losses of those before.

    Where not `whole`, as many epochs in which no row was seen: all ranks but one resume a gathered record so.
    Raises `DataError` or `StorageError`, with the recorder as it was, if it is none that the callback made.
    """
    _check(content, recorder, where)
    if content["processes"] != processes:
        raise DataError(
            f"a record of {content['processes']} processes in {where}, resumed in {processes}",
            "the same number: each holds the rows that it saw",
            f"resume with {content['processes']} processes",
        )
    recorder.restore(content["recorder"] if whole else _emptied(content["recorder"]), device)
    return content["unfinished"], None if content["losses"] is None else content["losses"].numpy().copy()


def _check(content: Any, recorder: Recorder, where: str) -> None:
    """Raise unless a record has the entries that the callback makes."""
    if not isinstance(content, Mapping) or set(content) != KEYS:
        raise _damaged(where)
    losses, recorded = content["losses"], content["recorder"]
    whole = isinstance(recorded, Mapping) and type(content["unfinished"]) is bool
    whole = whole and type(content["processes"]) is int
    if whole and losses is not None and recorded.get("n") == recorder.n:
        whole = is_plain(losses) and losses.dtype == torch.float64 and losses.shape == (recorder.units,)
    if not whole:
        raise _damaged(where)


def save_record(
    folder: Path, recorder: Recorder, unfinished: bool, rank: int, processes: int, losses: FloatArray | None
) -> None:
    """Write the record of one process into a checkpoint folder; whole or not at all, sealed.

    Memory: the record's tensors, and as much again for the file's content.
    """
    path, buffer = folder / _name(rank), io.BytesIO()
    # Not into the file: torch's native writer ends its archive when an interrupt drops it, where nothing may be raised
    # any more, and a file would be closed by then.
    torch.save(_packed(recorder, unfinished, processes, losses), buffer)
    with folders.explained(path):
        folder.mkdir(parents=True, exist_ok=True)
        with folders.lock(path, folders.PATIENCE):
            folders.sweep(folder, 0, path.name)
            content = np.frombuffer(buffer.getbuffer(), np.uint8)
            folders.put(path, content, KIND.foot(content))


def load_record(
    folder: Path, recorder: Recorder, rank: int, processes: int, device: torch.device | str
) -> tuple[bool, FloatArray | None]:
    """Restore what `save_record` wrote, as `unpack`; raises `DataError` if there is none, or `StorageError`."""
    path = folder / _name(rank)
    if not os.path.lexists(path):
        raise DataError(
            f"a checkpoint without {path.name} in {folder}",
            "the record that the callback saves in every checkpoint",
            "resume from a checkpoint that was made with the callback, or pass RecordDynamics(checkpoint=folder)",
        )
    return unpack(_read(path), recorder, processes, device, str(path))


def _damaged(where: object) -> DataError:
    return DataError(
        f"{where}, which is damaged or of another kind",
        "the record that the callback saves in every checkpoint",
        "resume from another checkpoint",
    )


def _read(path: Path) -> Any:
    """Content of a file, mapped, if its bytes are those that were written."""
    with folders.explained(path), folders.opened(path) as file:
        if not os.fstat(file.fileno()).st_size:
            raise folders.damaged(path)
        KIND.unsealed(np.memmap(file, np.uint8, "r"), path)
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # A file with a right foot may be anyone's, and torch has no one kind of error.
            raise _damaged(path) from error


def _name(rank: int) -> str:
    return f"dataaudit_{rank}.pt"


def _emptied(state: dict[str, Any]) -> dict[str, Any]:
    """State of as many epochs in which no row was seen."""
    fills: dict[str, float] = {"labels": -1, "classes": -1, "position": -1}
    fills |= dict.fromkeys(("final", "block", "losses"), torch.nan)

    def fill(name: str, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.full_like(value, fills.get(name, 0))
        if isinstance(value, dict):
            return {inner: fill(inner, one) for inner, one in value.items()}
        return [fill(name, one) for one in value] if name.endswith("_bits") else value

    return {name: fill(name, value) for name, value in state.items()}
