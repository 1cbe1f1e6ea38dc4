"""Data sets that options name."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataaudit.cli.options import columns
from dataaudit.common import checks

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
    known = {name: value for name, value in audit.settings.get("data", {}).items() if given.get(name) is None}
    lenient = "drop" if audit.settings.get("dropped_rows") else "raise"
    read = {"on_bad_rows": lenient, "embed": audit.settings.get("embedding")}
    return open_examples({**given, **known, **read, "exclude": given["exclude"]})


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
        table=TableFormat(given["format"], given["delimiter"], given["encoding"]),
    )
