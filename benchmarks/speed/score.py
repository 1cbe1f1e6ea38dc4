"""Seconds and peak memory of `score` beside a plain training loop, cleanlab's folds of it and the aum package in it.

    python -m benchmarks.speed.score --images FILE [--cases ...] [--repeats 5] [--epochs 3]

One process each, alternating. The plain loop has the epochs, augmentation and evaluation passes of the recipe that
`score` chose, in the fastest layout and precision of the machine. Reading the data and imports are not counted, nor is
the choice of layout and precision by the plain loop.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import append, machine, table
from benchmarks.speed.cases import CASES, Case
from benchmarks.speed.plain import Loop, Way

RESULTS = Path(__file__).parent / "results" / "score.csv"
FOLDS = 5


Work = Callable[[], dict[str, Any]]


def score(case: Case, epochs: int | None) -> Work:
    """`dataaudit.score`."""
    import dataaudit

    recipe = "auto" if epochs is None else dataaudit.recipes.auto(epochs=epochs)

    def run() -> dict[str, Any]:
        audit = dataaudit.score(case.factory, (case.inputs, case.labels), recipe=recipe, progress=False)
        return {"passes": audit.settings.get("passes"), "precision": audit.settings["precision"]}

    return run


def finish(loop: Loop, way: Way, module: nn.Module) -> None:
    """The pass for predictions that an audit makes of a run without evaluations."""
    if not loop.recipe.evaluations:
        loop.predict(module, way, torch.arange(len(loop.inputs)))


def plain(case: Case, epochs: int | None) -> Work:
    """The loop alone."""
    loop = case.loop(epochs)
    way = loop.fastest()

    def run() -> dict[str, Any]:
        finish(loop, way, loop.run(way))
        return {"precision": "bfloat16" if way.bfloat16 else "float32", "channels_last": way.channels_last}

    return run


def recorded(case: Case, epochs: int | None) -> Work:
    """The loop with a `Recorder` in it."""
    from dataaudit import Recorder

    loop = case.loop(epochs)
    way, recorder = loop.fastest(), Recorder(len(case.labels), 10)

    def run() -> dict[str, Any]:
        module = loop.run(
            way,
            record=lambda logits, labels, rows: recorder.update(rows, logits, labels),
            epoch_done=recorder.end_epoch,
        )
        finish(loop, way, module)
        return {}

    return run


def aum(case: Case, epochs: int | None) -> Work:
    """The loop with the aum package in it."""
    import tempfile

    from aum import AUMCalculator

    loop = case.loop(epochs)
    way, folder = loop.fastest(), tempfile.mkdtemp()
    calculator = AUMCalculator(folder, compressed=True)

    def run() -> dict[str, Any]:
        finish(
            loop,
            way,
            loop.run(way, record=lambda logits, labels, rows: calculator.update(logits, labels, rows.tolist())),
        )
        calculator.finalize()
        return {}

    return run


def cleanlab(case: Case, epochs: int | None) -> Work:
    """Held-out predictions by five folds of the loop, without its evaluations, and cleanlab's ranking of them."""
    from cleanlab.rank import get_label_quality_scores

    loop = case.loop(epochs)
    way = loop.fastest()
    loop.recipe = replace(loop.recipe, evaluations=0)

    def run() -> dict[str, Any]:
        order = torch.randperm(len(case.labels), generator=torch.Generator().manual_seed(0))
        probabilities = np.empty((len(order), 10), np.float32)
        for fold in range(FOLDS):
            held = order[fold::FOLDS]
            train = order[torch.arange(len(order)) % FOLDS != fold]
            probabilities[held] = loop.predict(loop.run(way, rows=train), way, held).softmax(1).numpy()
        get_label_quality_scores(np.asarray(case.labels, np.int64), probabilities)
        return {"passes": FOLDS * loop.recipe.epochs * (1 - 1 / FOLDS)}

    return run


JOBS = {"score": score, "plain": plain, "recorder": recorded, "aum": aum, "cleanlab": cleanlab}


def one(name: str, job: str, images: str, epochs: int | None) -> None:
    """Run one job in this process and print what it took as JSON."""
    work = JOBS[job](CASES[name](images), epochs)
    before = time.process_time()
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "processor": time.process_time() - before, "peak_mib": peak, **found}))


def main() -> None:
    """Time the jobs and append a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", required=True, help="npz with images [n, H, W, 3] and labels careless")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="instead of the number that the rules choose")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "JOB"), help="run a single job here and print it")
    options = parser.parse_args()
    if options.one:
        name, job = options.one
        one(name, job, options.images, options.epochs)
        return
    fields = ["case", "job", "epochs", "repeat", "seconds", "processor", "peak_mib", "passes", *machine()]
    for name in options.cases:
        taken: dict[str, list[dict[str, Any]]] = {job: [] for job in options.jobs}
        for repeat in range(options.repeats):
            for job in options.jobs:
                command = [sys.executable, "-m", "benchmarks.speed.score", "--images", options.images]
                command += [*(["--epochs", str(options.epochs)] if options.epochs else []), "--one", name, job]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found = json.loads(done.stdout.splitlines()[-1])
                taken[job].append(found)
                row = {"case": name, "job": job, "epochs": options.epochs or "chosen", "repeat": repeat, **found}
                RESULTS.parent.mkdir(exist_ok=True)
                append(RESULTS, fields, [{key: row.get(key, "") for key in fields[:-3]} | machine()])
        base = median(found["seconds"] for found in taken["plain"]) if "plain" in taken else float("nan")
        peak = median(found["peak_mib"] for found in taken["plain"]) if "plain" in taken else float("nan")
        print(f"\n{name}, {options.epochs or 'chosen'} epochs, medians of {options.repeats}")
        rows = []
        for job, found in taken.items():
            seconds, mib = median(f["seconds"] for f in found), median(f["peak_mib"] for f in found)
            rows.append((job, f"{seconds:.1f}", f"{seconds / base:.3f}", f"{mib:.0f}", f"{mib / peak:.2f}"))
        table(("job", "seconds", "of plain", "MiB", "of plain"), rows)


if __name__ == "__main__":
    main()
