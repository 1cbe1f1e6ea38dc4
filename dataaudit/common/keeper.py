"""Program that ends what a driver began and left behind: ``python keeper.py DRIVER NAME PSUTIL``.

Runs by itself, in a session of its own, while the driver does: it imports nothing of the library. Children of the
process DRIVER called NAME, begun after the keeper, and all processes below them are its family. It says when it is
ready. When the driver has ended, or says a word, what is left of the family is killed. PSUTIL is the folder that psutil
is imported from.
"""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

WATCH = 0.5
"""Seconds between two looks at the driver."""
SHARE = 0.01
"""Share of its time that the keeper spends on looking who is there."""


class Family:
    """Processes below the children of a driver that have a name."""

    def __init__(self, psutil: Any, driver: int, name: str) -> None:
        self._psutil, self._driver, self._name = psutil, driver, name
        self._begun = psutil.Process().create_time()
        self._members: set[Any] = set()
        self._due = 0.0

    def look(self) -> None:
        """Note who is there, unless the last look was just now."""
        start = time.monotonic()
        if start < self._due:
            return
        # Who ends while it is looked at is none of the family.
        with suppress(self._psutil.Error):
            for child in self._psutil.Process(self._driver).children():
                if child.name() == self._name and child.create_time() >= self._begun:
                    self._members.add(child)
        for member in list(self._members):
            with suppress(self._psutil.Error):
                self._members.update(member.children(recursive=True))
        self._members = {member for member in self._members if member.is_running()}
        end = time.monotonic()
        self._due = end + (end - start) / SHARE

    def end(self) -> None:
        """Kill who is left; a process that has got the number of one that ended is another."""
        for member in self._members:
            with suppress(self._psutil.Error):
                member.kill()


def keep(driver: int, name: str, folder: str) -> None:
    """Wait for the end of a driver, and end its family."""
    sys.path.append(folder)
    family = Family(import_module("psutil"), driver, name)
    print("ready", flush=True)
    # Its end of the pipe may be held by copies of it; they are nobody's parents here.
    while os.getppid() == driver and not select.select([sys.stdin], [], [], WATCH)[0]:
        family.look()
    family.end()


if __name__ == "__main__":
    keep(int(sys.argv[1]), *sys.argv[2:])
