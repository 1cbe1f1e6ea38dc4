"""Flipped bits, cut-off files and zeroed blocks in every file of every kind of folder.

A damaged folder gives the result of the sound one, where what is damaged can be made again, or an error that says so;
a refusal leaves the other files as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.faults.base import Case, Outcome, contents, judged, renewed, shares
from benchmarks.faults.material import MATERIALS, Material, right

Damage = Callable[[bytes, np.random.Generator], bytes]


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """Content with one bit turned over."""
    changed = bytearray(content)
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """Content up to a byte; nothing at all now and then."""
    return content[: int(rng.integers(len(content)))] if rng.random() > 0.1 else b""


def zeroed(content: bytes, rng: np.random.Generator) -> bytes:
    """Content of the same length whose end was not written, as after a power cut."""
    kept = int(rng.integers(len(content))) if rng.random() > 0.1 else 0
    return content[:kept] + bytes(len(content) - kept)


def trials(material: Material, damage: Damage, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Damage the files of a folder in turn."""
    template, place = folder / "template", folder / "damaged"
    material.write(template, 0)
    sound = contents(template)
    names = [name for name, content in sound.items() if content]
    for trial in range(count):
        name = names[trial % len(names)]
        content = damage(sound[name], rng)
        if content == sound[name]:
            continue
        renewed(template, place)
        (place / name).write_bytes(content)
        outcome = judged(lambda: material.read(place, 0), right(material, 0))
        if outcome.verdict == "refused":
            after = contents(place)
            gone = [other for other in sound if other != name and after.get(other) != sound[other]]
            outcome = Outcome("lost", f"{', '.join(gone)} removed or changed") if gone else outcome
        yield Outcome(outcome.verdict, f"{name}: {outcome.detail}")


def cases() -> list[Case]:
    """Cases of each damage and material."""
    parts = len(MATERIALS)
    return [
        Case("damage", f"{what}, {material.name}", number, brief, partial(trials, material, damage))
        for what, damage, total, brief in (
            ("flipped bit", flipped, 2000, 12),
            ("cut off", cut, 500, 7),
            ("zeroed end", zeroed, 350, 7),
        )
        for material, number in zip(MATERIALS, shares(total, parts), strict=True)
    ]
