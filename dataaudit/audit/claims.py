"""Fields of an audit as a folder claims them, checked before anything is asked of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dataaudit.audit.label_errors import REVIEW
from dataaudit.common.claims import Claims
from dataaudit.common.types import AnyArray
from dataaudit.dynamics.summary import Dynamics
from dataaudit.evidence.agreement import SHARES
from dataaudit.labels.label_errors import LabelErrors, Vote
from dataaudit.neighbours.graph import Neighbours
from dataaudit.review.outcome import RECORD
from dataaudit.scores.base import Uncertainty

ROUNDED = 1 + 1e-3
"""Largest mean of probabilities, in low precision."""
DEEPEST = 50
"""Levels of settings within settings, which are shown recursively."""


def checked(fields: Mapping[str, Any], claims: Claims) -> dict[str, Any]:
    """Fields of an audit as `Audit` takes them; raises `StorageError` if they are not those of one.

    `fields` holds arrays, JSON values and mappings of both.
    """
    names = ("columns", "ties", "labels", "class_names", "default", "suggested", "margin", "settings", "timings")
    claims.entries("fields", fields, *names, "dynamics", "uncertainties", "label_errors", "identity", "neighbours")
    classes = claims.kind("class_names", fields["class_names"], list)
    claims.check(classes, "no classes", "one at least")
    for name in classes:
        claims.text("a class name", name)
    # A record alone has no label of rows that were never seen: -1.
    labels = claims.array("labels", fields["labels"], "i", (None,), -1, len(classes) - 1)
    claims.check(len(labels), "no examples", "one at least")
    n, c = len(labels), len(classes)
    identity = fields["identity"]
    good = identity is None or (len(identity) == n and len(set(identity.names)) == identity.nlevels)
    claims.check(good, "names of other rows", f"a name for each of {n} rows, or none")
    columns = claims.entries("columns", fields["columns"])
    ties = claims.entries("ties", fields["ties"])
    for name, values in (*columns.items(), *ties.items()):
        claims.array(f"the score {name}", values, "f", (n,), nan=True)
    claims.check(columns.keys() >= ties.keys(), f"ties of {', '.join(ties)}", "ties of its scores")
    claims.check(fields["default"] in columns, f"default {fields['default']!r}", "one of its scores")
    claims.array("suggested", fields["suggested"], "i", (n,), -1, c - 1)
    claims.array("margin", fields["margin"], "f", (n,), nan=True)
    known = claims.entries("uncertainties", fields["uncertainties"])
    claims.check(columns.keys() >= known.keys(), f"uncertainties of {', '.join(known)}", "those of its scores")
    return {
        **fields,
        "class_names": tuple(classes),
        "settings": _settings(fields["settings"], n, claims),
        "timings": _numbers("timings", fields["timings"], claims),
        "uncertainties": {name: _uncertainty(parts, n, claims) for name, parts in known.items()},
        "dynamics": None if fields["dynamics"] is None else _dynamics(fields["dynamics"], n, c, claims),
        "label_errors": None if fields["label_errors"] is None else _errors(fields["label_errors"], n, c, claims),
        "neighbours": {
            claims.text("a representation", space, r"hidden|input"): _neighbours(parts, n, claims)
            for space, parts in claims.entries("neighbours", fields["neighbours"]).items()
        },
    }


def _numbers(what: str, value: Any, claims: Claims, high: float = math.inf) -> dict[str, float]:
    return {
        claims.text(what, name): claims.number(name, number, 0, high)
        for name, number in claims.entries(what, value).items()
    }


def _or_nan(name: str, value: Any, claims: Claims) -> float:
    """Number of 0 to 1; JSON has no NaN."""
    return math.nan if value is None else claims.number(name, value, 0, 1)


def _settings(value: Any, n: int, claims: Claims) -> dict[str, Any]:
    """Settings, of which those that later questions read are looked at."""
    settings = claims.entries("settings", value)
    level: list[Any] = [settings]
    for _ in range(DEEPEST):
        level = [part for outer in level for part in (outer.values() if isinstance(outer, dict) else outer)]
        level = [part for part in level if isinstance(part, (dict, list))]
    claims.check(not level, f"settings of more than {DEEPEST} levels", "settings as they were saved")
    for note in claims.kind("notes", settings.get("notes", []), list):
        claims.text("a note", note)
    for name in ("search", "fingerprint"):
        if settings.get(name) is not None:
            claims.text(name, settings[name])
    if settings.get("seed") is not None:
        claims.whole("seed", settings["seed"], 0)
    shares = claims.entries("agreement", settings.get("agreement", {}))
    for name in SHARES:
        if shares.get(name) is not None:
            claims.number(name, shares[name], 0, 1)
    data = claims.entries("data", settings.get("data", {}))
    for name, value in data.items():
        several = name in ("inputs", "resize", "unlabelled") and isinstance(value, list)
        for column in value if several else [value]:
            claims.kind(name, column, str, int)
    for name, value in claims.entries("reading", settings.get("reading", {})).items():
        claims.kind(name, value, str, int)
    if REVIEW in settings:
        _review(settings[REVIEW], n, claims)
    dropped = _left_out("dropped_rows", settings, n, claims)
    without = _left_out("unlabelled_rows", settings, n + len(dropped), claims)
    claims.check(set(without) <= set(dropped), "unlabelled_rows that were audited", "rows among dropped_rows")
    return settings


def _left_out(name: str, settings: dict[str, Any], n: int, claims: Claims) -> list[int]:
    """Rows of the data set that are not among the `n` of an audit."""
    left: list[int] = claims.kind(name, settings.get(name, []), list)
    good = all(type(row) is int for row in left) and (not left or 0 <= min(left) <= max(left) < 2**62)
    good = good and (not left or left[-1] < n + len(left)) and bool((np.diff(left) > 0).all())
    claims.check(good, f"{name} that are none", "whole numbers, ascending, within the data set")
    return left


def _review(value: Any, n: int, claims: Claims) -> None:
    """Check the record of a review."""
    record = claims.entries(REVIEW, value, *RECORD)
    examples = claims.whole("examples", record["examples"], 1, n)
    for name in ("looked", "wrong", "lower", "upper", "drawn", "chosen", "skipped"):
        claims.whole(name, record[name], 0, examples)
    claims.number("estimate", record["estimate"], 0, examples)
    for pair in claims.kind("ahead", record["ahead"], list):
        good = isinstance(pair, list) and len(pair) == 2 and all(type(part) is int and part >= 0 for part in pair)
        claims.check(good, f"ahead {pair}", "looks, and errors that are left after them")


def _uncertainty(value: Any, n: int, claims: Claims) -> Uncertainty:
    parts = claims.entries("uncertainties", value, "stderr", "lower", "upper", "holdouts", "reliability")
    for name in ("stderr", "lower", "upper"):
        claims.array(name, parts[name], "f", (n,), nan=True)
    claims.array("holdouts", parts["holdouts"], "iu", (n,), 0)
    reliability = parts["reliability"]
    parts["reliability"] = math.nan if reliability is None else claims.number("reliability", reliability, -1e300, 1e300)
    return Uncertainty(**parts)


def _dynamics(value: Any, n: int, c: int, claims: Claims) -> Dynamics:
    parts = claims.entries("dynamics", value, *Dynamics.__dataclass_fields__)
    epochs = claims.whole("epochs", parts["epochs"], 1)
    claims.check(parts["classes"] == c, f"dynamics of {parts['classes']} classes", f"{c} classes")

    def array(name: str, kinds: str, shape: tuple[int | None, ...], *ends: float, nan: bool = False) -> AnyArray:
        low, high = ends or (-math.inf, math.inf)
        return claims.array(f"{name} of dynamics", parts[name], kinds, shape, low, high, nan)

    seen = array("seen", "i", (n,), 0, epochs)
    correct = array("correct", "i", (n,), 0, epochs)
    claims.check((correct <= seen).all(), "rows that were right oftener than seen", "at most as often")
    array("forgetting", "i", (n,), 0, epochs)
    array("first_correct", "i", (n,), 0, 2 * epochs)
    array("suggested", "i", (n,), -1, c - 1)
    for name in ("mean_margin", "mean_el2n", "cumulative_loss"):
        array(name, "f", (n,), nan=True)
    for name in ("mean_confidence", "variability"):
        array(name, "f", (n,), 0, ROUNDED, nan=True)
    kept = c
    if parts["probability_classes"] is not None:
        kept = array("probability_classes", "i", (n, None), -1, c - 1).shape[1]
    array("mean_probabilities", "f", (n, kept), 0, ROUNDED, nan=True)
    if parts["informed_probabilities"] is not None:
        array("informed_probabilities", "f", (n, c), 0, ROUNDED, nan=True)
    stored = len(array("kept_epochs", "i", (None,), 1, epochs))
    for name in ("confidence_by_epoch", "max_confidence_by_epoch"):
        array(name, "f", (stored, n), 0, ROUNDED, nan=True)
    for name in ("correct_bits", "seen_bits"):
        array(name, "u", (epochs, -(-n // 8)), 0, 255)
    array("epoch_weights", "f", (epochs,), 0, ROUNDED)
    return Dynamics(**parts)


def _errors(value: Any, n: int, c: int, claims: Claims) -> LabelErrors:
    parts = claims.entries("label_errors", value, *LabelErrors.__dataclass_fields__)
    claims.array("probability of errors", parts["probability"], "f", (n,), 0, 1 + 1e-9, nan=True)
    claims.array("rival", parts["rival"], "i", (n,), -1, c - 1)
    for name in ("lower", "upper"):
        claims.number(name, parts[name], 0, 1)
    pairs = claims.array("pairs", parts["pairs"], "i", (None, 2), 0, c - 1)
    claims.array("counts", parts["counts"], "f", (len(pairs),), 0, nan=True)
    claims.kind("independent", parts["independent"], bool)
    claims.text("unknown", parts["unknown"])
    rate = _or_nan("rate", parts["rate"], claims)
    claims.check(bool(parts["unknown"]) == math.isnan(rate), f"the rate {rate}", "a rate, or why there is none")
    vote = None if parts["vote"] is None else _vote(parts["vote"], n, c, claims)
    return LabelErrors(
        **{**parts, "rate": rate, "vote": vote, "estimates": _numbers("estimates", parts["estimates"], claims)}
    )


def _vote(value: Any, n: int, c: int, claims: Claims) -> Vote:
    parts = claims.entries("vote", value, *Vote.__dataclass_fields__)
    depth = claims.whole("depth", parts["depth"], 1)
    claims.array("leading", parts["leading"], "i", (n,), 0, c - 1)
    for name in ("same", "votes"):
        claims.array(name, parts[name], "iu", (n,), 0, depth)
    claims.text("space", parts["space"])
    return Vote(**parts)


def _neighbours(value: Any, n: int, claims: Claims) -> Neighbours:
    parts = claims.entries("neighbours", value, *Neighbours.__dataclass_fields__)
    indices = claims.array("indices of neighbours", parts["indices"], "i", (n, None), 0, n - 1)
    claims.check(0 < indices.shape[1] < n, f"{indices.shape[1]} neighbours of {n} rows", "one at least, not all")
    claims.check((indices != np.arange(n)[:, None]).all(), "rows that are their own neighbours", "other rows")
    distances = claims.array("distances of neighbours", parts["distances"], "f", indices.shape, 0)
    claims.check((np.diff(distances, axis=1) >= 0).all(), "neighbours in another order", "the nearest first")
    settings = claims.entries("settings of neighbours", parts["settings"])
    claims.text("search", settings.get("search"))
    claims.number("recall", settings.get("recall", 1.0), 0, 1)
    return Neighbours(indices, distances, settings)
