"""Command line: a file in commands/ for each command.

Every call of the program reads all files of commands/ for the options in them, so what is heavy is imported inside the
functions.
"""

from __future__ import annotations

import importlib
import pkgutil

from dataaudit.cli import commands
from dataaudit.cli.base import app

for _found in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}."):
    importlib.import_module(_found.name)


def main() -> None:
    """Entry point of the `dataaudit` command."""
    app(prog_name="dataaudit")
