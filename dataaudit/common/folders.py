"""Files of a folder that calls go on with: descriptions that appear whole or not at all, and one writer at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from dataaudit.errors import StorageError


def unwritable(path: Path, error: OSError) -> StorageError:
    """What to tell of a file system's error."""
    return StorageError(
        f"{path} ({type(error).__name__}: {error})",
        "a folder that can be read and written, with room",
        "check the path, its permissions and the disk; what is complete is kept, and the next call goes on from it",
    )


def read(path: Path) -> dict[str, Any]:
    """JSON of a description.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}, which cannot be read ({error})", "a description", "name another folder") from error
    return found if isinstance(found, dict) else {}


def replace(path: Path, told: Mapping[str, Any]) -> None:
    """Write a description, whole or not at all.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    put(path, json.dumps(told, indent=1).encode())


def put(path: Path, *contents: Any) -> None:
    """Write a file, one part after the other, whole or not at all, to the disk.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.writelines(contents)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def lock(path: Path) -> BinaryIO:
    """The file, held by this process until it is closed or the process ends.

    Raises
    ------
    StorageError
        If another process holds it, or it cannot be made.
    """
    try:
        file = path.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StorageError(
            f"{path}, which another process is writing", "one process at a time", "wait for it to end"
        ) from error
    except OSError as error:
        raise unwritable(path, error) from error
    return file


def digest(content: Any) -> str:
    """BLAKE2b digest of bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
