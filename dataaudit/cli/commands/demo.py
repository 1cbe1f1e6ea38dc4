"""`dataaudit demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataaudit.cli.base import app, explained
from dataaudit.cli.output import Output
from dataaudit.cli.results import check_out


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the audit and its report.")] = Path("demo-results"),
    progress: Annotated[bool, typer.Option(help="Draw progress bars.")] = True,
) -> None:
    """Find label errors planted in scikit-learn's digits, and say how well that went."""
    with explained():
        check_out(out)
        from dataaudit.demo import run

        result = run(out, progress=progress)
    k = result.planted
    figures = (result.auroc, result.average_precision, result.precision)
    rows = [*zip(result.seeds, *figures, strict=True), ("least", *map(min, figures))]
    Output().table(
        f"{k} label errors planted in 1797 digits",
        ["seed", "AUROC", "average precision", f"precision at {k}"],
        [[str(run), f"{auroc:.4f}", f"{average:.3f}", f"{precision:.3f}"] for run, auroc, average, precision in rows],
    )
    typer.echo(f"\nReport:  {(out / 'report.html').resolve()}\nAudit:   {(out / 'audit').resolve()}")
