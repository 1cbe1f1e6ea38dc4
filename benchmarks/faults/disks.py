"""Disks without room: a limit on the size of files, and a small file system in memory where it may be mounted.

What was being replaced is the old or the new, and the call after the disk has room gives the result of an undisturbed
one.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.faults.base import Case, Outcome, contents, judged, shares, there
from benchmarks.faults.material import MATERIALS, Material, right


@contextmanager
def file_limit(folder: Path, size: int) -> Iterator[Path]:
    """Let no file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full(folder: Path, size: int) -> Iterator[Path]:
    """Fill the file system that a folder lies on but for some bytes, in whole pages."""
    filler = folder.parent / "filler"
    room = shutil.disk_usage(folder.parent).free
    filler.write_bytes(bytes(max(0, room - size)))
    try:
        yield folder
    finally:
        filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 2 MiB in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def mounts() -> bool:
    """Tell whether this process may mount a file system."""
    probe = Path("/tmp/faults-probe")
    try:
        with small_disk(probe):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def trials(
    material: Material, in_memory: bool, rng: np.random.Generator, count: int, folder: Path
) -> Iterator[Outcome]:
    """Write where there is no room for all of it, and once more where there is."""
    seed = int(material.replaces)
    right(material, 0), right(material, 1)
    with small_disk(folder / "disk") if in_memory else _plain(folder / "disk") as disk:
        place = disk / "place"
        material.write(place, seed)
        sizes = [len(content) for content in contents(place).values()]
        most = sum(sizes) + 4096 * len(sizes) if in_memory else max(sizes)
        for _ in range(count):
            shutil.rmtree(place)
            if material.replaces:
                material.write(place, 0)
            limit = full if in_memory else file_limit
            with limit(place, int(rng.integers(1, most))):
                ended = judged(lambda: _written(material, place, seed))
            if ended.verdict == "bare":
                yield ended
                continue
            came = ended.verdict == "fine"
            found = there(material, place, *((seed,) if came else (0, seed)))
            yield ended if found.verdict == "fine" else found


def _written(material: Material, folder: Path, seed: int) -> None:
    material.write(folder, seed)


def _plain(folder: Path) -> AbstractContextManager[Path]:
    @contextmanager
    def made() -> Iterator[Path]:
        folder.mkdir()
        yield folder

    return made()


def cases() -> list[Case]:
    """Cases of each material that the library writes itself."""
    ours = [material for material in MATERIALS if material.name != "recorder's state"]
    return [
        Case("disks", f"{what}, {material.name}", number, brief, partial(trials, material, in_memory))
        for what, in_memory, brief in (("size of files", False, 3), *([("full disk", True, 0)] if mounts() else []))
        for material, number in zip(ours, shares(60, len(ours)), strict=True)
    ]
