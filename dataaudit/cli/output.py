"""What commands print."""

from __future__ import annotations


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print rows of text under a head."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left")
    for name in head:
        drawn.add_column(name)
    for row in rows:
        # Class names are shown as they are, not read as markup.
        drawn.add_row(*map(Text, row))
    Console().print(drawn)
