"""`dataaudit apply`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dataaudit.cli import options
from dataaudit.cli.base import app, explained
from dataaudit.cli.data import as_audited, check_there, open_audited
from dataaudit.cli.output import Output
from dataaudit.cli.results import as_csv, audit_in
from dataaudit.cli.reviews import Resolve, check_named, check_new, merged, show_agreement, write_like


@app.command()
@options.reads_data
def apply(
    context: typer.Context,
    data: options.Data,
    decisions: Annotated[list[Path], typer.Argument(help="Decision files, of one reviewer or several.")],
    results: Annotated[Path, typer.Option(help="Folder that `dataaudit score` wrote, or the audit in it.")],
    out: Annotated[Path, typer.Option(help="File or folder for the corrected data, of the kind that was audited.")],
    resolve: Resolve = None,
    until: Annotated[float, typer.Option(help="Share of the labels that may stay wrong.")] = 0.01,
    safe_cells: options.SafeCells = True,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    log_level: options.LogLevel = "warning",
    config: options.Config = None,
    **reading: Any,
) -> None:
    """Write the data set as people decided about it, and a log of the changes."""
    given = locals() | reading
    output = Output(quiet, as_json)
    with explained(context):
        log = out.with_name(f"{out.name}.changes.csv")
        check_new(out, log)
        check_named(data)
        check_there(data)
        folder = audit_in(results)
        from dataaudit.audit.base import Audit
        from dataaudit.common import folders

        audit = Audit.load(folder)
        said = merged(decisions, resolve)
        examples = open_audited(audit, given)
        applied = audit.apply(said, examples)
        # Before anything is written: it refuses decisions that skip rows of their queue.
        left = audit.reviewed(said).remaining(until) if audit.label_errors is not None else None
        write_like(audit, examples, applied, out, as_audited(audit, given))
        folders.put(log, as_csv(applied.log, safe_cells))
    counts = applied.log["decision"].value_counts()
    changed, gone = int(counts.get("relabel", 0)), int(counts.get("remove", 0))
    paths = {"data": str(out.resolve()), "changes": str(log.resolve())}
    output.result(
        {"relabelled": changed, "removed": gone, "left": None if left is None else vars(left), "files": paths}
    )
    show_agreement(said, output)
    output.line(f"{changed} rows labelled anew, {gone} removed")
    for line in [] if left is None else str(left).splitlines():
        output.line(line)
    output.line()
    for name, path in paths.items():
        output.line(f"{f'{name}:'.capitalize():<12}{path}")
