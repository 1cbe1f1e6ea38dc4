"""Folders that results are kept in: manifests, whole files, locks and digests.

Every kind of folder has a manifest with its format and version, which is refused where either is another, and a
checksum of what it says. A file appears whole or not at all: it is written under another name, brought to the disk and
renamed. Links are nobody's files: none is read, written or removed through.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from dataaudit.common.digests import digest, digest_of_bytes
from dataaudit.common.types import AnyArray
from dataaudit.errors import StorageError

STALE = 3600.0
"""Seconds after which a half-written file has no writer any more."""
LARGEST = 2**28
"""Bytes of the largest description that is read."""
PATIENCE = 10.0
"""Seconds to wait for another writer who needs a moment only."""
SEAL = "blake2b"
"""Entry of a description with the checksum of all others."""
PARTIAL = re.compile(r".+\.[0-9a-f]{32}\.partial")
_BESIDE = re.compile(r".+\.lock|.+\.[0-9a-f]{32}\.(partial|damaged)")


class DamagedError(StorageError):
    """A file holds something else than was written there."""


KINDS: dict[str, FolderKind | FileKind] = {}
"""Kinds of all that is read back, by name; each is in it once its module is imported."""


@dataclass(frozen=True)
class FileKind:
    """Kind of files that stand by themselves, with format, version and checksum in a foot: readers of zip skip it.

    `files` matches their names: a regular expression.
    """

    format: str
    version: int
    files: str

    def __post_init__(self) -> None:
        KINDS[self.format.removeprefix("dataaudit ")] = self

    def foot(self, content: AnyArray) -> bytes:
        """What is written behind some bytes, uint8 [b], to seal them."""
        about = f"{self.format} {self.version}"
        return f"\n{about} {digest(f'{about} {digest_of_bytes(content)}'.encode())}".encode()

    def unsealed(self, file: AnyArray, name: object) -> AnyArray:
        """Bytes before the foot, not copied; raises `StorageError` if damaged, or of another kind or version."""
        _, _, foot = file[-200:].tobytes().rpartition(b"\n")
        content = file[: max(0, len(file) - len(foot) - 1)]
        about, _, seal = foot.rpartition(b" ")
        if seal != digest(about + f" {digest_of_bytes(content)}".encode()).encode():
            raise damaged(name)
        if about != f"{self.format} {self.version}".encode():
            raise StorageError(
                f"{name}, which ends with {about!r}",
                f"a file of {self.format!r}, version {self.version}",
                "use the version of dataaudit that wrote it, or name another file",
            )
        return content


@dataclass(frozen=True)
class FolderKind:
    """Kind of a folder: entries and file name of its manifest, and what it holds in words ("one of block sums").

    `files` matches the paths in it of all other files that are read back: a regular expression.
    """

    format: str
    version: int
    manifest: str
    holds: str
    files: str

    def __post_init__(self) -> None:
        KINDS[self.format.removeprefix("dataaudit ")] = self

    def open(self, folder: Path, ours: Collection[str] = ()) -> dict[str, Any] | None:
        """Make a folder, or see that it is of this kind and without strangers to `ours`; its manifest, None if new."""
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            inside = sorted(path.name for path in folder.iterdir())
        # Looked for after the others: it is there before any of them is.
        if not os.path.lexists(folder / self.manifest):
            self.refuse_strangers(folder, (name for name in inside if name not in ours))
            try_writing(folder)
            return None
        manifest = self.read(folder)
        try_writing(folder)
        sweep(folder)
        return manifest

    def begin(self, folder: Path, fields: Mapping[str, Any], ours: Collection[str] = ()) -> dict[str, Any]:
        """Manifest of a folder, made of `fields` where there is none; another process may have been first."""
        manifest = self.open(folder, ours)
        if manifest is None:
            with lock(folder / self.manifest, PATIENCE):
                if not os.path.lexists(folder / self.manifest):
                    self.write(folder, fields)
            manifest = self.read(folder)
        return manifest

    def renew(
        self, folder: Path, fields: Mapping[str, Any], ours: Collection[str] = ()
    ) -> tuple[dict[str, Any], list[str]]:
        """As `begin`, and names under which a damaged manifest was put aside, with what cannot be told to belong."""
        try:
            return self.begin(folder, fields, ours), []
        except DamagedError:
            with lock(folder / self.manifest, PATIENCE):
                aside = self._put_aside(folder)
        return self.begin(folder, fields, ours), aside

    def _put_aside(self, folder: Path) -> list[str]:
        try:
            if os.path.lexists(folder / self.manifest):
                self.read(folder)
            return []
        except DamagedError:
            with explained(folder):
                inside = [path for path in sorted(folder.iterdir()) if re.fullmatch(self.files, path.name)]
            # The manifest last: until then the next call does the same.
            return [put_aside(path).name for path in (*inside, folder / self.manifest)]

    def refuse_strangers(self, folder: object, names: Iterable[str]) -> None:
        """Raise `StorageError` if names in a folder are neither locks nor half-written or damaged files."""
        for name in names:
            if not _BESIDE.fullmatch(name):
                raise StorageError(
                    f"the folder {folder} with {name!r} in it",
                    f"an empty folder, a new one, or {self.holds}",
                    "name another folder",
                )

    def read(self, folder: Path) -> dict[str, Any]:
        """Manifest of a local folder, as by `check`."""
        path = folder / self.manifest
        return self.check(decoded(content_of(path, LARGEST), path), folder)

    def check(self, manifest: dict[str, Any], folder: object) -> dict[str, Any]:
        """Manifest without its checksum, or a `StorageError` if it is damaged, or of another kind or version."""
        held = unsealed(manifest, f"{folder}/{self.manifest}")
        kind = (manifest.get("format"), manifest.get("version"))
        if kind != (self.format, self.version):
            raise StorageError(
                f"a folder of format {kind!r} at {folder}",
                f"format {(self.format, self.version)!r}",
                "use the version of dataaudit that wrote it, or name another folder",
            )
        return held

    def describe(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Manifest of some fields."""
        return {"format": self.format, "version": self.version, **fields}

    def write(self, folder: Path, fields: Mapping[str, Any]) -> None:
        """Write the manifest of a local folder."""
        replace(folder / self.manifest, self.describe(fields))


