"""C-scores of every subset ratio, from counts of holdout runs: of our own runs, or of those that are committed.

    python -m benchmarks.paper.counts FILE.npz --store STORE  # writes results/mnist_counts.npz from a store of runs
    python -m benchmarks.paper.counts FILE.npz --runs 64      # adds runs to it, up to so many of each ratio, one by one

The committed file holds counts of MNIST, by the paper's network and recipe (table 2), so that nobody has to make the
runs again: how often each image was held out, and was then classified correctly, for each subset ratio, in chunks of
1, 1, 2, 4, 8, ... runs, so that every doubling of the runs can be compared with the half before. `python -m
benchmarks.paper figure-5 DIR --mnist FILE --full` makes such runs anew.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config

import dataaudit
from benchmarks.common import Array, machine
from benchmarks.paper.datasets import of_file
from benchmarks.paper.setting import FULL, Data, Setting, put
from dataaudit.data import as_examples
from dataaudit.holdout.plan import Plan, Run
from dataaudit.holdout.settings import GRID
from dataaudit.holdout.store import Store
from dataaudit.holdout.tally import reliability
from dataaudit.learners.adapt import as_learner

COMMITTED = Path(__file__).parent / "results" / "mnist_counts.npz"


@dataclass(frozen=True, eq=False)
class Counts:
    """Holdouts and correct ones, [chunks, ratios, n]: chunk 0 is the first run, chunk c the runs 2^(c-1) to 2^c - 1."""

    held: Array
    correct: Array
    runs: int
    """Runs of each ratio."""
    source: str

    def scores(self, chunks: slice | Array = slice(None)) -> Array:
        """C-score of each ratio from some chunks, [ratios, n], NaN where never held out."""
        held, correct = (part[chunks].sum(0, dtype=np.int64) for part in (self.held, self.correct))
        with np.errstate(invalid="ignore"):
            return np.asarray(correct / held)

    @property
    def integral(self) -> Array:
        """Mean over the ratios [n]."""
        return np.asarray(self.scores().mean(0))

    @property
    def doublings(self) -> list[int]:
        """Numbers of runs after which there are as many again."""
        return [2**chunk for chunk in range(len(self.held)) if 2**chunk <= self.runs]

    def halves(self, runs: int) -> tuple[Array, Array]:
        """C-scores of each ratio from the first and the second half of so many runs, a power of two."""
        last = int(np.log2(runs))
        return self.scores(slice(0, last)), self.scores(slice(last, last + 1))

    def reliability(self, runs: int | None = None, ratio: int | None = None) -> float:
        """Split-half reliability after so many runs, a power of two: of one ratio by its place, or of the integral.

        Of all runs for None, by Spearman-Brown from the largest power of two among them. The integral of a row in a
        half is the mean over the ratios at which both halves held it out.
        """
        split = runs or self.doublings[-1]
        if split < 2:
            return float("nan")
        one, other = self.halves(split)
        both = np.isfinite(one) & np.isfinite(other)
        one, other = (mean_of(np.where(both, half, np.nan)) if ratio is None else half[ratio] for half in (one, other))
        found = reliability(one[None], other[None])
        more = (runs or self.runs) / split
        return more * found / (1 + (more - 1) * found) if found > 0 else found


def mean_of(scores: Array) -> Array:
    """Mean over the ratios that are known [n], NaN where none is."""
    known = np.isfinite(scores)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, scores, 0).sum(0) / known.sum(0))


def chunk_of(number: int) -> int:
    """Chunk that a run belongs to."""
    return number.bit_length()


def read_store(folder: str | Path, n: int, source: str) -> Counts:
    """Counts of the runs of which a store has all nine ratios."""
    store = Store(str(folder))
    there = store.runs([Run(ratio, number) for ratio in GRID for number in range(100_000)])
    numbers = [{run.number for run in there if run.ratio == ratio} for ratio in GRID]
    runs = next(number for number in range(100_000) if not all(number in own for own in numbers))
    chunks = chunk_of(runs - 1) + 1 if runs else 0
    held, correct = (np.zeros((chunks, len(GRID), n), np.uint16) for _ in range(2))
    for place, ratio in enumerate(GRID):
        for number in range(runs):
            record = store.read(there[Run(ratio, number)][0], n)
            assert record is not None
            out, right = record.unpacked(n)
            held[chunk_of(number), place] += out
            correct[chunk_of(number), place] += right
    return Counts(held, correct, runs, source)


@lru_cache(maxsize=8)
def committed(data: Data) -> Counts | None:
    """The committed counts in the order of these rows, if they are of these images and labels."""
    if not COMMITTED.exists():
        return None
    with np.load(COMMITTED) as archive:
        if int(archive["rows"]) != len(data):
            return None
        if str(archive["fingerprint"]) != data.rows(np.argsort(data.index)).fingerprint:
            return None
        held, missed = (archive[name][:, :, data.index].astype(np.uint16) for name in ("held", "missed"))
        return Counts(held, held - missed, int(archive["runs"]), str(archive["source"]))


def of(setting: Setting, data: Data) -> Counts:
    """Counts for all that figures of subset ratios need: the committed ones in a short run, our own otherwise."""
    ready = None if setting.full else committed(data)
    if ready is not None:
        return ready
    held_out(setting, data, ["c_score_integral"])
    found = read_store(_store(setting, data), len(data), f"{setting.sizes.runs} runs of each ratio, made here")
    without = int(np.isnan(found.integral).sum())
    if not without:
        return found
    few = f"{found.source}; {without} of {len(data)} rows were not held out at every ratio and have no score"
    return replace(found, source=few)


def held_out(setting: Setting, data: Data, names: list[str]) -> dataaudit.Audit:
    """Scores by our own holdout runs: made once, and read from the folder from then on."""
    network, recipe = setting.network(data)
    # With few runs, equal counts: otherwise half of the rows would never be held out at the largest ratio.
    holdout = dataaudit.Holdout(
        runs=setting.sizes.runs, store=_store(setting, data), backend=setting.backend, balanced=not setting.full
    )
    return dataaudit.score(
        network,
        (data.inputs, data.labels),
        names,
        recipe=recipe,
        device=setting.device,
        seed=setting.seed,
        holdout=holdout,
        progress=False,
    )


def _store(setting: Setting, data: Data) -> Path:
    return setting.place(data) / "store" / "holdout"


def extended(found: Counts, setting: Setting, data: Data, runs: int, workers: int = -1) -> Iterator[Counts]:
    """Counts and those of one further run of each ratio, and so on up to `runs`: what a store holds by those numbers.

    Processes have a thread each; -1 for as many as there are processors.
    """
    numbers = range(found.runs, runs)
    with parallel_config(backend="loky", inner_max_num_threads=1):
        made = Parallel(workers, return_as="generator")(
            delayed(_made)(setting, data, Run(ratio, number)) for number in numbers for ratio in GRID
        )
        for number in numbers:
            chunk = chunk_of(number)
            more = ((0, chunk + 1 - len(found.held)), (0, 0), (0, 0))
            held, correct = np.pad(found.held, more), np.pad(found.correct, more)
            for place, ratio in enumerate(GRID):
                out, right = next(made)
                held[chunk, place] += out
                correct[chunk, place] += right
                print(f"ratio {ratio}, run {number}: {right.sum() / out.sum():.4f} of {out.sum()} right", flush=True)
            found = replace(found, held=held, correct=correct, runs=number + 1)
            yield found


def _made(setting: Setting, data: Data, run: Run) -> tuple[Array, Array]:
    """Which rows [n] a run holds out, and which of them it gets right, by the paper's algorithm 1."""
    network, recipe = setting.network(data)
    learner = as_learner(network, as_examples((data.inputs, data.labels)), recipe, "cpu")
    assert learner is not None
    learner.check(setting.seed)
    plan = Plan(data.labels, setting.seed)
    out = plan.held_out(run)
    fitted = learner.fit(plan.train(run), plan.training_seed(run), None, progress=False)
    right = np.zeros(len(data), bool)
    rows = np.flatnonzero(out)
    right[rows] = fitted.logits(rows).argmax(1).numpy() == data.labels[rows]
    return out, right


