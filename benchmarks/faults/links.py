"""Links in a folder that came from elsewhere: nothing outside it is written, removed or made through them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.base import Case, Outcome, contents, judged, renewed
from benchmarks.faults.material import MATERIALS, Material

PRECIOUS = b"precious"
OLD = 1.0
"""Time of files that a sweep of half-written ones would take."""


def written_names(material: Material, folder: Path) -> list[str]:
    """Names, relative to the folder, that a call that begins it opens, makes, moves or removes."""
    seen: list[str] = []
    active = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if active and event in ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.rmdir"):
            for path in arguments[:2]:
                if isinstance(path, (str, bytes, os.PathLike)):
                    seen.append(os.fsdecode(path))

    sys.addaudithook(hook)
    material.write(folder, 0)
    active = False
    inside = (os.path.relpath(path, folder) for path in seen if path.startswith(f"{folder}{os.sep}"))
    return [name for name in dict.fromkeys(inside) if not _random(name)]


def _random(name: str) -> bool:
    """Tell whether a name is new in every call, so that nobody can put a link there."""
    return any(len(part) == 32 and set(part) <= set("0123456789abcdef") for part in Path(name).name.split("."))


def outside(victim: Path) -> dict[str, bytes]:
    """State of what lies outside."""
    return {"": victim.read_bytes()} if victim.is_file() else contents(victim) if victim.exists() else {}


def planted(material: Material, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Put a link to a file, a folder or nothing at each name that is written, before anything is there."""
    names = written_names(material, folder / "seen")
    for trial in range(count):
        name, kind = names[trial % len(names)], ("file", "folder", "nothing")[trial // len(names) % 3]
        place, victim = folder / "place", folder / "victim"
        for path in (place, victim):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if kind == "file":
            victim.write_bytes(PRECIOUS)
        elif kind == "folder":
            victim.mkdir()
            _precious(victim)
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).symlink_to(victim)
        yield _unchanged(material, place, victim, f"{name} -> a {kind}")


def moved(material: Material, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Replace an entry of a whole folder by a link to it outside, damaged or old half the time, and go on from it."""
    template = folder / "template"
    material.write(template, 0)
    names = sorted(str(path.relative_to(template)) for path in template.rglob("*"))
    for trial in range(count):
        name = names[trial % len(names)]
        place, victim = folder / "place", folder / "victim"
        for path in (place, victim):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        renewed(template, place)
        shutil.move(place / name, victim)
        if victim.is_dir():
            _precious(victim)
        elif trial // len(names) % 2:
            victim.write_bytes(victim.read_bytes()[:-1])
        (place / name).symlink_to(victim)
        yield _unchanged(material, place, victim, f"{name} -> outside")


def _precious(folder: Path) -> None:
    """Put files into a folder that a sweep, a save or a search for old blocks would take for its own."""
    for name in ("film", "film.partial", f"sums-000000-{'0' * 32}.npy", f"000000-{'0' * 32}.npz"):
        (folder / name).write_bytes(PRECIOUS)
        os.utime(folder / name, (OLD, OLD))


def _unchanged(material: Material, place: Path, victim: Path, what: str) -> Outcome:
    before = outside(victim)
    ended = judged(lambda: _written(material, place))
    if outside(victim) != before:
        return Outcome("lost", f"{what}: changed outside")
    return Outcome(ended.verdict, f"{what}: {ended.detail}")


def _written(material: Material, place: Path) -> None:
    material.write(place, int(material.replaces))


def cases() -> list[Case]:
    """Cases of every material that the library writes itself."""
    ours = [material for material in MATERIALS if material.name != "recorder's state"]
    return [
        Case("links", f"{what}, {material.name}", 36, 5, partial(trial, material))
        for what, trial in (("before it is begun", planted), ("in a whole one", moved))
        for material in ours
    ]