def unwritable(
    what: object,
    error: Exception,
    expected: str = "a folder that can be read and written, with room",
    action: str = "check the path, its permissions and the disk; what is complete is kept, and the next call goes on "
    "from it",
) -> StorageError:
    """Error of a file system in three parts."""
    return StorageError(f"{what} ({type(error).__name__}: {error})", expected, action)


@contextmanager
def explained(what: object, errors: Any = OSError, **parts: str) -> Iterator[None]:
    """Raise errors of a file system as `StorageError`; `parts` as in `unwritable`."""
    try:
        yield
    except StorageError:
        raise
    except errors as error:
        raise unwritable(what, error, **parts) from error


def damaged(name: object) -> DamagedError:
    """Error of a file with another checksum than its own."""
    return DamagedError(
        f"{name}, which is damaged: its checksum is another",
        "what was written there",
        "restore it from a copy, or name another folder",
    )


def decoded(content: bytes, name: object) -> dict[str, Any]:
    """JSON object in a file's content, empty if it is another value; raises `StorageError` if it is no JSON."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError, MemoryError) as error:
        raise DamagedError(
            f"{name}, which is not JSON ({error})", "an undamaged description", "name another folder"
        ) from error
    return fields if isinstance(fields, dict) else {}


def unsealed(fields: dict[str, Any], name: object) -> dict[str, Any]:
    """Description without its checksum; raises `StorageError` if it is not that of the rest."""
    held = dict(fields)
    seal = held.pop(SEAL, None)
    try:
        good = seal == _checksum(held)
    except (ValueError, RecursionError):
        good = False
    if not good:
        raise damaged(name)
    return held


def _checksum(fields: Mapping[str, Any]) -> str:
    """Digest of JSON values, however they are laid out."""
    return digest(json.dumps(fields, sort_keys=True, allow_nan=False).encode())


def read(path: Path) -> dict[str, Any]:
    """Description in a file; raises `StorageError` if it cannot be read or is damaged."""
    return unsealed(decoded(content_of(path, LARGEST), path), path)


def encoded(fields: Mapping[str, Any]) -> bytes:
    """JSON of a description, with its checksum."""
    # As it is read back: names are texts, tuples lists.
    plain = json.loads(json.dumps(fields))
    return json.dumps({**plain, SEAL: _checksum(plain)}, indent=1).encode()


def replace(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a description, whole or not at all; raises `StorageError` if it cannot be written."""
    put(path, encoded(fields))


