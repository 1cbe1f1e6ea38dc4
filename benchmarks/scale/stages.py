"""Growth of what `score` does beside training: processor seconds of each part from 10000 to 300000 examples.

    python -m benchmarks.scale.stages [--cases vectors model texts] [--rows 10000 30000 100000 300000]

Examples are in ten classes, a tenth of the labels wrong:

vectors   64 float32 values, one Gaussian a class; no model
model     the same in an MLP, trained for one epoch
texts     twelve words of one of ten topics each; no model

Each number of examples has a process of its own, which scores 2000 first. Parts are those of `dataaudit.pipeline`: the
plan (data and model are looked at), each source of evidence, the consensus, each score, decisions about labels; what
training itself takes is left out. Seconds are those of all cores together, which other work on the machine changes
least. Lines are appended to results/stages.csv as they are measured, under a number for all that one command measured;
the last lines of a case hold each part's exponent, by least squares of logarithms over its last three sizes, and what
it would take of ten million examples by that exponent. "MiB" is the most anonymous memory beyond what was there before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks import common
from benchmarks.scale.growth import watched
from dataaudit.common.timing import Timer
from dataaudit.labels.combine import with_consensus
from dataaudit.labels.suggestions import suggest
from dataaudit.pipeline import assemble, collect, plan, settings
from dataaudit.pipeline.evidence_sources.cross_validation import CrossValidation
from dataaudit.pipeline.request import Request

RESULTS = Path(__file__).parent / "results/stages.csv"
CASES = ["vectors", "model", "texts"]
FEATURES, CLASSES, WORDS, LENGTH = 64, 10, 5000, 12
FAR = 10_000_000
FIELDS = ["run", "case", "n", "part", "core_seconds", "exponent", "seconds_at_1e7"]


def data_of(case: str, n: int) -> tuple[Any, Any]:
    """Inputs and labels."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, CLASSES, n)
    labels = common.symmetric(classes, CLASSES, 0.1, 1)
    if case != "texts":
        centres = rng.normal(size=(CLASSES, FEATURES)).astype(np.float32)
        return centres[classes] + rng.standard_normal((n, FEATURES), np.float32), labels
    words = np.array([f"w{number}" for number in range(WORDS)])
    shares = rng.dirichlet(np.full(WORDS, 0.02), CLASSES)
    drawn = np.empty((n, LENGTH), np.int64)
    for topic in range(CLASSES):
        rows = np.flatnonzero(classes == topic)
        drawn[rows] = rng.choice(WORDS, (len(rows), LENGTH), p=shares[topic])
    return [" ".join(words[row]) for row in drawn], labels


class CoreTimer(Timer):
    """Stages in seconds of all cores."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the block to stage `name`."""
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start


def measured(case: str, n: int) -> dict[str, float]:
    """Core seconds of each part of one call."""
    inputs, labels = data_of(case, n)
    parts: dict[str, float] = {}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        done = work()
        parts[what] = time.process_time() - start
        return done

    model = dataaudit.networks.build("mlp", (FEATURES,), CLASSES) if case == "model" else None
    recipe = dataaudit.Recipe(epochs=1) if case == "model" else None
    timer = CoreTimer({"total": 0.0})
    request = Request(model, (inputs, labels), "auto", progress=False, recipe=recipe)
    object.__setattr__(request, "timer", timer)
    with watched() as largest:
        before = largest[0]
        planned = timed("plan", lambda: plan.make_plan(request))
        for source in planned.sources:
            before_it, name = dict(timer.seconds), type(source).__name__
            timed(name, source.collect)
            for stage in timer.seconds:
                seconds = timer.seconds[stage] - before_it.get(stage, 0.0)
                if stage == "train":
                    parts[name] -= seconds
                elif seconds:
                    parts[f"{name}: {stage}"] = seconds
        planned.close()
        evidence = timed("evidence", lambda: collect.complete(planned, may_train=True))
        evidence = timed("consensus", lambda: with_consensus(evidence))
        for scorer in planned.scorers:
            timed(f"score {scorer.name}", partial(scorer.score, evidence))
        timed("suggestions", lambda: suggest(evidence))
        errors = timed("label errors", lambda: assemble._label_errors(evidence))
        timed("settings", lambda: settings.settings_of(planned, evidence, errors))
    # Folds are training.
    kept = {name: seconds for name, seconds in parts.items() if not name.startswith(CrossValidation.__name__)}
    return {**kept, "MiB": (largest[0] - before) * 1024}


def lines_of(case: str, found: dict[int, dict[str, float]]) -> Iterator[dict[str, Any]]:
    """Exponent and extrapolation of each part of a case."""
    sizes = sorted(found)[-3:]
    for part in found[sizes[-1]]:
        seconds = [found[n].get(part, 0.0) for n in sizes]
        if len(sizes) < 2 or min(seconds) <= 0:
            continue
        exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        there = seconds[-1] * (FAR / sizes[-1]) ** exponent
        yield {"case": case, "part": part, "exponent": f"{exponent:.2f}", "seconds_at_1e7": f"{there:.1f}"}


def main() -> None:
    """Measure every case, and append the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        (case,) = arguments.cases
        measured(case, 2000)
        print(json.dumps(measured(case, arguments.child)))
        return
    number = 1 + max((int(line["run"]) for line in common.kept(arguments.results)), default=0)
    here = common.machine()

    def append(line: dict[str, Any]) -> None:
        print(" ".join(f"{name}={value}" for name, value in line.items()), flush=True)
        common.append(arguments.results, [*FIELDS, *here], [{"run": number, **line, **here}])

    for case in arguments.cases:
        found: dict[int, dict[str, float]] = {}
        for n in sorted(arguments.rows):
            command = [sys.executable, "-m", "benchmarks.scale.stages", "--cases", case, "--child", str(n)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[n] = json.loads(done.stdout.splitlines()[-1])
            for part, seconds in found[n].items():
                append({"case": case, "n": n, "part": part, "core_seconds": f"{seconds:.3f}"})
        for line in lines_of(case, found):
            append(line)


if __name__ == "__main__":
    main()