def keep(found: Counts, data: Data) -> None:
    """Write counts of the rows of `data`, which runs take in a random order, in the order of the file."""
    order, buffer = np.argsort(data.index), io.BytesIO()
    kind = np.min_scalar_type(int(found.held.max(initial=0)))
    held, missed = (part[:, :, order].astype(kind) for part in (found.held, found.held - found.correct))
    # Correct ones are nearly all: the others compress.
    np.savez_compressed(
        buffer,
        fingerprint=np.array(data.rows(order).fingerprint),
        rows=np.array(len(data)),
        held=held,
        missed=missed,
        runs=np.array(found.runs),
        source=np.array(found.source),
    )
    put(COMMITTED, buffer.getvalue())
    print(f"{found.source}: {len(buffer.getvalue()) / 2**20:.2f} MiB, reliability {found.reliability():.4f}")


def main() -> None:
    """Write the committed counts from a store, or add runs to them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="MNIST, as for --mnist of benchmarks.paper")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--store", help="folder of holdout runs")
    way.add_argument("--runs", type=int, help="runs of each ratio to be there in the end")
    options = parser.parse_args()
    data, here = of_file(options.file, "mnist").mixed(), machine()
    machines = f"{here['commit']}, {here['machine']}, {here['versions']}"
    if options.store:
        found = read_store(options.store, len(data), "")
        keep(replace(found, source=f"{found.runs} committed runs of each ratio ({machines})"), data)
        return
    before = committed(data)
    if before is None:
        parser.error(f"there are no committed counts of {options.file}: write them from a store (--store)")
    if before.runs >= options.runs:
        parser.error(f"--runs {options.runs}, where there are {before.runs} already")
    made = before.source.partition("(")[2].removesuffix(")")
    # Written after each number of a run: broken off, it goes on from there.
    for found in extended(before, Setting(Path(), (data,), FULL, full=True), data, options.runs):
        source = f"{found.runs} committed runs of each ratio ({made}; from {before.runs} on {machines})"
        keep(replace(found, source=source), data)


if __name__ == "__main__":
    main()
