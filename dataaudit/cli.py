"""Command line: demo, score, list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataaudit.common import checks, folders
from dataaudit.density.engines import REGISTRY as ENGINES
from dataaudit.errors import DataAuditError, SettingError, StorageError, did_you_mean
from dataaudit.neighbours.search import REGISTRY as SEARCHES
from dataaudit.pipeline.interrupted import Interrupted

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit
    from dataaudit.data.examples import Examples

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Find the wrong, odd and hard examples of a labelled data set from one training run.",
)

OURS = {"audit", "report.html", "suspects.csv", "mislabeled.csv"}
WRONG_INPUT, INTERRUPTED = 2, 130
BLOCKS_FROM = 24
"""Fewest pixels a side of images for which the network of blocks is the default."""


def main() -> None:
    """Entry point of the `dataaudit` command."""
    app()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn errors into three lines on standard error and an exit code."""
    try:
        yield
    except DataAuditError as error:
        # A parser's own message may run over several lines.
        arrived, expected, action = (" ".join(part.split()) for part in (error.arrived, error.expected, error.action))
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


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the audit and its report.")] = Path("demo-results"),
    progress: Annotated[bool, typer.Option(help="Draw progress bars.")] = True,
) -> None:
    """Find label errors planted in scikit-learn's digits, and say how well that went."""
    with _explained():
        _check_out(out)
        from dataaudit.demo import run

        result = run(out, progress=progress)
    k = result.planted
    figures = (result.auroc, result.average_precision, result.precision)
    rows = [*zip(result.seeds, *figures, strict=True), ("least", *map(min, figures))]
    _table(
        f"{k} label errors planted in 1797 digits",
        ["seed", "AUROC", "average precision", f"precision at {k}"],
        [[str(run), f"{auroc:.4f}", f"{average:.3f}", f"{precision:.3f}"] for run, auroc, average, precision in rows],
    )
    typer.echo(f"\nReport:  {(out / 'report.html').resolve()}\nAudit:   {(out / 'audit').resolve()}")


@app.command()
def score(
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
    with _explained():
        _check_out(out)
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
            _write(stopped.audit(), out, top)
            complete = f"{stopped.epochs} complete epochs" + (f" and {stopped.runs} runs" if stopped.runs else "")
            typer.echo(f"interrupted: the {complete} are kept in {out.resolve()}", err=True)
            raise typer.Exit(INTERRUPTED) from stopped
        _write(audit, out, top)
    for note in examples.notes:
        typer.echo(note)
    suspects = audit.suspects(top)
    names = [str(name) for name in suspects if name not in ("score", "margin")]
    _table(
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


@app.command("list")
def list_() -> None:
    """List scores, networks and recipes."""
    import dataaudit

    spaces = {"Scores": dataaudit.scorers, "Networks": dataaudit.networks, "Recipes": dataaudit.recipes}
    for title, space in spaces.items():
        _table(title, ["name", "what it is"], [list(item) for item in space.describe().items()])


def _check_out(out: Path) -> None:
    """Raise before any work unless `out` can take the results."""
    if out.exists() and not out.is_dir():
        raise StorageError(f"--out {out}, a file", "a folder", "name another place")
    names = sorted(path.name for path in out.iterdir()) if out.exists() else []
    # Names alone prove nothing: the user's own report.html must not be replaced.
    strangers = [name for name in names if name not in OURS and not folders.PARTIAL.fullmatch(name)]
    if names and (strangers or not _is_audit(out / "audit")):
        raise StorageError(
            f"--out {out} with {(strangers or names)[0]!r} in it",
            "a new or empty folder, or earlier results",
            "name another",
        )
    nearest = next(path for path in (out.resolve(), *out.resolve().parents) if path.exists())
    folders.try_writing(nearest)


def _is_audit(folder: Path) -> bool:
    """Tell a folder that looks like a saved audit, and holds nothing else, from others."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return "audit.json" in names and all(
        Path(name).suffix in (".json", ".parquet", ".partial", ".lock") for name in names
    )


def network_for(name: str | None, examples: Examples) -> Any:
    """Build the network called `name`, or the one that suits the inputs; a factory."""
    import numpy as np

    import dataaudit
    from dataaudit.learners.layout import channels_first

    shape = np.asarray(examples.read(np.zeros(1, np.int64))).shape[1:]
    if len(shape) == 3:
        shape = channels_first(shape)
    if name is None:
        name = "mlp" if len(shape) != 3 else "block_cnn" if min(shape[1:]) >= BLOCKS_FROM else "small_cnn"
    if name not in dataaudit.networks.names():
        raise SettingError(f"--network {name}", "a named network", did_you_mean(name, dataaudit.networks.names()))
    if name != "mlp":
        shape = channels_first(shape)
    return dataaudit.networks.build(name, shape, len(examples.class_names))


def _write(audit: Audit, out: Path, top: int) -> None:
    audit.save(out / "audit")
    audit.report(out / "report.html")
    folders.put(out / "suspects.csv", audit.suspects(top).to_csv(index=False).encode())
    if audit.label_errors is not None and audit.label_errors.known:
        folders.put(out / "mislabeled.csv", audit.mislabeled().to_csv(index=False).encode())
    else:
        # An earlier audit's would be taken for this one's.
        with folders.explained(out):
            (out / "mislabeled.csv").unlink(missing_ok=True)


def _table(title: str, head: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in head:
        table.add_column(name)
    for row in rows:
        # Class names are shown as they are, not read as markup.
        table.add_row(*map(Text, row))
    Console().print(table)


if __name__ == "__main__":
    main()
