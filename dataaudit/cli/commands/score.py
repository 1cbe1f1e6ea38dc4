"""`dataaudit score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dataaudit.cli.base import INTERRUPTED, app, explained
from dataaudit.cli.networks import network_for
from dataaudit.cli.output import table
from dataaudit.cli.results import check_out, write
from dataaudit.common import checks
from dataaudit.density.engines import REGISTRY as ENGINES
from dataaudit.neighbours.search import REGISTRY as SEARCHES
from dataaudit.pipeline.interrupted import Interrupted


@app.command()
def score(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(help="Table (.csv, .tsv, .parquet), folder of image folders, or saved Hugging Face data set."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the audit, its report and the suspects; made if absent.")],
    label: Annotated[str | None, typer.Option(help="Label column; inferred where there is one candidate.")] = None,
    inputs: Annotated[
        list[str] | None, typer.Option(help="Input columns, separated by commas or given one by one.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Column that names the rows; by default the line, or an image's file.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Columns to leave out, separated by commas or given one by one.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="Network; by default block_cnn or, below 24 pixels a side, small_cnn for images, else mlp."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="How to train: see `dataaudit list`.")] = "auto",
    epochs: Annotated[int | None, typer.Option(help="Epochs, instead of the recipe's.")] = None,
    scorers: Annotated[str, typer.Option(help="Scores, separated by commas.")] = "auto",
    split: Annotated[str | None, typer.Option(help="Split of a saved DatasetDict.")] = None,
    size: Annotated[int | None, typer.Option(help="Resize images to this many pixels a side.", min=8)] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same scores.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    engine: Annotated[str, typer.Option(help=f"What computes densities: auto, {', '.join(ENGINES.names())}.")] = "auto",
    runs: Annotated[int | None, typer.Option(help="Holdout runs, for c_score and its like.", min=1)] = None,
    ratio: Annotated[float | None, typer.Option(help="Share of the examples that a holdout run trains on.")] = None,
    backend: Annotated[str | None, typer.Option(help="What carries holdout runs out: serial, joblib, ray.")] = None,
    store: Annotated[str | None, typer.Option(help="Folder or URL that keeps holdout runs; resumed from.")] = None,
    search: Annotated[str, typer.Option(help=f"What finds neighbours: auto, {', '.join(SEARCHES.names())}.")] = "auto",
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps representations, for rows that exceed memory; resumed from.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Training runs whose evidence is taken together.", min=1)] = 1,
    top: Annotated[int, typer.Option(help="How many suspects to print and write.", min=1)] = 20,
    progress: Annotated[bool, typer.Option(help="Draw progress bars.")] = True,
) -> None:
    """Rank the examples of a data set by how suspicious their labels are."""
    with explained(context):
        check_out(out)
        checks.exists(data)
        from dataclasses import replace

        import dataaudit
        from dataaudit.data.files import open_data

        chosen_recipe = dataaudit.recipes.get(recipe)
        if epochs is not None:
            chosen_recipe = replace(chosen_recipe, epochs=epochs)
        settings: dict[str, Any] = {"runs": runs, "ratio": ratio, "backend": backend, "store": store}
        chosen = {name: value for name, value in settings.items() if value is not None}
        holdout = dataaudit.Holdout(**chosen) if chosen else None
        names = "auto" if scorers == "auto" else [name.strip() for name in scorers.split(",")]
        columns = {"inputs": _columns(inputs), "exclude": _columns(exclude)}
        examples = open_data(data, label=label, key=key, split=split, size=size, **columns)
        model = network_for(network, examples)
        try:
            audit = dataaudit.score(
                model,
                examples,
                names,
                recipe=chosen_recipe,
                device=device,
                engine=engine,
                search=search,
                seed=seed,
                progress=progress,
                holdout=holdout,
                cache=cache,
                repeats=repeats,
            )
        except Interrupted as stopped:
            if not stopped.epochs and not stopped.runs:
                raise
            write(stopped.audit(), out, top)
            complete = f"{stopped.epochs} complete epochs" + (f" and {stopped.runs} runs" if stopped.runs else "")
            typer.echo(f"interrupted: the {complete} are kept in {out.resolve()}", err=True)
            raise typer.Exit(INTERRUPTED) from stopped
        write(audit, out, top)
    for note in examples.notes:
        typer.echo(note)
    suspects = audit.suspects(top)
    names = [str(name) for name in suspects if name not in ("score", "margin")]
    table(
        f"{min(top, len(audit))} most suspicious of {len(audit)} examples, by {audit.default}",
        [*names, "score", "margin"],
        [
            [*(str(row[name]) for name in names), *(f"{row[name]:.4g}" for name in ("score", "margin"))]
            for row in suspects.to_dict("records")
        ],
    )
    if audit.label_errors is not None:
        where = f": {(out / 'mislabeled.csv').resolve()}" if audit.label_errors.known else ""
        typer.echo(f"\n{str(audit.noise_rate()).splitlines()[0]}{where}")
    if str(audit.agreement):
        typer.echo(f"Labels that the model agrees with: {audit.agreement}")
    typer.echo(f"\nReport:   {(out / 'report.html').resolve()}\nSuspects: {(out / 'suspects.csv').resolve()}")
    typer.echo(f"Audit:    {(out / 'audit').resolve()}")


def _columns(given: list[str] | None) -> list[str] | None:
    """Names that options hold, separated by commas."""
    return [name.strip() for part in given for name in part.split(",")] if given else None
