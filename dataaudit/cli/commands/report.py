"""`dataaudit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dataaudit.cli import options
from dataaudit.cli.base import app, explained
from dataaudit.cli.data import check_there, open_audited
from dataaudit.cli.output import Output
from dataaudit.cli.results import audit_in


@app.command()
@options.reads_data
def report(
    context: typer.Context,
    results: options.Results,
    data: Annotated[
        str | None, typer.Option(help="The audited data set, for its pictures and values, as it was passed to score.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; by default report.html in the folder.")] = None,
    rows: Annotated[
        str, typer.Option(help="Rows to show: auto, flagged, or how many of the most suspicious.")
    ] = "auto",
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    quiet: options.Quiet = False,
    log_level: options.LogLevel = "warning",
    config: options.Config = None,
    **reading: Any,
) -> None:
    """Write the page of an audit again."""
    given = locals() | reading
    with explained(context):
        folder = audit_in(results)
        if data is not None:
            check_there(data)
        from dataaudit.audit.base import Audit

        audit = Audit.load(folder)
        examples = None if data is None else open_audited(audit, given)
        wanted = int(rows) if rows.isdecimal() else rows
        page = audit.report(out or results / "report.html", examples, rows=wanted, title=title)
        Output(quiet).line(f"Report: {page.resolve()}")
