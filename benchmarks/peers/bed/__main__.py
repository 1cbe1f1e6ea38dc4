"""What cases with known label errors show, kept so that estimators of errors can be tried without any training.

    python -m benchmarks.peers.bed --data FOLDER --cache FOLDER [--fashion FOLDER] [--only PATTERN ...]
        [--stratum NAME ...] [--threads 1] [--list] [--table]

Needs, in --data, the files that benchmarks/peers/label_errors.py needs, and mnist_cscores.npz, yeast.npz, emotions.npz,
air_quality.csv and conll03_test.csv. Every case of benchmarks/peers/bed/strata.py is audited by a plain
`dataaudit.score`; a file in --cache holds what it shows (see `benchmarks.peers.bed.shown.read`). Cheap cases come
first; what is there already is skipped, so that an interrupted run goes on. Figures are lines of results/bed.csv, and
--table sums them up by stratum. `--stratum fresh` runs ten cases that nothing was fitted to. After a change of how
probabilities are judged `--judge` does that anew for all that is there.
"""

from __future__ import annotations

import argparse
import csv
import traceback
import warnings
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.common import FASHION, table
from benchmarks.peers.bed import shown
from benchmarks.peers.bed.data import Folders
from benchmarks.peers.bed.strata import STRATA, Case, cases, fresh

RESULTS = Path(__file__).parent.parent / "results" / "bed.csv"


def line_of(about: dict[str, Any]) -> dict[str, Any]:
    """Figures of a case for the CSV file."""
    today, peer, right = about["today"], about["cleanlab"], about["accuracy_on_true"]
    rate, held = about["error_rate"], right.get("source_heldout", right.get("part", ""))
    return {
        "case": about["case"],
        "family": about["family"],
        "stratum": about["stratum"],
        "n": about["n"],
        "classes": about["classes"],
        "sources": " ".join(about["sources"]),
        "rate": round(rate, 5),
        "estimated": round(today["rate"], 5),
        "lower": round(today["lower"], 5),
        "upper": round(today["upper"], 5),
        "holds": holds(rate, today["lower"], today["upper"], about["n"]),
        "cleanlab_issues": round(peer["issues"], 5) if peer else "",
        "cleanlab_joint": round(peer["joint"], 5) if peer else "",
        "accuracy_held_out": held,
        "agreement": about.get("agreement", {}).get("trained", ""),
        "seconds": round(about["seconds"] + about["seconds_part"] + peer.get("seconds", 0.0), 1),
        **{name: about[name] for name in ("commit", "machine", "versions")},
    }


def holds(rate: float, lower: float, upper: float, n: int) -> bool:
    """Whether an interval holds the rate; its bounds are known to half an example."""
    return bool(lower - 0.5 / n <= rate <= upper + 0.5 / n)


def kept(folders: Folders) -> list[dict[str, Any]]:
    """Figures of all cases that are there, or were when the CSV file was written, in the order of the table."""
    before: dict[str, dict[str, Any]] = {}
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            before = {line["case"]: line for line in csv.DictReader(file)}
    there = [(case.name, folders.cache / case.file) for case in (*cases(), *fresh())]
    found = [line_of(shown.about_of(path)) if path.exists() else before.get(name) for name, path in there]
    return [line for line in found if line is not None]


def write(lines: list[dict[str, Any]]) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    unfinished = RESULTS.with_suffix(".part")
    with unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    unfinished.replace(RESULTS)


def tell(lines: list[dict[str, Any]]) -> None:
    """The library's estimates, where it counts, and cleanlab's of the same cases, by stratum and in all."""
    head = ["stratum", "cases", "families", "holds", "upper / lower", "|log ratio|", "within 20 % or .01"]
    rows = []
    for name in (*STRATA, "all", "fresh"):
        own = [line for line in lines if name == line["stratum"] or (name == "all" and line["stratum"] in STRATA)]
        if own:
            rows.append(summary(name, own))
    table([*head, "cleanlab: cases", "its |log ratio|", "joint's", "ours on these"], rows)


