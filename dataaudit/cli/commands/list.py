"""`dataaudit list`."""

from __future__ import annotations

from dataaudit.cli.base import app
from dataaudit.cli.output import Output


@app.command("list")
def list_() -> None:
    """List scores, networks, recipes and labelling tools."""
    import dataaudit

    spaces = {
        "Scores": dataaudit.scorers,
        "Networks": dataaudit.networks,
        "Recipes": dataaudit.recipes,
        "Labelling tools": dataaudit.exports,
    }
    for title, space in spaces.items():
        Output().table(title, ["name", "what it is"], [list(item) for item in space.describe().items()])
