"""What commands about decisions share: decision files, and data that are written as they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataaudit.cli.data import STANDARD_INPUT
from dataaudit.errors import DataError, SettingError, StorageError, rows

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit
    from dataaudit.audit.review import Applied
    from dataaudit.cli.output import Output
    from dataaudit.data.examples import Examples
    from dataaudit.review.decisions import Decisions

Resolve = Annotated[
    str | None,
    typer.Option(help="What holds where reviewers differ: majority, or unsure; by default that is an error."),
]


def check_named(data: str) -> None:
    """Raise if data come on standard input, from which they cannot be read twice."""
    if data == STANDARD_INPUT:
        raise SettingError("standard input", "a file or folder, to be read once more", "name one as data=")


def check_new(*files: Path) -> None:
    """Raise before any work if a file is there: a person's decisions may be in it."""
    for path in files:
        if path.exists() or path.is_symlink():
            raise StorageError(f"{path}, which exists", "a new file", "name another place with out=")


def merged(files: Sequence[Path], resolve: Any) -> Decisions:
    """Decisions of all files, one a row."""
    from dataaudit.review.decisions import Decisions

    first, *others = [Decisions.read(path) for path in files]
    whole = first.merge(*others)
    differing = whole.conflicts()
    if len(differing) and resolve is None:
        raise DataError(
            f"{rows(differing['row'].unique())} on which reviewers differ",
            "one decision a row",
            ["pass resolve='majority'", "pass resolve='unsure'"],
        )
    return whole if resolve is None else whole.resolve(resolve)


def show_agreement(decisions: Decisions, output: Output) -> None:
    """Print how far reviewers agree, if there are several."""
    agreed = decisions.agreement()
    if len(agreed):
        cells = [
            [str(one), str(other), str(both), f"{same:.3f}", f"{kappa:.3f}"]
            for one, other, both, same, kappa in agreed.itertuples(index=False, name=None)
        ]
        output.table("Agreement of reviewers", list(map(str, agreed)), cells)


def write_like(audit: Audit, examples: Examples, applied: Applied, out: Path, given: Mapping[str, Any]) -> None:
    """Write corrected data as those lie that were given: a table, a folder of images, or a saved data set."""
    import numpy as np

    from dataaudit.common import folders
    from dataaudit.data.files import is_image_folder
    from dataaudit.data.formats import TableFormat
    from dataaudit.data.rewriting import rewrite_images, rewrite_table

    log, source = applied.log, Path(given["data"])
    removed = set(log.loc[log["decision"] == "remove", "row"].tolist())
    moved = log[log["decision"] == "relabel"]
    labels = dict(zip(moved["row"].tolist(), moved["label"].tolist(), strict=True))
    if source.is_file():
        numbers = {name: number for number, name in enumerate(audit.class_names)}
        # Labels are spelled as some row does.
        carriers = {row: int(audit.rows[np.argmax(audit.labels == numbers[name])]) for row, name in labels.items()}
        reading = TableFormat(given["format"], given["delimiter"], given["encoding"], given["missing"])
        rewrite_table(source, out, reading, str(examples.label_column), removed, carriers, applied.dataset)
    elif is_image_folder(given["data"]):
        rewrite_images(source, out, _places(examples, removed, labels))
    else:
        with folders.explained(out):
            applied.dataset.save_to_disk(str(out))


def _places(examples: Examples, removed: set[int], labels: Mapping[int, str]) -> dict[str, str | None]:
    """Class by image, None of those to leave out; images that were not audited stay where they are."""
    from dataaudit.data.derived import SubsetExamples

    names = examples.whole.identity if isinstance(examples, SubsetExamples) else examples.identity
    classes = {name: Path(name).parts[0] for name in names}
    return {name: None if row in removed else labels.get(row, own) for row, (name, own) in enumerate(classes.items())}
