"""What is said of an audit: notes, suspects, how many labels are wrong, where files lie, and the exit code."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dataaudit.cli.base import ABOVE, NOT_KNOWN
from dataaudit.cli.data import STANDARD_INPUT
from dataaudit.cli.output import Output
from dataaudit.cli.results import UNLABELLED, has_unlabelled
from dataaudit.cli.wording import Wording
from dataaudit.errors import SettingError

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit


def check_share(share: float | None) -> None:
    """Raise `SettingError` unless `--fail-above` is a share."""
    if share is not None and not 0 <= share < 1:
        raise SettingError(f"fail_above={share}", "a share from 0 to below 1", "pass fail_above=0.05")


def show(audit: Audit, out: Path, top: int, output: Output, context: typer.Context) -> None:
    """Print what an audit found, as text or as one object."""
    words = Wording(context)
    notes = [words.text(note) for note in audit.settings.get("notes", ())]
    suspects = audit.suspects(top)
    paths = {name: str((out / file).resolve()) for name, file in _files(audit).items()}
    output.result(
        {
            "examples": len(audit),
            "classes": list(audit.class_names),
            "noise_rate": _rate(audit),
            "agreement": str(audit.agreement),
            "ranked_by": audit.default,
            "suspects": suspects.to_dict("records"),
            "notes": notes,
            "files": paths,
        }
    )
    for note in notes:
        output.line(note)
    names = [str(name) for name in suspects if name not in ("score", "margin")]
    output.table(
        f"{min(top, len(audit))} most suspicious of {len(audit)} examples, by {audit.default}",
        [*names, "score", "margin"],
        [
            [*(str(row[name]) for name in names), *(f"{row[name]:.4g}" for name in ("score", "margin"))]
            for row in suspects.to_dict("records")
        ],
    )
    # That it is not known is among the notes.
    if audit.label_errors is not None and audit.label_errors.known:
        output.line(f"\n{str(audit.noise_rate()).splitlines()[0]}")
    if str(audit.agreement):
        output.line(f"Labels that the model agrees with: {audit.agreement}")
    output.line()
    for name, path in paths.items():
        output.line(f"{f'{name}:'.capitalize():<12}{path}")
    data = str(context.params["data"])
    # What came by standard input lies nowhere.
    if data != STANDARD_INPUT:
        output.line("\nDecide in the report, download decisions.jsonl, and correct the data by it:")
        output.line(shlex.join(_correction(data, out)))


def exit_code(audit: Audit, share: float | None) -> int:
    """0, or where more than `share` of the labels is wrong, or that is not known, another, which is explained."""
    if share is None:
        return 0
    rate = audit.noise_rate() if audit.label_errors is not None else None
    if rate is None or not rate.known:
        reason = "nothing that was computed says what class an example is of" if rate is None else rate.reason
        typer.echo(f"--fail-above {share:g}: how many labels are wrong is not known: {reason}", err=True)
        return NOT_KNOWN
    if rate.rate > share:
        typer.echo(f"--fail-above {share:g}: {rate.rate:.2%} of the labels are estimated to be wrong", err=True)
        return ABOVE
    return 0


def _correction(data: str, out: Path) -> list[str]:
    """Command that corrects the data by the decisions of the report in `out`; what comes out is as what went in."""
    fixed = "fixed" + ("".join(Path(data).suffixes) if Path(data).is_file() else "")
    return ["dataaudit", "apply", data, "decisions.jsonl", "--results", str(out), "--out", fixed]


def _files(audit: Audit) -> dict[str, str]:
    known = audit.label_errors is not None and audit.label_errors.known
    listed = {"mislabeled": "mislabeled.csv"} if known else {}
    listed |= {"unlabelled": UNLABELLED} if has_unlabelled(audit) else {}
    return {"report": "report.html", "suspects": "suspects.csv", **listed, "audit": "audit"}


def _rate(audit: Audit) -> dict[str, Any] | None:
    if audit.label_errors is None:
        return None
    rate = audit.noise_rate()
    return {
        "known": rate.known,
        "estimate": rate.rate,
        "lower": rate.lower,
        "upper": rate.upper,
        "flagged": len(audit.mislabeled()) if rate.known else None,
        "reason": rate.reason,
    }
