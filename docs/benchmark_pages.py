"""Pages of the site with a sortable table for each results file of benchmarks/."""

from __future__ import annotations

import re
from html import escape

import pandas as pd

from benchmarks.summary import HERE, MOST, Table, pages, shown, tables

ROOT = HERE.parent


def written() -> dict[str, str]:
    """Markdown of each page by its name; a page without tables is left out."""
    found = list(tables().values())
    parts = {name: [f"# {title}", about] for name, (title, about) in pages().items()}
    for table in found:
        parts[table.page].append(block(table))
    return {name: "\n\n".join(part) for name, part in parts.items() if len(part) > 2}


def places() -> dict[str, str]:
    """Where the table of a results file stands, by the file's path in the repository."""
    return {
        table.file.relative_to(ROOT).as_posix(): f"benchmarks/{table.page}.md#{anchor(table.title)}"
        for table in tables().values()
    }


def anchor(title: str) -> str:
    """Fragment of a heading, as GitHub and MyST spell it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def block(table: Table) -> str:
    """Heading, words, table, and where it comes from."""
    frame = table.compared()
    parts = [f"## {table.title}"]
    if table.about:
        parts.append(table.about)
    behind = losses(frame)
    if behind:
        parts.append(behind)
    if len(frame) > MOST:
        parts.append(f"The first {MOST} of {len(frame)} rows; the file has all.")
        frame = frame.head(MOST)
    parts += [f"```{{raw}} html\n{html(frame, table)}\n```", origin(table)]
    return "\n\n".join(parts)


def losses(frame: pd.DataFrame) -> str:
    """How many rows are behind, for each gain that a table has."""
    told = []
    for column in gains(frame):
        known = frame[column].dropna()
        told.append(f"{column}: ahead in {(known > 0).sum()} of {len(known)} rows, behind in {(known < 0).sum()}")
    return f"{'; '.join(told)}. Rows that are behind have a red figure with a minus sign." if told else ""


def gains(frame: pd.DataFrame) -> list[str]:
    """Columns that say how far ours is ahead."""
    return [column for column in map(str, frame) if column == "gain" or column.endswith(", gain")]


def html(frame: pd.DataFrame, table: Table) -> str:
    """A table whose header cells become buttons by static/sortable.js; what stands in them sorts it."""
    compared = gains(frame)
    figures = {column: pd.api.types.is_numeric_dtype(frame[column]) for column in frame}
    head = "".join(
        f'<th scope="col"{" class=number" if figures[name] else ""}>{escape(str(name))}</th>' for name in frame
    )
    texts = {name: shown(frame[name], table.digits) for name in frame}
    rows = []
    for place in range(len(frame)):
        cells = []
        for name in frame:
            value, text = frame[name].iloc[place], texts[name][place]
            kinds = ["number"] * figures[name] + ["loss"] * bool(name in compared and value < 0)
            sort = f' data-sort="{value}"' if figures[name] and text else ""
            sign = "+" if name in compared and value > 0 else ""
            cells.append(f'<td class="{" ".join(kinds)}"{sort}>{sign}{escape(text)}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="pst-scrollable-table-container measured" tabindex="0" role="region" '
        f'aria-label="{escape(table.title)}"><table class="table sortable"><thead><tr>{head}</tr></thead>\n<tbody>'
        + "\n".join(rows)
        + "</tbody></table></div>"
    )


def origin(table: Table) -> str:
    """Command, file, commits, machines and versions."""
    found = table.origin()
    command = f"`{table.command}`, " if table.command else ""
    told = "; ".join(f"{column}: {', '.join(values)}" for column, values in found.items())
    return f"*From {command}`{table.file.relative_to(ROOT).as_posix()}`; {told}.*"
