"""`dataaudit score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataaudit.cli import options
from dataaudit.cli.base import INTERRUPTED, app, explained
from dataaudit.cli.data import check_there, open_examples, with_reading
from dataaudit.cli.models import NONE, check_training, for_texts, model_for
from dataaudit.cli.output import Output
from dataaudit.cli.results import check_out, write
from dataaudit.cli.summary import check_share, exit_code, show
from dataaudit.common.progress import working
from dataaudit.common.shown import visible
from dataaudit.density.engines import REGISTRY as ENGINES
from dataaudit.errors import SettingError
from dataaudit.neighbours.search import REGISTRY as SEARCHES
from dataaudit.pipeline.interrupted import Interrupted

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit
    from dataaudit.data.examples import Examples

FORWARDED = ("on_bad_rows", "device", "engine", "search", "seed", "cache", "repeats", "embed")


@app.command()
@options.reads_data
def score(
    context: typer.Context,
    data: options.Data,
    out: options.Out,
    unlabelled: options.Unlabelled = None,
    on_bad_rows: options.OnBadRows = "raise",
    model: Annotated[
        str | None,
        typer.Option(
            help="Network, or none; by default block_cnn or, below 24 pixels a side, small_cnn for images, none for "
            "texts, else mlp."
        ),
    ] = None,
    embed: Annotated[
        str | None,
        typer.Option(
            help="Model that makes vectors of images or texts, which are audited: its folder, or a name that "
            "transformers resolves."
        ),
    ] = None,
    recipe: Annotated[str, typer.Option(help="How to train: see `dataaudit list`.")] = "auto",
    epochs: Annotated[int | None, typer.Option(help="Epochs, instead of the recipe's.")] = None,
    scorers: Annotated[str, typer.Option(help="Scores, separated by commas.")] = "auto",
    seed: Annotated[int, typer.Option(help="Same seed, same scores.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    engine: Annotated[str, typer.Option(help=f"What computes densities: auto, {', '.join(ENGINES.names())}.")] = "auto",
    search: Annotated[str, typer.Option(help=f"What finds neighbours: auto, {', '.join(SEARCHES.names())}.")] = "auto",
    runs: Annotated[int | None, typer.Option(help="Holdout runs, for c_score and its like.", min=1)] = None,
    ratio: Annotated[float | None, typer.Option(help="Share of the examples that a holdout run trains on.")] = None,
    backend: Annotated[str | None, typer.Option(help="What carries holdout runs out: serial, joblib, ray.")] = None,
    store: Annotated[str | None, typer.Option(help="Folder or URL that keeps holdout runs; resumed from.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps representations, for rows that exceed memory; resumed from.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Training runs whose evidence is taken together.", min=1)] = 1,
    top: Annotated[int, typer.Option(help="How many suspects to print and write.", min=1)] = 20,
    safe_cells: options.SafeCells = True,
    fail_above: options.FailAbove = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    progress: options.Progress = True,
    log_level: options.LogLevel = "warning",
    config: options.Config = None,
    **reading: Any,
) -> None:
    """Rank the examples of a data set by how suspicious their labels are."""
    given = locals() | reading
    output = Output(quiet, as_json)
    with explained(context):
        check_share(fail_above)
        check_out(out)
        check_there(data)
        if embed is not None and model not in (None, NONE):
            raise SettingError(
                f"model={model!r} beside embed=", "one of both: vectors need no network", ["drop model=", "drop embed="]
            )
        chosen: Any = None
        with working(f"reading {visible(data)}", progress and not quiet):
            examples = open_examples(given)
            if embed is None:
                chosen, examples = model_for(model, examples, on_bad_rows == "drop")
            check_training(chosen, examples, given)
        try:
            with for_texts(examples, model):
                audit = with_reading(_scored(chosen, examples, given), given)
        except Interrupted as stopped:
            if not stopped.epochs and not stopped.runs:
                raise
            write(with_reading(stopped.audit(), given), out, top, safe_cells, complete=False)
            complete = f"{stopped.epochs} complete epochs" + (f" and {stopped.runs} runs" if stopped.runs else "")
            typer.echo(f"interrupted: the {complete} are kept in {out.resolve()}", err=True)
            raise typer.Exit(INTERRUPTED) from stopped
        write(audit, out, top, safe_cells)
        show(audit, out, top, output, context)
        raise typer.Exit(exit_code(audit, fail_above))


def _scored(model: Any, examples: Examples, given: dict[str, Any]) -> Audit:
    from dataclasses import replace

    import dataaudit

    recipe = dataaudit.recipes.get(given["recipe"])
    if given["epochs"] is not None:
        recipe = replace(recipe, epochs=given["epochs"])
    runs = {name: given[name] for name in ("runs", "ratio", "backend", "store") if given[name] is not None}
    scorers = given["scorers"]
    return dataaudit.score(
        model,
        examples,
        "auto" if scorers == "auto" else [name.strip() for name in scorers.split(",")],
        recipe=None if model is None else recipe,
        progress=given["progress"] and not given["quiet"],
        holdout=dataaudit.Holdout(**runs) if runs else None,
        **{name: given[name] for name in FORWARDED},
    )
