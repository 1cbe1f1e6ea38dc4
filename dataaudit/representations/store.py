"""Representations in a folder: written once in bounded batches, resumed after a crash, memory-mapped to be read.

    representations.json           which data set the rows are of
    NAME.npy, NAME.json            rows, and how far they are complete, with a digest of every block

Rows are appended by plain writes, so that a full disk is an error and no crash; a block counts when it is on the disk
and its digest in the description beside it, which is replaced whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common import folders
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import AnyArray
from dataaudit.data.derived import STREAM
from dataaudit.errors import StorageError
from dataaudit.representations.keep import Keep

KIND = folders.FolderKind(
    "dataaudit representations", 2, "representations.json", "one of representations", r"[^/]+\.(npy|json)"
)
BLOCK = 32 * 2**20
"""Bytes that are written at a time, and can be lost by a crash."""


class RowStore:
    """A folder of representations of one data set and one model; created if it does not exist.

    `data` is the fingerprint of inputs and labels, `model` the digest of the model as passed, its training and the
    seed, if any. Raises `StorageError` if the folder holds anything else, or cannot be written.
    """

    def __init__(self, folder: str | Path, data: str, model: str | None) -> None:
        self.folder, self._data, self._model = Path(folder), data, model
        self._used: list[OnDisk] = []
        manifest = KIND.begin(self.folder, {"data": data}, (STREAM,))
        if manifest.get("data") != data:
            raise StorageError(
                f"representations of another data set at {folder}: fingerprint {manifest.get('data')}",
                f"fingerprint {data}",
                "name another folder, or pass the data set that it was begun with",
            )
        elif model is not None:
            self._check_model()

    def _check_model(self) -> None:
        for path in sorted(self.folder.glob("*.json")):
            model = folders.read(path).get("model")
            if model not in (None, self._model):
                raise StorageError(
                    f"representations of another model, recipe or seed at {self.folder}: fingerprint {model}",
                    f"fingerprint {self._model}",
                    "name another folder, or pass the model that it was begun with",
                )

    def keeper(self, space: str, n: int, of: Mapping[str, Any], weights: str | None) -> Keep:
        """Return where the parts of a representation of `n` rows go.

        `of` is what else distinguishes it: layer, epoch, loss. `weights` is the digest of the model's weights as they
        are read, None for inputs: rows of other weights, which the same model may come to on a device whose sums have
        no fixed order, are computed anew.
        """
        model = self._model if weights is not None else None
        digest = fingerprint_of(dict(of))[:12]

        def keep(part: str) -> OnDisk:
            name = space if part == "rows" and not of else f"{space}-{part}-{digest}"
            rows = OnDisk(self.folder / name, n, {"model": model, "weights": weights})
            self._used.append(rows)
            return rows

        return keep

    def check_unchanged(self) -> None:
        """Raise `StorageError` if a file was written to since its rows were handed out."""
        for rows in self._used:
            rows.check_unchanged()

    def close(self) -> None:
        """Let go of the files, for others to write; what is complete stays."""
        for rows in self._used:
            rows.close()

    def describe(self) -> dict[str, Any]:
        """Record for an audit: every file, its bytes, and the row from which this call wrote it."""
        used = {rows.path.name: {"bytes": rows.path.stat().st_size, "made_from_row": rows.begun} for rows in self._used}
        return {"folder": str(self.folder), "files": used}


class OnDisk:
    """Rows [n, d] in the file `stem`.npy, appended block by block; rows of anything but `belongs` are computed anew.

    Raises `StorageError` if the file does not hold what was written, or another process is writing it.
    """

    def __init__(self, stem: Path, n: int, belongs: Mapping[str, Any]) -> None:
        self.path, self._about = stem.with_name(stem.name + ".npy"), stem.with_name(stem.name + ".json")
        self._n, self._belongs = n, dict(belongs)
        self._blocks: list[tuple[int, str]] = []
        self._shape: tuple[int, str] | None = None
        self._waiting: list[AnyArray] = []
        self._seen: tuple[int, ...] | None = None
        self._lock = folders.lock(self.path)
        with folders.explained(self.path):
            self.path.open("ab").close()
        if self._about.exists():
            described = folders.read(self._about)
            if {key: described.get(key) for key in (*belongs, "rows")} == {**belongs, "rows": n}:
                self._shape, self._blocks = self._described(described)
                self._verify()
        self.begun = self.done

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
            raise StorageError(
                f"{self._about}, which describes no rows",
                "features, dtype and blocks as they were written there",
                f"remove it and {self.path.name}: its rows are then made again",
            )
        return (features, kind), [(end, digest) for end, digest in blocks]

    def _layout(self) -> tuple[bytes, int]:
        """Header, and bytes of a row."""
        assert self._shape is not None
        features, kind = self._shape
        return folders.npy_header((self._n, features), kind), features * np.dtype(kind).itemsize

    def _verify(self) -> None:
        header, size = self._layout()
        with folders.explained(self.path), self.path.open("rb") as file:
            good = file.read(len(header)) == header
            start = 0
            for end, digest in self._blocks:
                good = good and folders.digest(file.read((end - start) * size)) == digest
                start = end
            # Beyond the last of several blocks may lie what a crash left, beyond the last row nothing.
            good = good and (start < self._n or not file.read(1))
        if not good:
            raise StorageError(
                f"{self.path}, which is not what was written there",
                "rows that nothing else has changed",
                f"remove it and {self._about.name}: its rows are then made again",
            )

    def put(self, first: int, values: AnyArray) -> None:
        """As `Kept.put`; raises `StorageError` if rows cannot be written, and complete blocks are kept."""
        there = self.done + sum(map(len, self._waiting))
        values = np.ascontiguousarray(values[max(0, there - first) :])
        if not len(values):
            return
        shape = (int(values.shape[1]), str(np.lib.format.dtype_to_descr(values.dtype)))
        assert first <= there
        assert self._shape in (None, shape)
        self._shape = shape
        self._waiting.append(values)
        if sum(part.nbytes for part in self._waiting) >= BLOCK:
            self._write()

    def _write(self) -> None:
        content = np.concatenate(self._waiting)
        header, size = self._layout()
        with folders.explained(self.path), self.path.open("r+b") as file:
            if not self._blocks:
                file.truncate(0)
                file.write(header)
            end = len(header) + self.done * size
            # What a crash left beyond the last complete block is none.
            file.truncate(end)
            file.seek(end)
            file.write(content.data)
            file.flush()
            os.fsync(file.fileno())
        self._blocks.append((self.done + len(content), folders.digest(content.data)))
        self._waiting = []
        features, kind = self._shape or (0, "")
        described = {"rows": self._n, "features": features, "dtype": kind, "blocks": self._blocks}
        folders.replace(self._about, {**self._belongs, **described})

    def whole(self) -> AnyArray:
        """All rows [n, d], memory-mapped, read-only."""
        if self._waiting:
            self._write()
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
