"""Do scores order natural images as people do? Spearman's correlation with the share of votes for the clean label.

    python -m benchmarks.peers.votes --data FOLDER [--code FOLDER] [--rows 10000] [--seeds 0] [--table]

Needs cifar10_human.npz in --data, where about 51 people voted on each image. It is audited with its clean labels, by
a plain call with the network of benchmarks/peers/label_errors.py. --code runs the library of another checkout, for
figures of before; the network is defined here, for older versions have none. A finished run is appended to
results/votes.csv, and skipped when it is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from torch import nn

from benchmarks.common import Array, append, kept, machine, table

RESULTS = Path(__file__).parent / "results" / "votes.csv"
KEY = ("code", "rows", "seed")
FIELDS = [*KEY, "score", "spearman", "processor", "commit", "machine", "versions"]


def block(inputs: int, outputs: int) -> list[nn.Module]:
    """Two convolutions, the first one pooled."""
    first = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.GELU()]
    return [*first, nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.GELU()]


def network() -> nn.Module:
    """What `dataaudit.networks.BlockCNN(3, 10)` is."""
    parts = [nn.Conv2d(3, 24, 2), nn.GELU(), *block(24, 64), *block(64, 128), *block(128, 128)]
    return nn.Sequential(*parts, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def ranks(audit: Any, name: str) -> Array:
    """Findings in `ranking`, which breaks ties."""
    places = np.empty(len(audit))
    places[audit.ranking(name)] = np.arange(len(audit))
    return places


def run(options: argparse.Namespace) -> None:
    """All runs that are not there yet."""
    here, code = machine(), "before" if options.code else "now"
    if options.code:
        folder = str(options.code.resolve())
        sys.path[:0] = [folder, f"{folder}/kernels"]
        asked = ["git", "-C", folder, "rev-parse", "--short", "HEAD"]
        here["commit"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    import time

    import dataaudit

    with np.load(options.data / "cifar10_human.npz") as found:
        images = np.ascontiguousarray(found["images"][: options.rows].transpose(0, 3, 1, 2))
        labels, votes = found["clean_label"][: options.rows].astype(np.int64), found["votes"][: options.rows]
    share = votes[np.arange(len(labels)), labels] / votes.sum(1)
    for seed in options.seeds:
        key = (code, str(options.rows), str(seed))
        if key in {tuple(row[name] for name in KEY) for row in kept(RESULTS)}:
            continue
        start = time.process_time()
        audit = dataaudit.score(network, (images, labels), seed=seed, progress=False)
        spent = round(time.process_time() - start, 1)
        lines = []
        for name in audit.columns:
            rho = float(spearmanr(ranks(audit, name), share).statistic)
            line = {"score": name, "spearman": round(rho, 4), "processor": spent}
            lines.append({**dict(zip(KEY, key, strict=True)), **line, **here})
        append(RESULTS, FIELDS, lines)


def tell() -> None:
    """Every score, before and now."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in kept(RESULTS):
        found.setdefault((row["rows"], row["seed"], row["score"]), {})[row["code"]] = row["spearman"]
    lines = [[*key, both.get("before", "-"), both.get("now", "-")] for key, both in found.items()]
    table(["rows", "seed", "score", "before", "now"], sorted(lines, key=lambda line: line[4], reverse=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--code", type=Path, metavar="FOLDER")
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    if not options.table:
        run(options)
    tell()


if __name__ == "__main__":
    main()
