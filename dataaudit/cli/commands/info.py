"""`dataaudit info`."""

from __future__ import annotations

from dataaudit.cli.base import app


@app.command()
def info() -> None:
    """Print versions of Python and packages, and the machine, for a report of an error."""
    from dataaudit.common.versions import show_versions

    show_versions()
