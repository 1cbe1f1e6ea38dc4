"""Data sets that options name."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataaudit.cli.options import columns
from dataaudit.common import checks
from dataaudit.errors import DataError, arguments

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit
    from dataaudit.data.examples import Examples

STANDARD_INPUT, HUB = "-", "hf:"


def check_there(data: str) -> None:
    """Raise before anything heavy is loaded unless the file or folder exists."""
    if data != STANDARD_INPUT and not data.startswith(HUB):
        checks.exists(Path(data))


def open_audited(audit: Audit, given: Mapping[str, Any]) -> Examples:
    """Examples of the data set that was audited, with the columns that the audit remembers where none are named."""
    lenient = "drop" if audit.settings.get("dropped_rows") else "raise"
    read = {"on_bad_rows": lenient, "embed": audit.settings.get("embedding"), "exclude": given["exclude"]}
    try:
        return open_examples({**as_audited(audit, given), **read})
    except DataError as error:
        # Of an option that nobody gave it must be said where it comes from.
        at_fault = {found.name for found in arguments(error.arrived)}
        if not at_fault & {name for name in _remembered(audit) if given.get(name) is None}:
            raise
        actions = ["pass the data set that was audited", *error.alternatives]
        raise DataError(f"{error.arrived}, which the audit remembers", error.expected, actions) from error


def as_audited(audit: Audit, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options `given`, and where they are left out, those by which the audited data set was read."""
    return {**given, **{name: value for name, value in _remembered(audit).items() if given.get(name) is None}}


def _remembered(audit: Audit) -> dict[str, Any]:
    return {**audit.settings.get("data", {}), **audit.settings.get("reading", {})}


def with_reading(audit: Audit, given: Mapping[str, Any]) -> Audit:
    """An audit that remembers, for commands that read its data set again, how the file is read and images resized."""
    from dataaudit.data.files import READING

    reading = {name: given[name] for name in (*READING, "size") if given[name] is not None}
    return replace(audit, settings={**audit.settings, "reading": reading}) if reading else audit


def open_examples(given: Mapping[str, Any]) -> Examples:
    """Examples of the data set that a command's options name."""
    from dataaudit.data.files import open_data
    from dataaudit.data.formats import TableFormat

    data = given["data"]
    return open_data(
        io.BytesIO(sys.stdin.buffer.read()) if data == STANDARD_INPUT else data,
        label=given["label"],
        inputs=columns(given["inputs"]),
        key=given["key"],
        exclude=columns(given["exclude"]),
        split=given["split"],
        size=given["size"],
        unlabelled=given.get("unlabelled"),
        lenient=given["on_bad_rows"] == "drop",
        raw=given.get("embed") is not None,
        table=TableFormat(given["format"], given["delimiter"], given["encoding"], given["missing"]),
    )
