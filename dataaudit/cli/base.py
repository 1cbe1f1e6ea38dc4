"""The app that commands add themselves to, and its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from dataaudit.cli.wording import Wording
from dataaudit.errors import DataAuditError

WRONG_INPUT, ABOVE, NOT_KNOWN, INTERRUPTED = 2, 3, 4, 130
CODES = """
Exit codes: 0 done; 1 a fault of the program; 2 wrong input, explained in three lines; 3 more labels are wrong than
--fail-above allows; 4 that is not known; 130 interrupted by Ctrl-C, complete epochs and holdout
runs are kept.
"""

app = typer.Typer(
    name="dataaudit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Boxes are for people.
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    help="Find the wrong, odd and hard examples of a labelled data set from one training run.",
    epilog=" ".join(CODES.split()),
)


@contextmanager
def explained(context: typer.Context | None = None) -> Iterator[None]:
    """Turn errors into three lines on standard error, in the words of the command of `context`, and an exit code."""
    try:
        yield
    except DataAuditError as error:
        words = Wording(context)
        arrived, expected, action = words.text(error.arrived), words.text(error.expected), words.advice(error)
        typer.echo(f"found:    {arrived}\nexpected: {expected}\nto do:    {action}", err=True)
        raise typer.Exit(WRONG_INPUT) from error
    except KeyboardInterrupt as error:
        typer.echo("interrupted; nothing was complete enough to keep", err=True)
        raise typer.Exit(INTERRUPTED) from error


def _version(requested: bool) -> None:
    if requested:
        import dataaudit

        typer.echo(dataaudit.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
