"""What commands print: boxes on a terminal, plain text in a pipe, one JSON object, or nothing."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from dataaudit.common.shown import visible


class Output:
    """Standard output of a command.

    Parameters
    ----------
    quiet
        Whether nothing is printed.
    as_json
        Whether `result` alone is printed.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self._quiet, self._as_json = quiet, as_json

    def line(self, text: str = "") -> None:
        """Print a line."""
        if not (self._quiet or self._as_json):
            _print(visible(text, "\n"))

    def result(self, values: Mapping[str, Any]) -> None:
        """Print the object that `--json` asks for."""
        if self._as_json:
            _print(json.dumps(plain(values), ensure_ascii=True))

    def table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows of text under a head."""
        if self._quiet or self._as_json:
            return
        shown = [[visible(cell) for cell in row] for row in (head, *rows)]
        if not sys.stdout.isatty():
            widths = [max(len(row[column]) for row in shown) for column in range(len(head))]
            lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in shown]
            _print("\n".join([visible(title), *(line.rstrip() for line in lines)]))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        # Class names are shown as they are, not read as markup.
        drawn = Table(title=Text(visible(title)), title_justify="left")
        for name in shown[0]:
            drawn.add_column(Text(name))
        for row in shown[1:]:
            drawn.add_row(*map(Text, row))
        console = Console()
        with console.capture() as captured:
            console.print(drawn)
        _print(captured.get().rstrip("\n"))


def _print(text: str) -> None:
    """Print a text; whoever read a pipe may have heard enough, which is no fault and changes no exit code."""
    try:
        typer.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plain(value: Any) -> Any:
    """A value as JSON takes it: NumPy's numbers as Python's, and null for those that are not finite."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
