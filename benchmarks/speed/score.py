"""Seconds and peak memory of `score` beside a plain training loop, cleanlab's folds of it and the aum package in it.

    python -m benchmarks.speed.score --images FILE [--case ...] [--job ...] [--repeats 5] [--epochs 3] [--examples N]

One process each, alternating. "plain" has the epochs, augmentation, evaluation passes and fits of the audit, in the
fastest layout and precision of the machine; where the audit trains on folds as well, "loop" is the run on all rows
alone, to which recorder and aum package compare. Reading the data and imports are not counted, nor are a first audit of
few rows, which loads what is needed, and the choice of layout and precision by the plain loop. "processor" and
--threads 1 serve where other work runs beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import append, machine, table
from benchmarks.speed.cases import CASES, CLASSES, Case, Plain
from dataaudit.holdout.plan import stratified_folds
from dataaudit.pipeline.evidence_sources.cross_validation import FOLDS

RESULTS = Path(__file__).parent / "results" / "score.csv"
CLEANLAB_FOLDS = 5
FEW = 120
"""Rows of a first audit, which is not timed."""

Work = Callable[[], dict[str, Any]]


def score(case: Case, epochs: int | None) -> Work:
    """`dataaudit.score`, which has to train as the plain loop does."""
    import dataaudit

    (model, data), options = case.arguments(epochs)
    wanted = case.loop(epochs).settings()
    draws = case.draws
    folds = f"{FOLDS} folds, drawn {draws} time{'s' if draws > 1 else ''}" if draws else None

    def run() -> dict[str, Any]:
        audit = dataaudit.score(model, data, progress=False, **options)
        settings = audit.settings
        recipe = {name: settings["recipe"][name] for name in wanted}
        made = settings["consensus"].get("heldout", {}).get("method", "")
        made = made if "folds" in made else None
        if (recipe, made) != (wanted, folds):
            raise SystemExit(f"the plain loop trains by {wanted}, {folds}, the audit by {recipe}, {made}")
        return {"passes": settings.get("passes"), "precision": settings["precision"], "timings": audit.timings}

    return run


def train(
    loop: Plain,
    way: Any,
    record: Callable[[Tensor, Tensor, Tensor], object] | None = None,
    epoch_done: Callable[[], object] | None = None,
) -> None:
    """The run on all rows, and the pass for predictions that an audit makes of one without evaluations."""
    model = loop.run(way, record, epoch_done)
    if not loop.evaluations:
        loop.predict(model, way, torch.arange(len(loop.labels)))


def fold_predictions(loop: Plain, way: Any, folds: int, seed: int = 0) -> Tensor:
    """Logits [n, C] of runs that did not train on the row."""
    fold, bare = torch.from_numpy(stratified_folds(loop.labels.numpy(), folds, seed)), loop.without_evaluations()
    logits = torch.empty(len(loop.labels), CLASSES)
    for number in range(folds):
        held = torch.nonzero(fold == number).flatten()
        model = bare.run(way, rows=torch.nonzero(fold != number).flatten())
        logits[held] = bare.predict(model, way, held)
    return logits


def plain(case: Case, epochs: int | None) -> Work:
    """As many fits as the audit makes."""
    loop, draws = case.loop(epochs), case.draws
    way = loop.fastest()

    def run() -> dict[str, Any]:
        train(loop, way)
        for seed in range(draws):
            fold_predictions(loop, way, FOLDS, seed)
        return {"precision": str(way)}

    return run


def alone(case: Case, epochs: int | None) -> Work:
    """The run on all rows."""
    loop = case.loop(epochs)
    way = loop.fastest()

    def run() -> dict[str, Any]:
        train(loop, way)
        return {}

    return run


def recorded(case: Case, epochs: int | None) -> Work:
    """The run on all rows with a `Recorder` in it."""
    from dataaudit import Recorder

    loop = case.loop(epochs)
    way, recorder = loop.fastest(), Recorder(len(case.labels), CLASSES)

    def run() -> dict[str, Any]:
        def record(logits: Tensor, labels: Tensor, rows: Tensor) -> None:
            recorder.update(rows, logits, labels)

        train(loop, way, record=record, epoch_done=recorder.end_epoch)
        return {}

    return run


def aum(case: Case, epochs: int | None) -> Work:
    """The run on all rows with the aum package in it."""
    from aum import AUMCalculator

    loop = case.loop(epochs)
    way, folder = loop.fastest(), tempfile.TemporaryDirectory()
    calculator = AUMCalculator(folder.name, compressed=True)

    def run() -> dict[str, Any]:
        train(loop, way, record=lambda logits, labels, rows: calculator.update(logits, labels, rows.tolist()))
        calculator.finalize()
        folder.cleanup()
        return {}

    return run


def cleanlab(case: Case, epochs: int | None) -> Work:
    """Held-out predictions by five folds of the run, without its evaluations, and cleanlab's ranking of them."""
    from cleanlab.rank import get_label_quality_scores

    loop = case.loop(epochs)
    way = loop.fastest()

    def run() -> dict[str, Any]:
        probabilities = fold_predictions(loop, way, CLEANLAB_FOLDS).softmax(1).numpy()
        get_label_quality_scores(np.asarray(case.labels), probabilities)
        return {"passes": (CLEANLAB_FOLDS - 1) * loop.epochs}

    return run


