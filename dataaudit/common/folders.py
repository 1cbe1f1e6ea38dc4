"""Folders that results are kept in: manifests, whole files, locks, digests and memory maps.

Every kind of folder has a manifest with its format and version, which is refused where either is another. A file
appears whole or not at all: it is written under another name, brought to the disk and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray
from dataaudit.errors import StorageError

STALE = 3600.0
"""Seconds after which a half-written file has no writer any more."""


@dataclass(frozen=True)
class FolderKind:
    """Kind of a folder: entries and file name of its manifest, and what it holds in words ("one of block sums")."""

    format: str
    version: int
    manifest: str
    holds: str

    def open(self, folder: Path, ours: Collection[str] = ()) -> dict[str, Any] | None:
        """Make a folder, or see that it is of this kind and without strangers to `ours`; its manifest, None if new."""
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            inside = sorted(path.name for path in folder.iterdir())
        if self.manifest not in inside:
            self.refuse_strangers(folder, (name for name in inside if name not in ours))
            return None
        manifest = self.read(folder)
        sweep(folder)
        return manifest

    def refuse_strangers(self, folder: object, names: Iterable[str]) -> None:
        """Raise `StorageError` if names in a folder are neither locks nor half-written files."""
        for name in names:
            if not name.endswith((".lock", ".partial")):
                raise StorageError(
                    f"the folder {folder} with {name!r} in it",
                    f"an empty folder, a new one, or {self.holds}",
                    "name another folder",
                )

    def read(self, folder: Path) -> dict[str, Any]:
        """Manifest of a local folder, as by `check`."""
        return self.check(read(folder / self.manifest), folder)

    def check(self, manifest: dict[str, Any], folder: object) -> dict[str, Any]:
        """Manifest as it is, or a `StorageError` if it is of another kind or version."""
        kind = (manifest.get("format"), manifest.get("version"))
        if kind != (self.format, self.version):
            raise StorageError(
                f"a folder of format {kind!r} at {folder}",
                f"format {(self.format, self.version)!r}",
                "use the version of dataaudit that wrote it, or name another folder",
            )
        return manifest

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


def decoded(content: bytes, name: object) -> dict[str, Any]:
    """JSON object in a file's content, empty if it is another value; raises `StorageError` if it is no JSON."""
    try:
        fields = json.loads(content)
    except ValueError as error:
        raise StorageError(
            f"{name}, which is not JSON ({error})", "an undamaged description", "name another folder"
        ) from error
    return fields if isinstance(fields, dict) else {}


def read(path: Path) -> dict[str, Any]:
    """JSON object in a file; raises `StorageError` if it cannot be read."""
    with explained(path):
        content = path.read_bytes()
    return decoded(content, path)


def encoded(fields: Mapping[str, Any]) -> bytes:
    """JSON of a description."""
    return json.dumps(fields, indent=1).encode()


def replace(path: Path, fields: Mapping[str, Any]) -> None:
    """Write a description, whole or not at all; raises `StorageError` if it cannot be written."""
    put(path, encoded(fields))


def put(path: Path, *contents: Any, new: bool = False) -> None:
    """Write buffers to a file, whole or not at all, to the disk; a `new` one only where there is none."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines(contents)
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


def sweep(folder: Path, age: float = STALE) -> None:
    """Remove what killed writers left half written, if it is `age` seconds old; 0 where a lock keeps others out."""
    for path in folder.glob("*.partial"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime >= age:
                path.unlink()


def lock(path: Path) -> ExitStack:
    """Hold a file for this process until the stack is closed or the process ends; ``<path>.lock`` stays behind."""
    from filelock import FileLock, Timeout

    held = FileLock(f"{path}.lock", thread_local=False)
    try:
        held.acquire(timeout=0)
    except Timeout as error:
        raise StorageError(
            f"{path}, which another process is writing", "one process at a time", "wait for it to end"
        ) from error
    except OSError as error:
        raise unwritable(path, error) from error
    stack = ExitStack()
    stack.callback(held.release)
    return stack


def digest(content: Any) -> str:
    """BLAKE2b digest of bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def difference(there: Any, here: Any) -> tuple[str, Any, Any] | None:
    """First entry, "outer.inner", in which two descriptions differ, and its values there and here; None if equal."""
    one, other = _flat(there), _flat(json.loads(json.dumps(here)))
    names = (name for name in sorted({*one, *other}) if one.get(name) != other.get(name))
    return next(((name, one.get(name), other.get(name)) for name in names), None)


def _flat(fields: Any, path: str = "") -> dict[str, Any]:
    """Nested fields as one level: {"recipe.epochs": 5}."""
    if not isinstance(fields, Mapping):
        return {path or "value": fields}
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        flat |= _flat(value, f"{path}.{name}" if path else str(name))
    return flat


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    """Header of an .npy file of a C-contiguous array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


@dataclass(frozen=True)
class MappedFile:
    """Memory-mapped array, or a view of one, by the absolute path of its file: other processes get it, and no copy.

    `start` is the byte of the file where the array begins.
    """

    path: str
    dtype: Any
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, inputs: Any) -> MappedFile | None:
        """File of an array that is mapped from one; None for others, and for copies that are written on."""
        root = inputs
        while isinstance(root, np.ndarray) and not (isinstance(root, np.memmap) and isinstance(root.base, mmap)):
            root = root.base
        if not isinstance(root, np.memmap) or root.filename is None or root.mode not in ("r", "r+", "w+"):
            return None
        root.flush()
        first, begin = (array.__array_interface__["data"][0] for array in (inputs, root))
        path = str(Path(root.filename).absolute())
        return cls(path, inputs.dtype, root.offset + first - begin, inputs.shape, inputs.strides)

    def open(self) -> AnyArray:
        """Map the array, read-only."""
        whole = np.memmap(self.path, np.uint8, "r")
        return np.ndarray(self.shape, self.dtype, whole, self.start, self.strides)

    def stamp(self) -> tuple[int, int]:
        """Bytes of the file, and when it was last written to, in nanoseconds."""
        stat = Path(self.path).stat()
        return stat.st_size, stat.st_mtime_ns
