"""Recorder's state beside the checkpoint of a trainer, one file a process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

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


class _Sink:
    """File as torch's native writer gets it: a write raises nothing, `finish` raises what the first failed one met.

    The native writer's destructor writes the end of an archive that an interrupt left unfinished, when nothing may be
    raised any more and the file may be closed: the process would abort.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: BaseException | None = None

    def write(self, content: Any) -> int:
        """Write, unless a write failed before; returns the number of bytes that the writer wants to hear."""
        if self._error is None:
            try:
                self._file.write(content)
            except BaseException as error:  # Raised by `finish`; an interrupt as well.
                self._error = error
        return len(content)

    def flush(self) -> None:
        """Leave it to `finish`."""

    def finish(self) -> None:
        """Bring to the file what was written, or raise what a write met."""
        if self._error is not None:
            raise self._error
        self._file.flush()


def save_record(
    folder: Path, recorder: Recorder, unfinished: bool, rank: int, processes: int, losses: FloatArray | None
) -> None:
    """Write the record of one process into a checkpoint folder; whole or not at all, sealed."""
    path = folder / _name(rank)
    with folders.explained(path, (OSError, RuntimeError)):
        folder.mkdir(parents=True, exist_ok=True)
        with folders.lock(path, folders.PATIENCE):
            folders.sweep(folder, 0, path.name)
            with folders.writing(path) as file:
                sink = _Sink(file)
                torch.save(_packed(recorder, unfinished, processes, losses), cast("IO[bytes]", sink))
                sink.finish()
                file.write(KIND.foot(np.memmap(file, np.uint8, "r")))


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
