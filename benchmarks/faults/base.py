"""What the faults share: cases, outcomes and how a call is judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.faults.material import AbsurdError, Material, UnreadableError, right
from dataaudit.errors import DataAuditError

VERDICTS = ("fine", "refused", "lost", "silent", "bare")
"""As if nothing had been; an error of the library; what was there is gone; another result without a word; an exception
that is no error of the library."""


class Outcome(NamedTuple):
    """Verdict of a trial, and what was seen."""

    verdict: str
    detail: str = ""


FINE = Outcome("fine")


@dataclass(frozen=True)
class Case:
    """Trials of one fault in one place: `run` yields an outcome each, given a generator, their number and a folder.

    `brief` is the number of trials in the short form.
    """

    kind: str
    name: str
    trials: int
    brief: int
    run: Callable[[np.random.Generator, int, Path], Iterator[Outcome]]


def judged(call: Callable[[], str | None], *expected: str) -> Outcome:
    """Outcome of a call that must give one of the `expected` digests; any that returns is fine without."""
    try:
        found = call()
    except (DataAuditError, UnreadableError) as error:
        return Outcome("refused", str(error))
    except AbsurdError as error:
        return Outcome("silent", str(error))
    except Exception as error:  # What a campaign looks for.
        return bare(error)
    return FINE if not expected or found in expected else Outcome("silent", "another result, and no word")


def bare(error: BaseException) -> Outcome:
    """Outcome of an exception that is no error of the library."""
    return Outcome("bare", f"{type(error).__name__}: {error}")


def there(material: Material, folder: Path, *seeds: int) -> Outcome:
    """Outcome of reading a folder that must hold the contents of one of the seeds: anything else is a loss."""
    found = judged(lambda: material.read(folder, seeds[0]), *(right(material, seed) for seed in seeds))
    return found if found.verdict == "fine" else Outcome("lost", f"{found.verdict}: {found.detail}")


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file in a folder that holds anything."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.endswith(".lock")
    }


def renewed(template: Path, folder: Path) -> Path:
    """`folder` as a copy of another."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    return folder


def shares(total: int, parts: int) -> list[int]:
    """`total` in nearly equal parts."""
    return [total // parts + (part < total % parts) for part in range(parts)]