def refuse_link(path: Path) -> None:
    """Raise `StorageError` if there is a link at `path`."""
    if path.is_symlink():
        raise StorageError(
            f"{path}, a link to {os.readlink(path)}",
            "files and folders of its own in a folder of ours",
            "remove the link, or put what it points to in its place",
        )


def inner(folder: Path) -> Path:
    """Folder within one of ours, made where there is none; raises `StorageError` if it is a link or a file."""
    refuse_link(folder)
    with explained(folder):
        folder.mkdir(exist_ok=True)
    return folder


def opened(path: Path, mode: str = "rb") -> IO[bytes]:
    """Open a file of ours, as by `open`; raises `StorageError` if a link or no file lies there, else `OSError`."""
    refuse_link(path)
    with ExitStack() as stack:
        file = stack.enter_context(open(path, mode, opener=_without_links))
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise StorageError(f"{path}, which is no file", "a file", "remove what lies there, or name another folder")
        stack.pop_all()
        return file


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def content_of(path: Path, most: int | None = None) -> bytes:
    """Content of a file of ours; raises `StorageError` if it cannot be read, or has more than `most` bytes."""
    with explained(path, (OSError, MemoryError)), opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise StorageError(f"{path} of {size} bytes", f"at most {most}", "restore a copy, or name another folder")
        return file.read()


def try_writing(folder: Path) -> None:
    """Write a small file to a folder and remove it; raises `StorageError` if that fails, before hours of work."""
    probe = folder / f"probe.{uuid.uuid4().hex}.partial"
    with explained(folder):
        try:
            with probe.open("xb") as file:
                file.write(b"\0" * 4096)
        finally:
            probe.unlink(missing_ok=True)


def put_aside(path: Path) -> Path:
    """Rename a damaged file, for another to be made in its place; its new path."""
    with explained(path):
        return path.rename(path.with_name(f"{path.name}.{uuid.uuid4().hex}.damaged"))


def put(path: Path, *contents: Any, new: bool = False) -> None:
    """Write buffers to a file, whole or not at all, to the disk; a `new` one only where there is none."""
    with writing(path, new) as file:
        file.writelines(contents)


@contextmanager
def writing(path: Path, new: bool = False) -> Iterator[IO[bytes]]:
    """File to write what `put` does; it is put in its place at the end, and gone if that is not reached."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        # Made anew: a link or a file that lies there already is not written through. A link at `path` is replaced.
        with partial.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if new:
            with suppress(FileExistsError):
                os.link(partial, path)
        else:
            partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Bring the names of a folder to the disk, where other files are written or removed because of them."""
    with explained(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some file systems know no such thing.
            if error.errno != errno.EINVAL:
                raise
        finally:
            os.close(descriptor)


def sweep(folder: Path, age: float = STALE, name: str = "") -> None:
    """Remove what killed writers left half written, of the file `name` if given, `age` seconds old; 0 under a lock."""
    for path in folder.glob(f"{name}*.partial"):
        with suppress(OSError):
            if PARTIAL.fullmatch(path.name) and time.time() - path.lstat().st_mtime >= age:
                path.unlink()


def lock(path: Path, wait: float = 0.0) -> ExitStack:
    """Hold a file for this thread's use until the stack is closed or the process ends, by ``<path>.lock`` beside it.

    Other threads and processes are kept out; raises `StorageError` if one of them holds it still after `wait` seconds.
    """
    beside, deadline = path.with_name(f"{path.name}.lock"), time.monotonic() + wait
    with explained(path):
        while True:
            with ExitStack() as stack, suppress(Timeout, FileNotFoundError):
                opened(beside, "ab").close()
                found, held = beside.lstat(), FileLock(beside, thread_local=False)
                stack.callback(held.release)
                held.acquire(blocking=False)
                # Who held it before may have removed it, and another one made it anew: no two files that lie there
                # while one of them is open have one number.
                if os.path.samestat(found, beside.lstat()):
                    stack.callback(_remove, beside)
                    return stack.pop_all()
            if time.monotonic() >= deadline:
                waited = f", for {wait:g} seconds and more" if wait else ""
                raise StorageError(
                    f"{path}, which another process or thread is writing{waited}",
                    "one at a time",
                    "wait for it to end, or name another folder",
                )
            time.sleep(0.02)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
