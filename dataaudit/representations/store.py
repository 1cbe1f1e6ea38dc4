"""Representations in a folder: written once in bounded batches, resumed after a crash, memory-mapped to be read.

    representations.json           which data set the rows are of
    NAME.npy, NAME.json            rows, and how far they are complete, with a digest of every block

Rows are appended by plain writes, so that a full disk is an error and no crash; a block counts when it is on the disk
and its digest in the description beside it, which is replaced whole. Rows that a full disk does not take are held in
memory by the call that made them. One process at a time writes a file. Rows that are made anew get another file under
the name, so that who reads the earlier one reads on; damaged files are put aside.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common import digests, folders
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import AnyArray
from dataaudit.data.derived import EMBEDDING, STREAM
from dataaudit.errors import StorageError
from dataaudit.representations.keep import InMemory, Keep, Kept
from dataaudit.representations.spaces import SPACES

KIND = folders.FolderKind(
    "dataaudit representations",
    2,
    "representations.json",
    "one of representations",
    rf"(({'|'.join(SPACES)})(-[^/]+-[0-9a-f]{{12}})?|{EMBEDDING}/(inputs|vectors))\.(npy|json)",
)
BLOCK = 32 * 2**20
"""Bytes that are written at a time, and can be lost by a crash."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk without room, an exhausted quota, and a limit on the size of files."""