def summary(name: str, lines: list[dict[str, Any]]) -> list[str]:
    rate, guess, lower, upper, n = (
        np.array([float(line[key]) for line in lines]) for key in ("rate", "estimated", "lower", "upper", "n")
    )
    least, counted = 0.5 / n, ~np.isnan(guess)
    width = np.median((np.maximum(upper, least) / np.maximum(lower, least))[counted])
    near = np.abs(guess - rate) <= np.maximum(0.2 * rate, 0.01)
    peers = np.array([line["cleanlab_issues"] != "" for line in lines]) & (rate > 0) & counted
    others = [
        np.array([float(line[key] or "nan") for line in lines])[peers]
        for key in ("cleanlab_issues", "cleanlab_joint", "estimated")
    ]
    return [
        name,
        str(len(lines)),
        str(len({line["family"] for line in lines})),
        f"{np.mean([str(line['holds']) == 'True' for line in lines]):.0%}",
        f"{width:.2f}",
        off(*(values[(rate > 0) & counted] for values in (guess, rate, least))),
        f"{near[counted].mean():.0%}",
        str(peers.sum()),
        *(off(values, rate[peers], least[peers]) for values in others),
    ]


def off(guess: Any, rate: Any, least: Any) -> str:
    """Median of |log(estimate / rate)|, estimates being half an example at least; blank without errors."""
    if not len(rate):
        return ""
    return f"{np.median(np.abs(np.log(np.maximum(guess, least) / rate))):.2f}"


def chosen(options: argparse.Namespace) -> list[Case]:
    """Cases asked for, the cheap ones first, and those of the same data together."""
    found = [
        case
        for case in (*cases(), *fresh())
        if case.stratum in (options.stratum or ((*STRATA, "fresh") if options.judge else STRATA))
        and (not options.only or any(fnmatchcase(case.name, pattern) for pattern in options.only))
    ]
    if not found:
        raise SystemExit(f"--only {options.only} --stratum {options.stratum} is no case: see --list")
    return sorted(found, key=lambda case: (np.ceil(np.log2(case.cost)), case.kind, case.cost))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=Path("bed_cache"), metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="PATTERN", help='names of cases, "*digits*"')
    parser.add_argument("--stratum", nargs="+", choices=[*STRATA, "fresh"], metavar="NAME", help=", ".join(STRATA))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="name the cases, and run nothing")
    parser.add_argument("--judge", action="store_true", help="judge again what is there, and train nothing")
    parser.add_argument("--table", action="store_true", help="print the table of what is there, and run nothing")
    options = parser.parse_args()
    folders = Folders(options.data, options.fashion, options.cache)
    wanted = chosen(options)
    if options.list:
        for case in wanted:
            print(f"{case.name}  ({case.cost:.0f} s, {'there' if (folders.cache / case.file).exists() else 'missing'})")
        return
    failed: list[str] = []
    if options.judge:
        for case in wanted:
            if (folders.cache / case.file).exists():
                shown.judge_again(folders.cache / case.file)
    elif not options.table:
        torch.set_num_threads(options.threads)
        options.cache.mkdir(parents=True, exist_ok=True)
        with threadpool_limits(options.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            failed = run(wanted, folders)
    lines = kept(folders)
    if lines:
        write(lines)
        tell(lines)
    if failed:
        raise SystemExit(f"{len(failed)} cases failed: {'; '.join(failed)}")


def run(wanted: list[Case], folders: Folders) -> list[str]:
    """All cases that are not there yet; names of those that failed, which do not keep others from being run."""
    failed = []
    for case in wanted:
        if (folders.cache / case.file).exists():
            continue
        try:
            shown.run(case, folders)
        except Exception:
            traceback.print_exc()
            failed.append(case.name)
            continue
        line = line_of(shown.about_of(folders.cache / case.file))
        print(
            f"{case.name}: {line['rate']:.4f}, told {line['estimated']:.4f} [{line['lower']:.4f}, {line['upper']:.4f}],"
            f" cleanlab {line['cleanlab_issues']}, {line['seconds']} s (expected {case.cost:.1f})",
            flush=True,
        )
        write(kept(folders))
    return failed


if __name__ == "__main__":
    main()
