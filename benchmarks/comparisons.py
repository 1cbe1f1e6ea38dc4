"""Tables that take more than grouping: the default score beside cleanlab's best, counts, differences paired by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from benchmarks.peers.cases import planted
from benchmarks.peers.tables import Place, Row, best, is_default, medians


def label_errors(lines: pd.DataFrame) -> pd.DataFrame:
    """Default score and the best of cleanlab's in each row, by average precision and AUROC: medians over seeds."""
    rows = []
    records: list[Row] = [
        dict(zip(map(str, lines), line, strict=True)) for line in lines.astype(object).fillna("").to_numpy()
    ]
    for where, scores in medians(records).items():
        ours, theirs = best(scores, is_default), best(scores, lambda score: score[0] == "cleanlab")
        if not ours:
            continue
        row: dict[str, Any] = _place(where)
        for figure, name in (("average_precision", "AP"), ("auroc", "AUROC")):
            mine, peer = ours[figure][0], theirs[figure][0] if theirs else np.nan
            row |= {f"{name}, gain": mine - peer, f"{name}, consensus": mine, f"{name}, cleanlab": peer}
        costs = scores[ours["auroc"][1]], scores[theirs["average_precision"][1]] if theirs else {}
        row["passes"], row["passes, cleanlab"] = (cost.get("passes", np.nan) for cost in costs)
        row["processor s"], row["processor s, cleanlab"] = (cost.get("processor", np.nan) for cost in costs)
        rows.append(row)
    return pd.DataFrame(rows)


def _place(where: Place) -> dict[str, Any]:
    data, noise, rows, model = where
    kind = "planted" if planted(noise) else "real"
    return {"data": data, "errors": kind, "labels": noise, "rows": rows, "model": model}


def counts(lines: pd.DataFrame) -> pd.DataFrame:
    """How often intervals hold the truth, and how far estimates are off, by kind of case."""
    names = {
        "weak": "weak models", "memorising": "memorising models", "real": "real errors", "clean": "clean data",
        "small": "small data", "other": "others",
    }  # fmt: skip
    rows = [_count(names[kind], lines[lines["stratum"] == kind]) for kind in names]
    return pd.DataFrame([*rows, _count("all", lines)])


def _count(name: str, lines: pd.DataFrame) -> dict[str, Any]:
    wrong = lines[(lines["true"] >= 0.02) & lines["rate"].notna()]
    off = {
        column: float(np.nanmedian(np.abs(np.log(wrong[column].clip(lower=1e-4) / wrong["true"]))))
        if len(wrong)
        else np.nan
        for column in ("rate", "cleanlab")
    }
    return {
        "cases": name,
        "number": len(lines),
        "interval holds the truth, %": 100 * lines["holds"].astype(bool).mean(),
        "not known, %": 100 * lines["rate"].isna().mean(),
        "error of the estimate": off["rate"],
        "error of cleanlab's": off["cleanlab"],
    }


def helps(lines: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy beyond plain training, with 95 % intervals, paired by seed."""
    rows = []
    for (data, noise), part in lines.groupby(["data", "noise"], sort=False):
        plain = part[part["strategy"] == "plain"].set_index("seed")["accuracy"]
        for (strategy, by), own in part.groupby(["strategy", "by"], sort=False):
            gains = (own.set_index("seed")["accuracy"] - plain).dropna()
            if strategy == "plain":
                continue
            n = len(gains)
            half = student.ppf(0.975, n - 1) * gains.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
            names = {"data": data, "errors": noise, "strategy": strategy, "weighs": by, "seeds": n}
            rows.append({**names, "gain": gains.mean() if n else np.nan, "± (95 %)": half})
    return pd.DataFrame(rows)


def faults(lines: pd.DataFrame) -> pd.DataFrame:
    """Trials by kind: what came of them."""
    outcomes = ["trials", "fine", "refused", "lost", "silent", "bare"]
    return lines.groupby("kind", sort=False)[outcomes].sum().reset_index()
