"""Finished blocks in a folder, from which a call that was killed, or stopped by a full disk, is resumed.

    blocks.json                    which data set the sums are of
    sums-<layout>/blocks.json      of which rows, at which bandwidth, by which settings
        000017-<digest>.npy        sums of one task
        sums-000016-<digest>.npy   sums of all tasks before 16, added; their files are removed

One folder serves every representation and bandwidth of a data set. Files appear whole or not at all and their names
hold their digest. Added sums are written whenever the blocks since the last ones take more room: the folder holds at
most some three times the sums, however many blocks there are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.cluster.source import changed
from dataaudit.common import folders
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import FloatArray
from dataaudit.errors import StorageError

_FILE = re.compile(r"(sums-)?(\d{6,})-([0-9a-f]{32})\.npy")
KIND = folders.FolderKind(
    "dataaudit blocks", 2, "blocks.json", "one of block sums", rf"sums-[0-9a-f]{{16}}/(blocks\.json|{_FILE.pattern})"
)


class BlockFolder:
    """A folder of finished blocks, held by this process until it is closed; `damaged` files in it were removed.

    All sums in it are of `data`; `layout` (form of the rows, bandwidth) distinguishes them from others of that data;
    blocks must be of the "rows" and "settings" of `belongs`: all JSON values. `files` are those of mapped rows.
    """

    def __init__(
        self,
        folder: str | Path,
        data: Mapping[str, Any],
        layout: Mapping[str, Any],
        belongs: Mapping[str, Any],
        files: list[str],
    ) -> None:
        root = Path(folder)
        self.path = root / f"sums-{fingerprint_of(dict(layout))[:16]}"
        self.damaged: list[str] = []
        _recognise(root, data)
        for other in sorted(root.glob(f"sums-*/{KIND.manifest}")):
            there = KIND.read(other.parent)
            if files and there.get("files") == files and there.get("rows") != belongs["rows"]:
                raise changed(files[0], f"digest {belongs['rows']}", f"digest {there.get('rows')} in {other.parent}")
        with folders.explained(self.path):
            self.path.mkdir(exist_ok=True)
        self._lock = folders.lock(self.path / KIND.manifest)
        try:
            _recognise(self.path, {"layout": dict(layout), **belongs}, files)
            folders.sweep(self.path, 0)
            self._blocks = self._sound()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()

    def __contains__(self, task: int) -> bool:
        """Tell whether the block of a task is there."""
        return task in self._blocks

    def _sound(self) -> dict[int, Path]:
        """Files of blocks by task; damaged ones are removed."""
        sound: dict[int, Path] = {}
        for path in sorted(self.path.iterdir()):
            match = _FILE.fullmatch(path.name)
            if match and self._load(path) is None:
                self.damaged.append(path.name)
                path.unlink(missing_ok=True)
            elif match and not match[1]:
                sound[int(match[2])] = path
        return sound

    def _load(self, path: Path) -> FloatArray | None:
        """Array in a file; None if it is not what its name says."""
        with folders.explained(path):
            content = path.read_bytes()
        try:
            array = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError, OSError):
            return None
        good = isinstance(array, np.ndarray) and array.dtype == np.float64 and array.ndim == 2
        return array if good and _name(array) == path.stem.rsplit("-", 1)[-1] else None

    def begin(self, rows: int) -> tuple[FloatArray, int]:
        """Added sums float64 [2, rows], and the number of tasks that are in them; zeros and 0 where there are none."""
        best, done = np.zeros((2, rows)), 0
        for path in sorted(self.path.glob("sums-*.npy")):
            number = int(path.stem.split("-")[1])
            array = self._load(path)
            if array is not None and array.shape == (2, rows) and number > done:
                best, done = array, number
        return best, done

    def write(self, task: int, block: FloatArray) -> None:
        """Keep the sums of a task; raises `StorageError` if they cannot be written, and what is there is kept."""
        path = self.path / f"{task:06d}-{_name(block)}.npy"
        _put(path, block)
        self._blocks[task] = path

    def read(self, task: int) -> FloatArray:
        """Sums of a finished task; raises `StorageError` if they are not what was written."""
        block = self._load(self._blocks[task])
        if block is None:
            raise StorageError(f"{self._blocks[task]}, which was changed", "what was written there", "call again")
        return block

    def add_up(self, sums: FloatArray, done: int) -> None:
        """Write the added sums of the first `done` tasks, and remove their blocks and earlier sums."""
        path = self.path / f"sums-{done:06d}-{_name(sums)}.npy"
        _put(path, sums)
        # Blocks go when the sums that hold them have come.
        folders.sync(self.path)
        with suppress(OSError):
            for older in self.path.glob("sums-*.npy"):
                if older != path:
                    older.unlink(missing_ok=True)
            for task in [task for task in self._blocks if task < done]:
                self._blocks.pop(task).unlink(missing_ok=True)


def _recognise(folder: Path, described: Mapping[str, Any], files: Sequence[str] = ()) -> None:
    """Describe a folder, or see that it is described so; `files`, where rows lie, may be others by now."""
    there = KIND.open(folder)
    if there is None:
        KIND.write(folder, {**described, "files": list(files)})
        return
    differs = folders.difference({part: there.get(part) for part in described}, described)
    if differs is not None:
        name, other, here = differs
        part, _, key = name.partition(".")
        raise StorageError(
            f"block sums of other {part} at {folder}: {key or part} {other!r} there",
            f"{key or part} {here!r}",
            "name another folder, or pass what that one was begun with",
        )


def _name(array: FloatArray) -> str:
    return folders.digest(np.ascontiguousarray(array).data)


def _put(path: Path, array: FloatArray) -> None:
    folders.put(path, folders.npy_header(array.shape, array.dtype.str), np.ascontiguousarray(array).data)