JOBS = {"score": score, "plain": plain, "loop": alone, "recorder": recorded, "aum": aum, "cleanlab": cleanlab}
OF_LOOP = ("recorder", "aum")
"""Jobs that compare to the run on all rows alone."""


def one(options: argparse.Namespace) -> None:
    """Run one job in this process and print what it took as JSON."""
    name, job = options.one
    if job == "score":
        score(CASES[name](options.images, FEW), 1)()
    work = JOBS[job](CASES[name](options.images, options.examples), options.epochs)
    before = time.process_time()
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "processor": time.process_time() - before, "peak_mib": peak, **found}))


def in_a_process(options: argparse.Namespace, name: str, job: str) -> dict[str, Any]:
    """What one job took, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed.score", "--one", name, job]
    for option in ("images", "epochs", "examples", "threads"):
        value = getattr(options, option)
        command += [] if value is None else [f"--{option}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(name: str, taken: dict[str, list[dict[str, Any]]]) -> None:
    """Print medians, and ratios to what a job compares to."""
    print(f"\n{name}, medians of {len(next(iter(taken.values())))}")
    rows = []
    for job, found in taken.items():
        base = taken.get("loop" if job in OF_LOOP and "loop" in taken else "plain", [])
        cells = []
        for key in ("seconds", "processor", "peak_mib"):
            value = median(one[key] for one in found)
            cells += [f"{value:.1f}", f"{value / median(one[key] for one in base):.3f}" if base else ""]
        rows.append((job, *cells))
    table(("job", "seconds", "ratio", "processor", "ratio", "MiB", "ratio"), rows)


def main() -> None:
    """Time the jobs and append a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=Path, help="npz with images [n, H, W, 3] and labels careless")
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--job", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--examples", type=int, default=10000)
    parser.add_argument("--epochs", type=int, help="of networks, instead of the number that the rules choose")
    parser.add_argument("--threads", type=int, help="instead of one a core")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=2, metavar=("CASE", "JOB"), help="run a single job here and print it")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.one:
        one(options)
        return
    fields = ["case", "job", "examples", "epochs", "repeat", "seconds", "processor", "peak_mib", "passes", "precision"]
    fields += list(machine())
    for name in options.case:
        folds = CASES[name](options.images, options.examples).draws
        # Where there are no folds, the plain loop is the run on all rows.
        jobs = [job for job in options.job if folds or job != "loop"]
        taken: dict[str, list[dict[str, Any]]] = {job: [] for job in jobs}
        for repeat in range(options.repeats):
            for job in jobs:
                found = in_a_process(options, name, job)
                taken[job].append(found)
                row = {"case": name, "job": job, "examples": options.examples, "repeat": repeat}
                row |= {"epochs": options.epochs or "chosen", **found, **machine()}
                options.results.parent.mkdir(exist_ok=True)
                append(options.results, fields, [{key: row.get(key, "") for key in fields}])
                print(f"{name}, {job}: {found['seconds']:.1f} s, processor {found['processor']:.1f} s", flush=True)
        show(name, taken)


if __name__ == "__main__":
    main()
