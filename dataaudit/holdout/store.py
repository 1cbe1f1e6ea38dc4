"""Records in a folder, local or on an object store, that several processes may write at once.

    holdout.json                             what the records belong to
    ratio-0.700000/000017-<checksum>.npz     one run each

A file appears whole or not at all, and its name holds its checksum: nothing is locked, two writers of one run leave
equal files or two good ones (the first by name counts), and a damaged file is seen.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataaudit.errors import StorageError
from dataaudit.holdout.plan import Run
from dataaudit.holdout.records import Record, digest

MANIFEST = "holdout.json"
FORMAT = "dataaudit holdout"
VERSION = 1
STALE = 3600.0
"""Seconds after which a half-written file has no writer any more."""
_FOLDER = re.compile(r"ratio-(\d\.\d{6})")
_FILE = re.compile(r"(\d{6,})-([0-9a-f]{32})\.npz")


class DamagedRecordError(StorageError):
    """A file of a store that is not what a run left."""


@dataclass(frozen=True)
class Store:
    """A folder of records.

    Parameters
    ----------
    url
        A path, or a URL that fsspec understands ("s3://bucket/folder", "memory://name").
    options
        Passed to the file system.
    """

    url: str
    options: Mapping[str, Any] | None = None

    @property
    def _files(self) -> tuple[Any, str]:
        import fsspec

        found: tuple[Any, str] = fsspec.core.url_to_fs(self.url, **(self.options or {}))
        return found

    def open(self, belongs: Mapping[str, Any]) -> None:
        """Make the folder, or see that its records are those of this plan, data set and recipe.

        Parameters
        ----------
        belongs
            "plan", "data", "recipe": fingerprints, and "about": what they stand for. JSON values.

        Raises
        ------
        StorageError
            If it is another's, of another format, holds other things, or cannot be written.
        """
        with explained(f"the store {self.url}"):
            files, root = self._files
            files.invalidate_cache()
            inside = [path.rsplit("/", 1)[-1] for path in files.ls(root, detail=False)] if files.exists(root) else []
            if MANIFEST in inside:
                return self._recognise(json_of(files.cat_file(f"{root}/{MANIFEST}"), self.url), belongs)
            strangers = [name for name in inside if not name.endswith(".partial")]
            if strangers:
                raise StorageError(
                    f"the folder {self.url} with {strangers[0]!r} in it",
                    "an empty folder, a new one, or a store of holdout runs",
                    "name another folder",
                )
            told = {"format": FORMAT, "version": VERSION, **belongs}
            self._put(MANIFEST, json.dumps(told, indent=1, sort_keys=True).encode(), new=True)
            # Whoever began the same folder at the same time may have been first.
            files.invalidate_cache()
            return self._recognise(json_of(files.cat_file(f"{root}/{MANIFEST}"), self.url), belongs)

    def _recognise(self, manifest: Mapping[str, Any], belongs: Mapping[str, Any]) -> None:
        kind = (manifest.get("format"), manifest.get("version"))
        if kind != (FORMAT, VERSION):
            raise StorageError(
                f"a store of format {kind!r} at {self.url}",
                f"format {(FORMAT, VERSION)!r}",
                "use the version of dataaudit that wrote it, or name another folder",
            )
        for part in ("data", "recipe", "plan"):
            if manifest.get(part) != belongs[part]:
                raise StorageError(
                    f"a store of another {'data set' if part == 'data' else part} at {self.url}: fingerprint "
                    f"{manifest.get(part)}, {_difference(manifest, belongs, part)}",
                    f"fingerprint {belongs[part]}",
                    "name another folder, or pass what that store was begun with",
                )

    def runs(self, wanted: Sequence[Run]) -> dict[Run, list[str]]:
        """Names of the files that are there for each of `wanted`."""
        asked = set(wanted)
        found: dict[Run, list[str]] = {}
        with explained(f"the store {self.url}"):
            files, root = self._files
            files.invalidate_cache()
            for ratio in sorted({run.ratio for run in wanted}):
                folder = _folder(ratio)
                if not files.exists(f"{root}/{folder}"):
                    continue
                for path in sorted(files.ls(f"{root}/{folder}", detail=False)):
                    name = path.rsplit("/", 1)[-1]
                    if name.endswith(".partial"):
                        self._sweep(path)
                    match = _FILE.fullmatch(name)
                    if match and Run(ratio, int(match[1])) in asked:
                        found.setdefault(Run(ratio, int(match[1])), []).append(f"{folder}/{name}")
        return found

    def _sweep(self, path: str) -> None:
        """Take away what a killed writer left half written; a living one takes seconds, not `STALE`."""
        with suppress(FileNotFoundError):
            if time.time() - os.path.getmtime(path) > STALE:
                os.unlink(path)

    def read(self, name: str) -> Record:
        """Record in the file `name`.

        Raises
        ------
        DamagedRecordError
            If it is not what was written.
        StorageError
            If it cannot be read.
        """
        with explained(f"the record {name}"):
            files, root = self._files
            content: bytes = files.cat_file(f"{root}/{name}")
        known = name.rsplit("-", 1)[-1].removesuffix(".npz")
        if digest(content) != known:
            raise DamagedRecordError(
                f"{name} with {len(content)} bytes and checksum {digest(content)}", f"checksum {known}", "make it again"
            )
        try:
            return Record.from_bytes(content, name)
        except StorageError as error:
            raise DamagedRecordError(error.arrived, error.expected, error.action) from error

    def write(self, record: Record) -> None:
        """Put a record into the folder, whole or not at all."""
        content = record.to_bytes()
        with explained(f"the store {self.url}"):
            self._put(f"{_folder(record.run.ratio)}/{record.run.number:06d}-{digest(content)}.npz", content)

    def remove(self, name: str) -> None:
        """Take a damaged record away, if another process has not done so."""
        with explained(f"the store {self.url}"), suppress(FileNotFoundError):
            files, root = self._files
            files.rm_file(f"{root}/{name}")

    def _put(self, name: str, content: bytes, new: bool = False) -> None:
        """Write a file; a `new` one only where there is none, as far as the file system can tell."""
        files, root = self._files
        if "file" not in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol):
            files.pipe_file(f"{root}/{name}", content)  # An object store shows a file when it is complete.
            return
        target = Path(root) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if new:
                with suppress(FileExistsError):
                    os.link(partial, target)
                partial.unlink()
            else:
                os.replace(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _folder(ratio: float) -> str:
    return f"ratio-{ratio:.6f}"


def _difference(manifest: Mapping[str, Any], belongs: Mapping[str, Any], part: str) -> str:
    """'epochs: 5 there, 10 here', where the manifest tells."""
    there, here = (flat(told.get("about", {}).get(part, {})) for told in (manifest, belongs))
    for key in sorted({*there, *here}):
        if there.get(key) != here.get(key):
            return f"{key}: {there.get(key)!r} there, {here.get(key)!r} here"
    return "of the same description"


def flat(told: Any, path: str = "") -> dict[str, Any]:
    """Nested settings as one level: {"recipe.epochs": 5}."""
    if not isinstance(told, Mapping):
        return {path or "value": told}
    found: dict[str, Any] = {}
    for key, value in told.items():
        found |= flat(value, f"{path}.{key}" if path else str(key))
    return found


def json_of(content: bytes, url: str) -> dict[str, Any]:
    """Manifest in `content`."""
    try:
        found = json.loads(content)
    except ValueError as error:
        raise StorageError(
            f"{url}/{MANIFEST}, which is not JSON ({error})", "a manifest", "name another folder"
        ) from error
    return found if isinstance(found, dict) else {}


@contextmanager
def explained(arrived: str) -> Iterator[None]:
    """Errors of file systems as `StorageError`."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:  # Object stores raise errors of their own libraries.
        raise StorageError(
            f"{arrived} ({type(error).__name__}: {error})",
            "a folder that can be read and written, with room",
            "check the path, its permissions and the disk; what is stored is kept, and the next call goes on from it",
        ) from error
