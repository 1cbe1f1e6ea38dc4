"""`dataaudit review`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dataaudit.cli import options
from dataaudit.cli.base import app, explained
from dataaudit.cli.data import check_there, open_audited
from dataaudit.cli.output import Output
from dataaudit.cli.results import audit_in
from dataaudit.cli.reviews import Resolve, check_new, merged, show_agreement


@app.command()
@options.reads_data
def review(
    context: typer.Context,
    results: options.Results,
    out: Annotated[Path, typer.Option(help="Folder for the page and the decision file; made if absent.")],
    budget: Annotated[int, typer.Option(help="How many rows to look at.", min=1)] = 200,
    purpose: Annotated[
        str, typer.Option(help="find errors, estimate how many there are by rows drawn at random, or both by turns.")
    ] = "both",
    after: Annotated[
        list[Path] | None, typer.Option(help="Decision file that is continued; name several one by one.")
    ] = None,
    resolve: Resolve = None,
    until: Annotated[float, typer.Option(help="Share of the labels that may stay wrong.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Same seed, same draws.", min=0)] = 0,
    data: Annotated[str | None, typer.Option(help=f"To show the examples: {options.DATA}")] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    log_level: options.LogLevel = "warning",
    config: options.Config = None,
    **reading: Any,
) -> None:
    """Choose the rows that people look at next: a page to decide in, and an undecided decision file."""
    given = locals() | reading
    output = Output(quiet, as_json)
    with explained(context):
        files = {name: out / file for name, file in (("page", "review.html"), ("decisions", "decisions.jsonl"))}
        check_new(*files.values())
        if data is not None:
            check_there(data)
        folder = audit_in(results)
        from dataaudit.audit.base import Audit

        audit = Audit.load(folder)
        earlier = merged(after, resolve) if after else None
        examples = None if data is None else open_audited(audit, given)
        chosen: Any = purpose
        queue = audit.review(budget, chosen, after=earlier, seed=seed)
        out.mkdir(parents=True, exist_ok=True)
        queue.write(files["decisions"])
        audit.report(files["page"], examples, rows=queue)
        left = None if earlier is None else audit.reviewed(earlier).remaining(until)
    paths = {name: str(path.resolve()) for name, path in files.items()}
    output.result({"rows": len(queue), "left": None if left is None else vars(left), "files": paths})
    if earlier is not None:
        show_agreement(earlier, output)
    for line in [] if left is None else [*str(left).splitlines(), ""]:
        output.line(line)
    output.line(f"{len(queue)} rows to look at")
    for name, path in paths.items():
        output.line(f"{f'{name}:'.capitalize():<12}{path}")
