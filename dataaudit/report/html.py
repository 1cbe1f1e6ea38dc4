"""One page a person can read: the worst examples, their labels, and how all scores are spread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dataaudit.errors import StorageError
from dataaudit.report.figures import histogram, picture, sparkline

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit
    from dataaudit.data.examples import Examples

EXAMPLES = 60
PAIRS = 12
SHARE = 0.05


def write_report(audit: Audit, examples: Examples | None, path: str | Path, k: int = EXAMPLES) -> Path:
    """Write the report of `audit`: one file that needs nothing else.

    Parameters
    ----------
    audit
        What to show.
    examples
        Its data set, for pictures and values; without it the page has positions only, and says so.
    path
        File to write; its folder must exist. It is replaced when the new page is complete.
    k
        How many of the worst examples to show.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    path = Path(path)
    if not path.name:
        raise StorageError(f"{str(path)!r} as the file to write", "the name of a file", "name one, like report.html")
    page = _environment().get_template("template.html.j2").render(**_content(audit, examples, k)).encode()
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(page)
        os.replace(partial, path)
    except OSError as error:
        try:
            partial.unlink(missing_ok=True)
        except OSError as second:
            error.add_note(f"{partial} could not be removed either: {second}")
        raise StorageError(
            f"{path}, which cannot be written ({error})",
            "a file in a folder that exists and can be written, on a disk with room",
            "name another file",
        ) from error
    return path


def _environment() -> Environment:
    # Class names and values are a stranger's: everything is escaped.
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def _content(audit: Audit, examples: Examples | None, k: int) -> dict[str, Any]:
    cards = _cards(audit, examples, k)
    disagrees = (audit.suggested >= 0) & (audit.suggested != audit.labels)
    return {
        "audit": audit,
        "n": len(audit),
        "classes": len(audit.class_names),
        "disagree": int(disagrees.sum()),
        "told": str(audit.noise_rate()).splitlines()[0] if audit.judgement is not None else "",
        "cards": cards,
        "has_values": any(card["values"] for card in cards),
        "has_data": examples is not None,
        "histograms": [
            (name, Markup(histogram(values, disagrees)), int((~np.isfinite(values)).sum()))
            for name, values in audit.columns.items()
        ],
        "pairs": _pairs(audit),
        "by_class": _by_class(audit),
        "share": f"{SHARE:.0%}",
        "settings": [(name, _plain(value)) for name, value in audit.settings.items() if name != "notes"],
        "notes": audit.settings.get("notes", []),
        "timings": [(name, f"{seconds:.2f} s") for name, seconds in audit.timings.items()],
    }


def _cards(audit: Audit, examples: Examples | None, k: int) -> list[dict[str, Any]]:
    cards = []
    worst = audit.ranking()[:k].tolist()
    for position, row in zip(worst, audit.suspects(k).to_dict("records"), strict=True):
        shown = examples.show(position) if examples is not None else None
        image = picture(shown)
        line = ""
        if audit.dynamics is not None:
            line = sparkline(audit.dynamics.confidence_by_epoch[:, position])
        cards.append(
            {
                "index": int(row["index"]),
                "given": row["given"],
                "suggested": row["suggested"],
                "score": f"{row['score']:.3g}",
                "image": image,
                "values": [] if image or shown is None else values(shown),
                "line": Markup(line),
            }
        )
    return cards


def values(shown: Any, most: int = 8) -> list[tuple[str, str]]:
    """Pairs (name, value) that stand for an example without a picture; names are blank for texts.

    Examples
    --------
    >>> values({"a": 1.25, "b": "x"})
    [('a', '1.25'), ('b', 'x')]
    """
    if isinstance(shown, Mapping):
        pairs = [(str(name), _short(value)) for name, value in list(shown.items())[:most]]
        more = len(shown) - most
    elif isinstance(shown, np.ndarray):
        flat = shown.reshape(-1)
        pairs = [("", ", ".join(_short(value) for value in flat[:most].tolist()))]
        more = len(flat) - most
    else:
        return [("", _short(shown, 280))]
    return [*pairs, ("", f"and {more} more")] if more > 0 else pairs


def _short(value: Any, length: int = 60) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _worst(audit: Audit) -> Any:
    return audit.ranking()[: max(1, round(SHARE * len(audit)))]


def _pairs(audit: Audit) -> list[tuple[str, str, int]]:
    """(given, suggested, count) among the worst, most frequent first."""
    worst = _worst(audit)
    given, suggested = audit.labels[worst], audit.suggested[worst]
    other = (suggested >= 0) & (suggested != given)
    keys, counts = np.unique(np.stack([given[other], suggested[other]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:PAIRS]
    names = audit.class_names
    return [(names[keys[0, i]], names[keys[1, i]], int(counts[i])) for i in order]


def _by_class(audit: Audit) -> list[tuple[str, int, str, int]]:
    """(name, examples, mean score, number among the worst), most suspicious class first."""
    scores, classes = audit.columns[audit.default], len(audit.class_names)
    size = np.bincount(audit.labels, minlength=classes)
    known = ~np.isnan(scores)
    total = np.bincount(audit.labels[known], weights=scores[known], minlength=classes)
    count = np.bincount(audit.labels[known], minlength=classes)
    mean = np.divide(total, count, out=np.full(classes, np.nan), where=count > 0)
    worst = np.bincount(audit.labels[_worst(audit)], minlength=classes)
    order = np.lexsort((np.arange(classes), mean))
    return [(audit.class_names[c], int(size[c]), f"{mean[c]:.3g}", int(worst[c])) for c in order.tolist()]
