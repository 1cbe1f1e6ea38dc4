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

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.cluster.source import changed
from dataaudit.common import digests, folders
from dataaudit.common.claims import Claims
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.errors import StorageError

_FILE = re.compile(r"(sums-)?(\d{6,})-([0-9a-f]{32})\.npy")
KIND = folders.FolderKind(
    "dataaudit blocks", 2, "blocks.json", "one of block sums", rf"sums-[0-9a-f]{{16}}/(blocks\.json|{_FILE.pattern})"
)

AGAIN = "call again, which puts that file aside and computes its sums anew"


class BlockFolder:
    """A folder of finished blocks, held by this process until it is closed; `damaged` files in it were put aside.

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
            folders.refuse_link(other.parent)
            there = KIND.read(other.parent)
            if files and there.get("files") == files and there.get("rows") != belongs["rows"]:
                arrived, expected = f"digest {belongs['rows']}", f"digest {there.get('rows')} in {other.parent}"
                raise changed(files[0], arrived, expected, ["pass another folder=", "restore the file"])
        _recognise(folders.inner(self.path), {"layout": dict(layout), **belongs}, files)
        self._lock = folders.lock(self.path / KIND.manifest)
        try:
            folders.sweep(self.path, 0)
            self._blocks, self._sums = self._sound()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()

    def __contains__(self, task: int) -> bool:
        """Tell whether the block of a task is there."""
        return task in self._blocks

    def _sound(self) -> tuple[dict[int, tuple[Path, int]], dict[int, tuple[Path, int]]]:
        """Files of blocks by task, and of added sums by their number of tasks, with their columns."""
        blocks: dict[int, tuple[Path, int]] = {}
        sums: dict[int, tuple[Path, int]] = {}
        with folders.explained(self.path):
            paths = sorted(self.path.iterdir())
        for path in paths:
            match = _FILE.fullmatch(path.name)
            if match:
                array = self._load(path)
                if array is None:
                    self._put_aside(path)
                else:
                    (sums if match[1] else blocks)[int(match[2])] = path, array.shape[1]
        return blocks, sums

    def _put_aside(self, path: Path) -> None:
        self.damaged.append(path.name)
        folders.put_aside(path)

    def _load(self, path: Path) -> FloatArray | None:
        """Sums in a file; None if they are not what its name says, or no sums."""
        if path.is_symlink() or not path.is_file():
            return None
        claims = Claims(path)
        try:
            with folders.explained(path):
                claims.fits(path.stat().st_size)
            array = claims.npy(folders.content_of(path))
            claims.array("sums", array, "f", (2, None), 0, np.finfo(np.float64).max)
        except StorageError as error:
            # A disk that fails for a moment damages nothing.
            if isinstance(error.__cause__, OSError):
                raise
            return None
        return array if array.dtype == np.float64 and _name(array) == path.stem.rsplit("-", 1)[-1] else None

    def begin(self, rows: int, columns: Sequence[int] | IntArray) -> tuple[FloatArray, int]:
        """Added sums float64 [2, rows], and the number of tasks that are in them; zeros and 0 where there are none.

        `columns` are those of every task's block. What has others, or is of no task, is put aside as damaged.
        """
        for number, (path, width) in [*self._blocks.items()]:
            if number >= len(columns) or width != columns[number]:
                self._put_aside(path)
                del self._blocks[number]
        for number, (path, width) in [*self._sums.items()]:
            if not 0 < number <= len(columns) or width != rows:
                self._put_aside(path)
                del self._sums[number]
        if not self._sums:
            return np.zeros((2, rows)), 0
        done = max(self._sums)
        return self._read(self._sums[done][0]).copy(), done

    def write(self, task: int, block: FloatArray) -> None:
        """Keep the sums of a task; raises `StorageError` if they cannot be written, and what is there is kept."""
        path = self.path / f"{task:06d}-{_name(block)}.npy"
        _put(path, block)
        self._blocks[task] = path, block.shape[1]

    def read(self, task: int) -> FloatArray:
        """Sums of a finished task; raises `StorageError` if they are not what was written."""
        return self._read(self._blocks[task][0])

    def _read(self, path: Path) -> FloatArray:
        array = self._load(path)
        if array is None:
            raise StorageError(f"{path}, which was changed", "what was written there", AGAIN)
        return array

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
                self._blocks.pop(task)[0].unlink(missing_ok=True)


def _recognise(folder: Path, described: Mapping[str, Any], files: Sequence[str] = ()) -> None:
    """Describe a folder, or see that it is described so; `files`, where rows lie, may be others by now."""
    there = KIND.begin(folder, {**described, "files": list(files)})
    differs = digests.difference({part: there.get(part) for part in described}, described)
    if differs is not None:
        name, other, here = differs
        part, _, key = name.partition(".")
        raise StorageError(
            f"block sums of other {part} at {folder}: {key or part} {other!r} there",
            f"{key or part} {here!r}",
            ["pass another folder=", "pass what that one was begun with"],
        )


def _name(array: FloatArray) -> str:
    return digests.digest(np.ascontiguousarray(array).data)


def _put(path: Path, array: FloatArray) -> None:
    folders.put(path, digests.npy_header(array.shape, array.dtype.str), np.ascontiguousarray(array).data)
