"""Options that commands share."""

from __future__ import annotations

import inspect
import logging
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from dataaudit.cli.base import explained
from dataaudit.errors import SettingError, StorageError, did_you_mean

Command = TypeVar("Command", bound=Callable[..., None])

LEVELS = ("debug", "info", "warning", "error")


def _configured(context: typer.Context, path: Path | None) -> Path | None:
    """Take the values in a file as defaults of the options of this command."""
    if path is None:
        return path
    with explained(context):
        context.default_map = {**(context.default_map or {}), **_values(path, context)}
    return path


def _values(path: Path, context: typer.Context) -> dict[str, Any]:
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"--config {path}, which cannot be read ({error})", "a file in TOML", "write lines such as: label = 'kind'"
        ) from error
    command = str(context.info_name)
    # A table is for the command that it is called like.
    plain = {name: value for name, value in given.items() if not isinstance(value, dict)} | given.get(command, {})
    params: dict[str, Any] = {str(param.name): param for param in context.command.params if param.name != "config"}
    values = {}
    for name, value in plain.items():
        param = params.get(name.replace("-", "_"))
        if param is None:
            known = [one.replace("_", "-") for one in params if one != "help"]
            raise SettingError(f"{name!r} in {path}", f"options of dataaudit {command}", did_you_mean(name, known))
        listed = value if isinstance(value, list) else [value]
        values[str(param.name)] = listed if getattr(param, "multiple", False) else ",".join(map(str, listed))
    return values


def _logging(context: typer.Context, level: str) -> str:
    """Show what is logged, and warnings, as single lines on standard error."""
    with explained(context):
        if level.lower() not in LEVELS:
            raise SettingError(f"--log-level {level}", "a level", did_you_mean(level, LEVELS))
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level.upper(), stream=sys.stderr)
    logging.captureWarnings(True)
    return level


def columns(given: list[str] | None) -> list[str] | None:
    """Names that options hold, separated by commas."""
    return [name.strip() for part in given for name in part.split(",")] if given else None


Config = Annotated[
    Path | None,
    typer.Option(callback=_configured, is_eager=True, help="File in TOML with values for these options."),
]
LogLevel = Annotated[str, typer.Option(callback=_logging, help=f"What is logged: {', '.join(LEVELS)}.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Progress = Annotated[bool, typer.Option(help="Show progress, with the time left.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
Out = Annotated[Path, typer.Option(help="Folder for the audit, its report and the suspects; made if absent.")]

DATA = (
    "Table (.csv, .tsv, .jsonl, .parquet, each also .gz), - for standard input, folder of image folders, saved Hugging "
    "Face data set, or hf:NAME."
)
Data = Annotated[str, typer.Argument(help=DATA)]
Results = Annotated[Path, typer.Argument(help="Folder that `dataaudit score` wrote, or the audit in it.")]
READING: dict[str, tuple[Any, Any]] = {
    "label": (str, typer.Option(help="Label column; inferred where there is one candidate.")),
    "inputs": (list[str], typer.Option(help="Input columns, separated by commas or given one by one.")),
    "key": (str, typer.Option(help="Column that names the rows; by default the line, or an image's file.")),
    "exclude": (list[str], typer.Option(help="Columns to leave out, separated by commas or given one by one.")),
    "split": (str, typer.Option(help="Split of a Hugging Face data set.")),
    "size": (int, typer.Option(help="Resize images to this many pixels a side.", min=8)),
    "format": (
        str,
        typer.Option(help="Format of a table: csv, tsv, jsonl, parquet; by default its name says it, or csv."),
    ),
    "delimiter": (str, typer.Option(help="What separates the columns of a table of text, such as ; or tab.")),
    "encoding": (str, typer.Option(help="Encoding of a table of text; by default UTF-8.")),
    "missing": (
        str,
        typer.Option(
            help="Words in a table of text that mean that a value is missing, separated by commas; '' for empty cells "
            "alone. By default pandas' words, such as NA, null and None."
        ),
    ),
}
"""How a data set is read: options that are None where they are not given, with their types."""

OnBadRows = Annotated[str, typer.Option(help="What becomes of rows that cannot be used: raise an error, or drop them.")]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(help="Label that means none, beside empty cells; several one by one. Such rows are left out."),
]
SafeCells = Annotated[
    bool, typer.Option(help="Put ' before cells of CSV files that a spreadsheet would take for formulas.")
]
FailAbove = Annotated[
    float | None,
    typer.Option(help="Exit with 3 if more than this share of the labels is wrong, with 4 if that is not known."),
]


def reads_data(command: Command) -> Command:
    """Add the options of `READING` to a command that takes them as ``**reading``, before those of its output."""
    signature = inspect.signature(command, eval_str=True)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    added = [
        inspect.Parameter(name, own[-1].kind, default=None, annotation=Annotated[kind | None, option])
        for name, (kind, option) in READING.items()
    ]
    first = next(place for place, one in enumerate(own) if one.name in ("as_json", "quiet"))
    vars(command)["__signature__"] = signature.replace(parameters=[*own[:first], *added, *own[first:]])
    return command
