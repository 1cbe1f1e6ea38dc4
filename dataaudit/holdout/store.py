"""Records in a folder, local or on an object store, that several processes may write at once.

    holdout.json                             what the records belong to
    ratio-0.700000/000017-<checksum>.npz     one run each

A file appears whole or not at all, and its name holds its checksum: nothing is locked, two writers of one run leave
equal files or two good ones (the first by name counts), and a damaged file is seen.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataaudit.common import digests, folders
from dataaudit.common.claims import Claims
from dataaudit.errors import StorageError
from dataaudit.holdout.plan import Run
from dataaudit.holdout.records import Record, most_bytes

_FILE = re.compile(r"(\d{6,})-([0-9a-f]{32})\.npz")
KIND = folders.FolderKind(
    "dataaudit holdout", 2, "holdout.json", "a store of holdout runs", rf"ratio-\d\.\d{{6}}/{_FILE.pattern}"
)


class DamagedRecordError(StorageError):
    """Damaged or foreign file of a store."""


@dataclass(frozen=True)
class Store:
    """Folder of records, by a path or a URL that fsspec understands ("s3://bucket/folder"), with its `options`."""

    url: str
    options: Mapping[str, Any] | None = None

    @property
    def _files(self) -> tuple[Any, str]:
        import fsspec

        files, root = fsspec.core.url_to_fs(self.url, **(self.options or {}))
        return files, root

    def _explained(self, what: str = "") -> AbstractContextManager[None]:
        """Any error as `StorageError`: object stores raise those of their own libraries."""
        return folders.explained(what or f"the store {self.url}", Exception)

    def open(self, belongs: Mapping[str, Any]) -> None:
        """Make the folder, or raise `StorageError` unless its records are those of this plan, data set and recipe.

        `belongs` holds JSON values: fingerprints as "plan", "data" and "recipe", and what they stand for as "about".
        """
        with self._explained():
            files, root = self._files
            files.invalidate_cache()
            inside = [path.rsplit("/", 1)[-1] for path in files.ls(root, detail=False)] if files.exists(root) else []
            # Looked for after the others: it is there before any of them is.
            if not files.exists(f"{root}/{KIND.manifest}"):
                KIND.refuse_strangers(self.url, inside)
                self._put(KIND.manifest, folders.encoded(KIND.describe(belongs)), new=True)
                # Another process that began the same folder at the same time may have been first.
                files.invalidate_cache()
            content = self._content(KIND.manifest, folders.LARGEST)
        name = f"{self.url}/{KIND.manifest}"
        manifest = KIND.check(folders.decoded(content, name), self.url)
        claims = Claims(name)
        claims.entries("entries", manifest, "format", "version", *belongs)
        claims.entries("about", manifest["about"])
        for part in ("data", "recipe", "plan"):
            if manifest[part] != belongs[part]:
                about = (described["about"].get(part, {}) for described in (manifest, belongs))
                differs = digests.difference(*about)
                detail = "{}: {!r} there, {!r} here".format(*differs) if differs else "of the same description"
                raise StorageError(
                    f"a store of another {'data set' if part == 'data' else part} at {self.url}: fingerprint "
                    f"{manifest[part]}, {detail}",
                    f"fingerprint {belongs[part]}",
                    "name another folder, or pass what that store was begun with",
                )

    def try_writing(self) -> None:
        """Write a small file and remove it; raises `StorageError` if that fails, before hours of work."""
        with self._explained():
            files, root = self._files
            if _local(files):
                folders.try_writing(Path(root))
                return
            probe = f"{root}/probe.{uuid.uuid4().hex}.partial"
            files.pipe_file(probe, b"\0")
            files.rm_file(probe)

    def runs(self, wanted: Sequence[Run]) -> dict[Run, list[str]]:
        """Names of the files that are there for each of `wanted`."""
        requested = set(wanted)
        there: dict[Run, list[str]] = {}
        with self._explained():
            files, root = self._files
            files.invalidate_cache()
            for ratio in sorted({run.ratio for run in wanted}):
                folder = _folder(ratio)
                if not files.exists(f"{root}/{folder}"):
                    continue
                if _local(files):
                    folders.refuse_link(Path(root, folder))
                    folders.sweep(Path(root, folder))
                for path in sorted(files.ls(f"{root}/{folder}", detail=False)):
                    name = path.rsplit("/", 1)[-1]
                    match = _FILE.fullmatch(name)
                    if match and Run(ratio, int(match[1])) in requested:
                        there.setdefault(Run(ratio, int(match[1])), []).append(f"{folder}/{name}")
        return there

    def read(self, name: str, units: int) -> Record | None:
        """Record of so many units in the file `name`; None if another process has put it aside.

        Raises `DamagedRecordError` if it is not what was written, or cannot have been.
        """
        most = most_bytes(units)
        try:
            with self._explained(f"the record {name}"):
                content = self._content(name, most)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        known, checksum = name.rsplit("-", 1)[-1].removesuffix(".npz"), digests.digest(content)
        if checksum != known:
            raise DamagedRecordError(
                f"{name} with {len(content)} bytes and checksum {checksum}", f"checksum {known}", "make it again"
            )
        try:
            return Record.from_bytes(content, name, units)
        except StorageError as error:
            raise DamagedRecordError(error.arrived, error.expected, error.action) from error

    def write(self, record: Record) -> None:
        """Put a record into the folder, whole or not at all."""
        content = record.to_bytes()
        with self._explained():
            self._put(f"{_folder(record.run.ratio)}/{record.run.number:06d}-{digests.digest(content)}.npz", content)

    def put_aside(self, name: str) -> None:
        """Rename a damaged record, for another to be made, if another process has not done so."""
        aside = f"{name}.{uuid.uuid4().hex}.damaged"
        with self._explained(), suppress(FileNotFoundError):
            files, root = self._files
            if _local(files):
                Path(root, name).rename(Path(root, aside))
            else:
                files.mv(f"{root}/{name}", f"{root}/{aside}")

    def _content(self, name: str, most: int) -> bytes:
        """Content of a file; a `DamagedRecordError` if it has more than `most` bytes, or is a link, or no file."""
        files, root = self._files
        path = Path(root, name)
        if _local(files) and (path.is_symlink() or path.is_dir() or path.stat().st_size > most):
            raise DamagedRecordError(
                f"{path}, a link, a folder or a file of more than {most} bytes", "a file", "remove it"
            )
        content: bytes = folders.content_of(path) if _local(files) else files.cat_file(f"{root}/{name}", end=most + 1)
        if len(content) > most:
            raise DamagedRecordError(f"{name} of more than {most} bytes", "fewer", "remove it")
        return content

    def _put(self, name: str, content: bytes, new: bool = False) -> None:
        """Write a file; a `new` one only where there is none, as far as the file system can tell."""
        files, root = self._files
        if not _local(files):
            files.pipe_file(f"{root}/{name}", content)  # An object store shows a file when it is complete.
            return
        target = Path(root, name)
        Path(root).mkdir(parents=True, exist_ok=True)
        if target.parent != Path(root):
            folders.inner(target.parent)
        folders.put(target, content, new=new)


def _folder(ratio: float) -> str:
    return f"ratio-{ratio:.6f}"


def _local(files: Any) -> bool:
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)
