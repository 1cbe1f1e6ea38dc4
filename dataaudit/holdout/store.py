"""Records in a folder, local or on an object store, that several processes may write at once.

    holdout.json                             what the records belong to
    ratio-0.700000/000017-<checksum>.npz     one run each

A file appears whole or not at all, and its name holds its checksum: nothing is locked, two writers of one run leave
equal files or two good ones (the first by name counts), and a damaged file is seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataaudit.common import folders
from dataaudit.errors import StorageError
from dataaudit.holdout.plan import Run
from dataaudit.holdout.records import Record

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
            if KIND.manifest not in inside:
                KIND.refuse_strangers(self.url, inside)
                self._put(KIND.manifest, folders.encoded(KIND.describe(belongs)), new=True)
                # Another process that began the same folder at the same time may have been first.
                files.invalidate_cache()
            content = files.cat_file(f"{root}/{KIND.manifest}")
        manifest = KIND.check(folders.decoded(content, f"{self.url}/{KIND.manifest}"), self.url)
        for part in ("data", "recipe", "plan"):
            if manifest.get(part) != belongs[part]:
                about = (described.get("about", {}).get(part, {}) for described in (manifest, belongs))
                differs = folders.difference(*about)
                detail = "{}: {!r} there, {!r} here".format(*differs) if differs else "of the same description"
                raise StorageError(
                    f"a store of another {'data set' if part == 'data' else part} at {self.url}: fingerprint "
                    f"{manifest.get(part)}, {detail}",
                    f"fingerprint {belongs[part]}",
                    "name another folder, or pass what that store was begun with",
                )

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
                    folders.sweep(Path(root, folder))
                for path in sorted(files.ls(f"{root}/{folder}", detail=False)):
                    name = path.rsplit("/", 1)[-1]
                    match = _FILE.fullmatch(name)
                    if match and Run(ratio, int(match[1])) in requested:
                        there.setdefault(Run(ratio, int(match[1])), []).append(f"{folder}/{name}")
        return there

    def read(self, name: str) -> Record:
        """Record in the file `name`; a `DamagedRecordError` if it is not what was written."""
        with self._explained(f"the record {name}"):
            files, root = self._files
            content: bytes = files.cat_file(f"{root}/{name}")
        known, checksum = name.rsplit("-", 1)[-1].removesuffix(".npz"), folders.digest(content)
        if checksum != known:
            raise DamagedRecordError(
                f"{name} with {len(content)} bytes and checksum {checksum}", f"checksum {known}", "make it again"
            )
        try:
            return Record.from_bytes(content, name)
        except StorageError as error:
            raise DamagedRecordError(error.arrived, error.expected, error.action) from error

    def write(self, record: Record) -> None:
        """Put a record into the folder, whole or not at all."""
        content = record.to_bytes()
        with self._explained():
            self._put(f"{_folder(record.run.ratio)}/{record.run.number:06d}-{folders.digest(content)}.npz", content)

    def remove(self, name: str) -> None:
        """Take a damaged record away, if another process has not done so."""
        with self._explained(), suppress(FileNotFoundError):
            files, root = self._files
            files.rm_file(f"{root}/{name}")

    def _put(self, name: str, content: bytes, new: bool = False) -> None:
        """Write a file; a `new` one only where there is none, as far as the file system can tell."""
        files, root = self._files
        if not _local(files):
            files.pipe_file(f"{root}/{name}", content)  # An object store shows a file when it is complete.
            return
        target = Path(root, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        folders.put(target, content, new=new)


def _folder(ratio: float) -> str:
    return f"ratio-{ratio:.6f}"


def _local(files: Any) -> bool:
    return "file" in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)
