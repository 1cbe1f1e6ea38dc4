"""Who finds label errors, how many, and at what cost: this library, cleanlab and a k-NN vote. Real errors come first.

    python -m benchmarks.peers.label_errors --data FOLDER [--fashion FOLDER] [--cache FOLDER] [--only PATTERN ...]

Needs cifar10_human.npz, cifar10_human_features.npy, hausa_news.csv, yoruba_news.csv, satellite.csv and trec.csv in
--data: images of ten classes that people labelled (`one_annotator`: a vote each; `careless` and `very_careless`: votes
sharpened towards slips), features of them by a network that learned from others, and news titles labelled by rules.
Errors are planted in the rest.

Our side is a plain call of `score` with every setting its default. cleanlab gets 5-fold predictions by our own learner
of the same model, and its best score counts, Datalab's included; for networks on images the better of two recipes,
"12 epochs" (crops, mirror images, weight decay 5e-4, SGD at .1) and "auto", what `score` chose. Models without epochs
have one way to train. On features it gets a linear probe and logistic regression. The aum package is not run: its score
is our `mean_margin`, from which it differed by at most .0003 in either figure over 90 cases.

A cell is data, labels, rows, model, seed, tool and training. A finished one is appended to the CSV files, one that is
there is skipped, so the same command goes on where it stopped; cleanlab's folds are kept in --cache besides.
`--ours-only` and `--peers-only` run either half; the recipe "auto" is read from our half, which has to be there.
`--table` prints the tables, `--against` compares the default with that of another file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from benchmarks.common import FASHION, Array
from benchmarks.peers import collect, tools
from benchmarks.peers.cases import NOISES, Case, cases, sources
from benchmarks.peers.cells import DECISIONS, SCORES, Book, cell, chosen_recipe, here
from benchmarks.peers.tables import tell_against, tell_decisions, tell_scores

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Run:
    """Where finished cells go."""

    scores: Book
    decisions: Book
    cache: Path

    def ours(self, case: Case) -> None:
        what = cell(case, "dataaudit")
        if self.scores.has(what) and self.decisions.has(what):
            return
        with collect.Clock() as clock:
            audit = tools.audited(case)
        if not self.decisions.has(what):
            self.decisions.append([tools.our_decisions(case, audit)])
        if not self.scores.has(what):
            self.scores.append(list(tools.our_rows(case, audit, clock)))
        tell(case, f"dataaudit, {clock.wall:.0f} s")

    def cleanlab(self, case: Case) -> None:
        found = list(collect.ways(case, chosen_recipe(self.scores.rows(), case)))
        if not any(way.name == "auto" or not collect.by_recipe(way.model) for way in found):
            tell(case, "cleanlab with what 'auto' chose is left out: our half has not been run")
        for way in found:
            what = cell(case, "cleanlab", way.name)
            if self.scores.has(what) and self.decisions.has(what):
                continue
            folds = collect.out_of_fold(case, way, self.cache)
            if not self.decisions.has(what):
                self.decisions.append([tools.cleanlab_decisions(case, way, folds)])
            if not self.scores.has(what):
                self.scores.append(list(tools.cleanlab_rows(case, way, folds)))
            tell(case, f"cleanlab, {way.name}, {folds.wall:.0f} s")
        what = cell(case, "cleanlab", "features")
        if len(case.given) <= tools.DATALAB_ROWS and not self.scores.has(what):
            self.scores.append([tools.feature_row(case)])
            tell(case, "Datalab of features")

    def neighbours(self, case: Case, near: Callable[[], Array]) -> None:
        what = cell(case, "k-NN")
        if not self.scores.has(what):
            found = tools.figures(tools.vote(case, near()), case.wrong)
            self.scores.append([{**what, "score": f"vote of {tools.VOTERS}", **found}])


def tell(case: Case, text: str) -> None:
    print(f"{case.source.name}, {case.noise}, seed {case.seed}: {text}", flush=True)


def run(options: argparse.Namespace, work: Run) -> None:
    """Every case of the chosen sources."""
    made = sources(options)
    patterns = options.only or ["*"]
    names = [name for name in made if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not names:
        raise SystemExit(f"--only {' '.join(patterns)} is none of: {', '.join(made)}")
    for name in names:
        source = made[name]()
        kept: list[Array] = []

        def near(source: Any = source, kept: list[Array] = kept) -> Array:
            if not kept:
                kept.append(tools.nearest_others(source))
            return kept[0]

        for case in cases(source, options.seeds, options.noise):
            if not options.peers_only:
                work.ours(case)
            if not options.ours_only:
                work.cleanlab(case)
                work.neighbours(case, near)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data", metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=Path("label_error_cache"), metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="some cases take the first alone")
    parser.add_argument("--only", nargs="+", metavar="PATTERN", help='names of data sets with models, "careless*"')
    kinds = ", ".join(NOISES).replace("%", "%%")
    parser.add_argument("--noise", nargs="+", metavar="NOISE", help=f"labelling, or kind of noise: {kinds}")
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--ours-only", action="store_true")
    half.add_argument("--peers-only", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--suffix", default="", help="of the names of both files")
    parser.add_argument("--table", action="store_true", help="print the tables, and run nothing")
    parser.add_argument("--against", type=Path, metavar="FILE.csv", help="scores of another version of the library")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    scores = Book(options.out / f"label_errors{options.suffix}.csv", SCORES)
    decisions = Book(options.out / f"label_error_decisions{options.suffix}.csv", DECISIONS)
    if not options.table:
        torch.set_num_threads(options.threads)
        options.cache.mkdir(parents=True, exist_ok=True)
        here()
        with threadpool_limits(options.threads):
            run(options, Run(scores, decisions, options.cache))
    tell_scores(scores.rows())
    tell_decisions(decisions.rows(), scores.rows())
    if options.against is not None:
        tell_against(scores.rows(), Book(options.against, SCORES).rows())


if __name__ == "__main__":
    main()
