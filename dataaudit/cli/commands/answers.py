"""`dataaudit answers`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataaudit.cli import options
from dataaudit.cli.base import app, explained
from dataaudit.cli.output import Output
from dataaudit.cli.results import audit_in
from dataaudit.cli.reviews import check_new, show_agreement


@app.command()
def answers(
    context: typer.Context,
    results: options.Results,
    files: Annotated[list[Path], typer.Argument(help="What the tool exports, of one reviewer or several.")],
    tool: Annotated[str, typer.Option(help="Labelling tool: label_studio (JSON), prodigy (db-out), or a package's.")],
    out: Annotated[Path, typer.Option(help="New decision file, for `dataaudit apply` and `dataaudit review --after`.")],
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    log_level: options.LogLevel = "warning",
    config: options.Config = None,
) -> None:
    """Turn answers of a labelling tool into a decision file."""
    output = Output(quiet, as_json)
    with explained(context):
        check_new(out)
        folder = audit_in(results)
        from dataaudit.audit.base import Audit

        audit = Audit.load(folder)
        first, *others = [audit.answers(tool, path) for path in files]
        said = first.merge(*others)
        said.write(out)
    counts = said.table["decision"].replace("", "undecided").value_counts()
    output.result(
        {
            "decisions": {str(word): int(count) for word, count in counts.items()},
            "files": {"decisions": str(out.resolve())},
        }
    )
    show_agreement(said, output)
    output.line(str(said))
    output.line()
    output.line(f"Decisions:  {out.resolve()}")
