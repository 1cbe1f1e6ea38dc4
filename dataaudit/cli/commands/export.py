"""`dataaudit export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dataaudit.cli import options
from dataaudit.cli.base import app, explained
from dataaudit.cli.data import check_there, open_audited
from dataaudit.cli.output import Output
from dataaudit.cli.results import audit_in

Tool = Annotated[str, typer.Option(help="Labelling tool: label_studio, argilla, prodigy, fiftyone, or a package's.")]


@app.command()
@options.reads_data
def export(
    context: typer.Context,
    results: options.Results,
    data: options.Data,
    tool: Tool,
    out: Annotated[Path, typer.Option(help="New folder for the files.")],
    rows: Annotated[
        str,
        typer.Option(
            help="Rows to export: auto, flagged, how many of the most suspicious, or a decision file of review."
        ),
    ] = "auto",
    images: Annotated[
        str | None,
        typer.Option(help="What stands before names of images: a folder, or an address that the tool reads."),
    ] = None,
    copy_images: Annotated[
        bool, typer.Option("--copy-images", help="Write images beside the export although the data are files.")
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    log_level: options.LogLevel = "warning",
    config: options.Config = None,
    **reading: Any,
) -> None:
    """Write examples for a labelling tool, with their suggested labels."""
    given = locals() | reading
    output = Output(quiet, as_json)
    with explained(context):
        check_there(data)
        folder = audit_in(results)
        from dataaudit.audit.base import Audit
        from dataaudit.exports import resolve
        from dataaudit.exports.write import check_new_folder
        from dataaudit.review.decisions import Decisions

        resolve(tool)
        check_new_folder(out)
        audit = Audit.load(folder)
        is_file = bool(Path(rows).suffix) or Path(rows).exists()
        wanted: Any = int(rows) if rows.isdecimal() else Decisions.read(rows) if is_file else rows
        examples = open_audited(audit, given)
        place = audit.export(tool, out, examples, rows=wanted, images=images, copy_images=copy_images)
    files = sorted(path for path in place.resolve().iterdir() if path.is_file())
    output.result({"files": {path.name: str(path) for path in files}})
    for path in files:
        output.line(f"{f'{path.name}:':<15}{path}")
