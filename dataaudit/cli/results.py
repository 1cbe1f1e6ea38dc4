"""Folder of results: what may be replaced in it, and what is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataaudit.common import checks
from dataaudit.common.shown import inert
from dataaudit.errors import StorageError

if TYPE_CHECKING:
    import pandas as pd

    from dataaudit.audit.base import Audit

UNLABELLED = "unlabelled.csv"
"""File of the labels that are suggested for rows without one."""
TEXT = "text"
"""Column of texts in lists of rows."""
LONGEST = 200
"""Characters of a text in such a list."""
OURS = {"audit", "report.html", "suspects.csv", "mislabeled.csv", UNLABELLED}


def check_out(out: Path) -> None:
    """Raise before any work unless `out` can take the results."""
    from dataaudit.common import folders

    if out.exists() and not out.is_dir():
        raise StorageError(f"--out {out}, a file", "a folder", "name another with out=")
    names = sorted(path.name for path in out.iterdir()) if out.exists() else []
    # Names alone prove nothing: the user's own report.html must not be replaced.
    strangers = [name for name in names if name not in OURS and not folders.PARTIAL.fullmatch(name)]
    if names and (strangers or not _is_audit(out / "audit")):
        raise StorageError(
            f"--out {out} with {(strangers or names)[0]!r} in it",
            "a new or empty folder, or earlier results",
            "name another with out=",
        )
    nearest = next(path for path in (out.resolve(), *out.resolve().parents) if path.exists())
    folders.try_writing(nearest)


def _is_audit(folder: Path) -> bool:
    """Tell a folder that looks like a saved audit, and holds nothing else, from others."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return "audit.json" in names and all(
        Path(name).suffix in (".json", ".parquet", ".partial", ".lock") for name in names
    )


def audit_in(folder: Path) -> Path:
    """Folder of the audit in results, or the folder itself if it is one; an error tells of neither."""
    checks.exists(folder)
    for one in (folder / "audit", folder):
        if (one / "audit.json").exists():
            return one
    raise StorageError(
        f"{folder}, in which there is no audit",
        "a folder that dataaudit score wrote, or the audit in it",
        "name the folder that dataaudit score wrote",
    )


def write(audit: Audit, out: Path, top: int, safe: bool, complete: bool = True) -> None:
    """Write the audit, its report and its suspects into the folder `out`; cells of tables are inert if `safe`.

    Of an audit that was broken off, and not `complete`, rows without a label are suggested none.
    """
    from dataaudit.common import folders

    audit.save(out / "audit")
    audit.report(out / "report.html")
    folders.put(out / "suspects.csv", as_csv(_to_read(audit, audit.suspects(top)), safe))
    known = audit.label_errors is not None and audit.label_errors.known
    for name, table in {
        "mislabeled.csv": _to_read(audit, audit.mislabeled()) if known else None,
        UNLABELLED: audit.unlabelled(progress=False) if complete and has_unlabelled(audit) else None,
    }.items():
        if table is not None:
            folders.put(out / name, as_csv(table, safe))
            continue
        # An earlier audit's would be taken for this one's.
        with folders.explained(out):
            (out / name).unlink(missing_ok=True)


def _to_read(audit: Audit, table: pd.DataFrame) -> pd.DataFrame:
    """A list of rows as people read it: both labels side by side, and beside them the text where the data are texts."""
    names = [name for name in table.columns if name != "suggested"]
    names.insert(names.index("given") + 1, "suggested")
    table = table[names]
    texts = _texts(audit, table["row"].to_numpy())
    # Rows may be named by their texts.
    if texts is not None and TEXT not in names:
        table.insert(names.index("suggested") + 1, TEXT, texts)
    return table


def _texts(audit: Audit, rows: Any) -> list[str] | None:
    """Texts of rows of the data set, a line each and none too long; None of data that are not at hand, or no texts."""
    examples, texts = audit._examples, []
    if examples is None:
        return None
    for position in audit.rows.searchsorted(rows).tolist():
        shown = examples.show(position)
        if isinstance(shown, Mapping) and len(shown) == 1:
            shown = next(iter(shown.values()))
        if not isinstance(shown, str):
            return None
        line = " ".join(shown[: 10 * LONGEST].split())
        texts.append(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")
    return texts


def has_unlabelled(audit: Audit) -> bool:
    """True if rows were left out because they have no label."""
    return bool(audit.settings.get("unlabelled_rows"))


def as_csv(table: pd.DataFrame, safe: bool = True) -> bytes:
    """A table as a CSV file; if `safe`, no cell of it is a formula to a spreadsheet."""
    if safe:
        table = table.rename(columns=lambda name: inert(str(name)))
        for name in table.select_dtypes(exclude=["number", "bool"]):
            table[name] = [inert(cell) if isinstance(cell, str) else cell for cell in table[name]]
    return table.to_csv(index=False).encode("utf-8", "surrogatepass")