def _has_no_room(error: StorageError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL


@contextmanager
def without_room(notes: list[str]) -> Iterator[None]:
    """Go on where a folder has no room for what is done here, with one more of the `notes`."""
    try:
        yield
    except StorageError as error:
        if not _has_no_room(error):
            raise
        notes += held_in_memory([error.arrived])


def held_in_memory(full: Sequence[str]) -> list[str]:
    """Note on rows that a folder had no room for, by what it said; none without any."""
    note = f"rows were held in memory, for the folder of cache= could not take them: {'; '.join(dict.fromkeys(full))}"
    return [note] if full else []


def made_anew(damaged: Sequence[str]) -> list[str]:
    """Note on files that held something else than was written; none without any."""
    note = f"damaged files in the folder of cache= were put aside, and their rows made anew: {', '.join(damaged)}"
    return [note] if damaged else []


class RowStore:
    """A folder of representations of one data set and one model; created if it does not exist.

    `data` is the fingerprint of inputs and labels, `model` the digest of the model as passed, its training and the
    seed, if any. `patience` is how many seconds another writer of the same rows is waited for. Raises `StorageError` if
    the folder holds anything else, or cannot be written.
    """

    def __init__(self, folder: str | Path, data: str, model: str | None, patience: float = folders.PATIENCE) -> None:
        self.folder, self._data, self._model, self._patience = Path(folder), data, model, patience
        self._used: list[OnDisk] = []
        self._without: list[str] = []
        manifest, self._aside = KIND.renew(self.folder, {"data": data}, (STREAM, EMBEDDING))
        if manifest.get("data") != data:
            raise StorageError(
                f"representations of another data set at {folder}: fingerprint {manifest.get('data')}",
                f"fingerprint {data}",
                ["pass cache='another folder'", "pass the data set that it was begun with"],
            )
        elif model is not None:
            self._check_model()

    def _check_model(self) -> None:
        for path in sorted(self.folder.glob("*.json")):
            try:
                model = folders.read(path).get("model")
            except folders.DamagedError:
                continue  # Whoever asks for its rows puts it aside.
            if model not in (None, self._model):
                raise StorageError(
                    f"representations of another model, recipe or seed at {self.folder}: fingerprint {model}",
                    f"fingerprint {self._model}",
                    ["pass cache='another folder'", "pass the model that it was begun with"],
                )

    def keeper(self, space: str, n: int, of: Mapping[str, Any], weights: str | None) -> Keep:
        """Return where the parts of a representation of `n` rows go.

        `of` is what else distinguishes it: layer, epoch, loss. `weights` is the digest of the model's weights as they
        are read, None for inputs: rows of other weights, which the same model may come to on a device whose sums have
        no fixed order, are computed anew.
        """
        model = self._model if weights is not None else None
        digest = fingerprint_of(dict(of))[:12]

        def keep(part: str) -> Kept:
            name = space if part == "rows" and not of else f"{space}-{part}-{digest}"
            of_model = {"model": model, "weights": weights}
            with without_room(self._without):
                self._used.append(OnDisk(self.folder / name, n, of_model, patience=self._patience, spills=True))
                return self._used[-1]
            return InMemory(n)

        return keep

    def check_unchanged(self) -> None:
        """Raise `StorageError` if a file was written to since its rows were handed out."""
        for rows in self._used:
            rows.check_unchanged()

    def close(self) -> None:
        """Let go of the files, for others to write; what is complete stays."""
        for rows in self._used:
            rows.close()

    @property
    def notes(self) -> list[str]:
        """Notes for a reader of an audit: what could not be kept, and what had to be made anew."""
        full = [rows.full for rows in self._used if rows.full]
        return [*dict.fromkeys(self._without), *held_in_memory(full), *made_anew(self._damaged)]

    @property
    def _damaged(self) -> list[str]:
        return [*self._aside, *(name for rows in self._used for name in rows.damaged)]

    def describe(self) -> dict[str, Any]:
        """Record for an audit: every file, its bytes, and the row from which this call wrote it; those put aside."""
        used = {
            rows.path.name: {"bytes": rows.path.stat().st_size if rows.done else 0, "made_from_row": rows.begun}
            for rows in self._used
        }
        damaged = self._damaged
        return {"folder": str(self.folder), "files": used, **({"damaged": damaged} if damaged else {})}


class OnDisk:
    """Rows [n, d] in the file `stem`.npy, `block` bytes at a time; those of anything but `belongs` are made anew.

    `damaged` files, which do not hold what was written, are put aside under those names. A full disk is an error,
    unless rows may `spill`: then all are in memory from there on, and `full` says why. Raises `StorageError` if another
    process or thread is writing the file.
    """

    def __init__(
        self,
        stem: Path,
        n: int,
        belongs: Mapping[str, Any],
        block: int | None = None,
        patience: float = folders.PATIENCE,
        spills: bool = False,
    ) -> None:
        self._spills, self._memory = spills, InMemory(n)
        self.full = ""
        self._block = BLOCK if block is None else block
        self.path, self._about = stem.with_name(stem.name + ".npy"), stem.with_name(stem.name + ".json")
        self._n, self._belongs = n, dict(belongs)
        self._blocks: list[tuple[int, str]] = []
        self._shape: tuple[int, str] | None = None
        self._waiting: list[AnyArray] = []
        self._seen: tuple[int, ...] | None = None
        self.damaged: list[str] = []
        self._lock = folders.lock(self.path, patience)
        try:
            self._resume()
        except BaseException:
            self.close()
            raise
        self.begun = self.done

    def _resume(self) -> None:
        """Take up the rows that are there, if they are these."""
        for path in (self.path, self._about):
            folders.refuse_link(path)
        if not self._about.exists():
            return
        try:
            described = folders.read(self._about)
            if {key: described.get(key) for key in (*self._belongs, "rows")} == {**self._belongs, "rows": self._n}:
                self._shape, blocks = self._described(described)
                self._verify(blocks)
                self._blocks = blocks
        except folders.DamagedError:
            self._shape = None
            there = [path for path in (self._about, self.path) if path.exists()]
            self.damaged = [folders.put_aside(path).name for path in there]

    def close(self) -> None:
        """Let go of the file."""
        self._lock.close()

    @property
    def done(self) -> int:
        """Rows that are on the disk, checked."""
        return self._blocks[-1][0] if self._blocks else 0

    def _described(self, described: Mapping[str, Any]) -> tuple[tuple[int, str], list[tuple[int, str]]]:
        """Features and type, and the blocks, as `_write` describes them."""
        parts: list[Any] = [described.get(name) for name in ("features", "dtype", "blocks")]
        features, kind, blocks = parts
        good = type(features) is int and features >= 0 and isinstance(kind, str) and isinstance(blocks, list)
        if good:
            try:
                good = not np.dtype(kind).hasobject
            except TypeError:
                good = False
        last = 0
        for block in blocks if good else ():
            good = good and isinstance(block, list) and [type(part) for part in block] == [int, str]
            good = good and last < block[0] <= self._n
            last = block[0] if good else last
        if not good:
            raise folders.damaged(self._about)
        return (features, kind), [(end, digest) for end, digest in blocks]

    def _layout(self) -> tuple[bytes, int]:
        """Header, and bytes of a row."""
        assert self._shape is not None
        features, kind = self._shape
        return digests.npy_header((self._n, features), kind), features * np.dtype(kind).itemsize

    def _verify(self, blocks: Sequence[tuple[int, str]]) -> None:
        """Raise unless the file holds some blocks."""
        header, size = self._layout()
        ends = [len(header) + end * size for end, _ in blocks]
        if not self.path.exists():
            raise folders.damaged(self.path)
        with folders.explained(self.path), folders.opened(self.path) as file:
            there = os.fstat(file.fileno()).st_size
            # Beyond the last of several blocks may lie what a crash left, beyond the last row nothing.
            whole = bool(blocks) and blocks[-1][0] == self._n
            good = bool(blocks) and (there == ends[-1] if whole else there >= ends[-1])
            if good:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                with content, memoryview(content) as view:
                    starts = [len(header), *ends[:-1]]
                    good = view[: len(header)] == header and all(
                        digests.digest(view[start:end]) == digest
                        for start, end, (_, digest) in zip(starts, ends, blocks, strict=True)
                    )
        if not good:
            raise folders.damaged(self.path)

    def put(self, first: int, values: AnyArray) -> None:
        """As `Kept.put`; complete blocks stay if rows cannot be written, a `StorageError` unless they may spill."""
        if self.full:
            self._memory.put(first, values)
            return
        there = self.done + sum(map(len, self._waiting))
        values = np.ascontiguousarray(values[max(0, there - first) :])
        if not len(values):
            return
        shape = (int(values.shape[1]), str(np.lib.format.dtype_to_descr(values.dtype)))
        assert first <= there
        assert self._shape in (None, shape)
        self._shape = shape
        self._waiting.append(values)
        if sum(part.nbytes for part in self._waiting) >= self._block:
            self._write_or_spill()

    def cut(self, rows: int) -> None:
        """Forget what lies beyond a number of rows, the end of a block."""
        self._blocks = [block for block in self._blocks if block[0] <= rows]
        self.begun = self.done

    def _write_or_spill(self) -> None:
        try:
            self._write()
        except StorageError as error:
            if not (self._spills and _has_no_room(error)):
                raise
            self._make_room()
            try:
                self.spill(error.arrived)
            except MemoryError:
                raise error from None

    def _make_room(self) -> None:
        """Remove what was written of a block that is not complete."""
        with suppress(OSError):
            if self._blocks:
                header, size = self._layout()
                os.truncate(self.path, len(header) + self.done * size)
            else:
                self.path.unlink(missing_ok=True)

    def spill(self, why: str) -> None:
        """Hold all rows in memory from now on; complete blocks stay where they are, for another call."""
        if self.full:
            return
        done = self.done
        if done:
            with folders.explained(self.path):
                self._memory.put(0, self.there())
        for part in self._waiting:
            self._memory.put(done, part)
            done += len(part)
        self._waiting, self.full = [], why

    def _write(self) -> None:
        content = np.concatenate(self._waiting)
        header, size = self._layout()
        with folders.explained(self.path):
            if not self._blocks:
                # Another file: who has mapped the one that is there reads on.
                for path in (self._about, self.path):
                    path.unlink(missing_ok=True)
        with folders.explained(self.path), folders.opened(self.path, "r+b" if self._blocks else "xb") as file:
            if not self._blocks:
                file.write(header)
            end = len(header) + self.done * size
            # What a crash left beyond the last complete block is none.
            file.truncate(end)
            file.seek(end)
            file.write(content.data)
            file.flush()
            os.fsync(file.fileno())
        self._blocks.append((self.done + len(content), digests.digest(content.data)))
        self._waiting = []
        features, kind = self._shape or (0, "")
        described = {"rows": self._n, "features": features, "dtype": kind, "blocks": self._blocks}
        folders.replace(self._about, {**self._belongs, **described})

    def there(self) -> AnyArray:
        """Rows that are on the disk, [done, d], memory-mapped, read-only; none may be written meanwhile."""
        header, size = self._layout()
        features, kind = self._shape or (0, "")
        content = np.memmap(self.path, np.uint8, "r", len(header), (self.done * size,))
        rows: AnyArray = content.view(kind).reshape(self.done, features)
        return rows

    def whole(self) -> AnyArray:
        """All rows [n, d], memory-mapped, read-only; in memory where they spilled."""
        if self._waiting:
            self._write_or_spill()
        if self.full:
            self.close()
            return self._memory.whole()
        assert self.done == self._n
        self.close()
        self._seen = self._state()
        rows: AnyArray = np.load(self.path, mmap_mode="r")
        return rows

    def _state(self) -> tuple[int, ...]:
        stat = self.path.stat()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def check_unchanged(self) -> None:
        """As `RowStore.check_unchanged`."""
        if self._seen is not None and self._state() != self._seen:
            raise StorageError(
                f"{self.path}, which was changed while its rows were read",
                "rows that nothing else changes",
                f"remove it and {self._about.name}, and run again",
            )
