"""Progress bar, on standard error, that `progress=False` silences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]


@contextmanager
def progress_bar(text: str, total: int, show: bool) -> Iterator[Advance]:
    """Yield ``advance(steps)``; draws nothing at all unless `show`, or where there is no terminal."""
    if not show:
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # In a file or a pipe a bar would only leave blank lines.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda steps: bar.update(task, advance=steps)
